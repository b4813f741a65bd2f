package spec

import "testing"

func TestList(t *testing.T) {
	l := List{}
	l.Add(Loss{Name: "b", Title: "second", Equation: "x²", Paper: "none", Notes: "a note",
		Params: []Param{{Name: "margin", Default: 0.5, Doc: "m, in radians"}}})
	l.Add(Loss{Name: "a"})
	all := l.Sorted()
	if len(all) != 2 || all[0].Name != "a" || all[1].Name != "b" {
		t.Fatalf("%+v", all)
	}
	const want = "b: second\n  loss          x²\n  margin        m, in radians (default 0.5)\n  paper: none\n  a note\n"
	if got := all[1].String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("two losses of one name")
		}
	}()
	l.Add(Loss{Name: "a"})
}
