package eval

import (
	"fmt"

	"github.com/faceverify/fv/internal/page"
)

// groups has no blocks if no result has groups.
func (r report) groups() page.Section {
	s := page.Section{ID: "groups", Title: "The same threshold for everyone"}
	for _, n := range r.Results {
		for _, b := range n.Result.Groups {
			for _, at := range b.At {
				t := page.Table{
					Caption: fmt.Sprintf("%s, threshold for %s: %s", b.Column, at.For, thresholdWords(at.Threshold)),
					Head:    []string{b.Column, "genuine", "impostor", "accuracy", "FMR", "FNMR"}, Text: 1,
				}
				if !r.single() {
					t.Caption = n.Name + ": " + t.Caption
				}
				for _, g := range at.Groups {
					t.Rows = append(t.Rows, []string{g.Name, fmt.Sprint(g.Genuine), fmt.Sprint(g.Impostor),
						percent(g.Accuracy.Value, 2) + " " + interval(g.Accuracy), maybeRate(g.FMR, 3), maybeRate(g.FNMR, 2)})
				}
				s.Blocks = append(s.Blocks, t)
			}
		}
	}
	if s.Blocks != nil {
		s.Blocks = append([]page.Block{page.Text("A system has one threshold, and groups of people may fare differently at it. A group is the pairs whose images have the same value of the attribute, or the same two values. In brackets: 95 % Clopper-Pearson intervals; where two groups' intervals lie apart, the difference is more than chance, if pairs are taken for independent.")}, s.Blocks...)
	}
	return s
}

func maybeRate(r *Rate, digits int) string {
	if r == nil {
		return "—"
	}
	return percent(r.Value, digits) + " " + interval(*r)
}
