package offheap

import "testing"

func TestFloats(t *testing.T) {
	x, err := Floats(3 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		if x[i] != 0 {
			t.Fatalf("x[%d] is %v", i, x[i])
		}
		x[i] = float32(i)
	}
	FreeFloats(x)
	if x, err := Floats(0); len(x) != 0 || err != nil {
		t.Errorf("no floats: %v, %v", x, err)
	}
}

func TestAdviseHuge(t *testing.T) {
	AdviseHuge([]float32(nil))
	AdviseHuge(make([]float32, 100))
	x := make([]float32, 5<<20)
	AdviseHuge(x)
	for i := range x {
		if x[i] != 0 {
			t.Fatalf("x[%d] is %v", i, x[i])
		}
		x[i] = float32(i)
	}
	if x[len(x)-1] != float32(len(x)-1) {
		t.Errorf("the last is %v", x[len(x)-1])
	}
}
