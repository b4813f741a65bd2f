package losses

import "testing"

func TestAnnealingState(t *testing.T) {
	h := makeHead(t, "asoftmax", Options{}).(Stateful)
	slope := func(h Head) float64 { v, _, _ := h.Target(-0.5, 1); return v }
	first := slope(h)
	h.Begin(0)
	if slope(h) != first {
		t.Error("a step that is not committed moves λ")
	}
	for step := range 10 {
		h.Begin(step)
		h.Commit()
	}
	if slope(h) >= first {
		t.Errorf("the margin does not grow: %v, then %v", first, slope(h))
	}
	o := makeHead(t, "asoftmax", Options{}).(Stateful)
	if err := o.SetState(h.State()); err != nil {
		t.Fatal(err)
	}
	if slope(o) != slope(h) {
		t.Errorf("restored: %v, want %v", slope(o), slope(h))
	}
	for _, bad := range []map[string][]float32{nil, {"iteration": {1, 2}}, {"iteration": {-1}}, {"iteration": {0.5}}, {"t": {1}}} {
		if o.SetState(bad) == nil {
			t.Errorf("state %v is taken", bad)
		}
	}
}
