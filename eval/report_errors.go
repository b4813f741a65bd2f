package eval

import (
	"fmt"

	"github.com/faceverify/fv/internal/page"
)

// errors is how the two kinds of errors trade, how sure the numbers are, and what a system that
// cannot compare some pairs does.
func (r report) errors() (page.Section, error) {
	s := page.Section{ID: "errors", Title: "How the errors trade, and how sure the numbers are"}
	var row page.Columns
	for i, n := range r.Results {
		alt := "False match and false non-match rate against the threshold, " + n.Name
		const caption = "A stricter threshold, to the right, lets in fewer strangers and refuses more genuine pairs."
		log, err := figure(PlotErrorRates(n.Result.ROC, true), numbered("error-rates", i), alt, caption)
		if err != nil {
			return s, err
		}
		linear, err := figure(PlotErrorRates(n.Result.ROC, false), numbered("error-rates-linear", i), alt+", linear", caption)
		if err != nil {
			return s, err
		}
		title := "Errors at each threshold"
		if !r.single() {
			title += ": " + n.Name
		}
		row = append(row, page.Switch{ID: numbered("error-rates", i) + "-view", Title: title, Views: []page.View{{Name: "logarithmic", Figure: log}, {Name: "linear", Figure: linear}}})
	}
	s.Blocks = append(s.Blocks, row)
	for _, n := range r.Results {
		res := n.Result
		var f page.Fields
		if !r.single() {
			f = append(f, page.Field{Name: "Result", Value: n.Name})
		}
		z := res.ZeroFMR
		f = append(f, page.Field{Name: "ZeroFMR", Value: fmt.Sprintf("FNMR %s %s at the lowest threshold that accepts no impostor pair (%s). None of %d accepted allows for an FMR up to %s.",
			percent(z.FNMR.Value, 2), interval(z.FNMR), thresholdWords(z.Threshold), z.FMR.Total, percent(z.FMR.High, 4))})
		if res.AngularFisher != nil {
			f = append(f, page.Field{Name: "Angular Fisher score", Value: fixed(*res.AngularFisher, 4) + ": the spread within people over that between them; smaller is better"})
		}
		if a := res.Acquisition; a != nil {
			f = append(f, page.Field{Name: "Failures to acquire", Value: fmt.Sprintf("%d of %d images gave no embedding; %d of %d genuine and %d of %d impostor pairs could not be compared",
				a.Images.Count, a.Images.Total, a.Genuine.Count, a.Genuine.Total, a.Impostor.Count, a.Impostor.Total)})
		}
		s.Blocks = append(s.Blocks, f)
		if t := bootstrapTable(res); t != nil {
			s.Blocks = append(s.Blocks, page.Text(fmt.Sprintf("Pairs that share a person are not independent. These 95 %% intervals come from %d replicates that draw the %d identities, not the pairs, with replacement.",
				res.Intervals.Replicates, res.Intervals.Identities)), *t)
		} else if res.NoIntervals != "" {
			s.Blocks = append(s.Blocks, page.Text("Pairs that share a person are not independent; there are no intervals here that allow for it: "+res.NoIntervals+"."))
		}
		if t := systemTable(res); t != nil {
			s.Blocks = append(s.Blocks, page.Text("A system refuses a pair that it cannot compare: FAR = FMR (1 - FtA), FRR = FtA + FNMR (1 - FtA), with FtA the share of such pairs."), *t)
		}
	}
	return s, nil
}

func bootstrapTable(r *Result) *page.Table {
	b := r.Intervals
	if b == nil {
		return nil
	}
	t := &page.Table{Head: []string{"", "measured", "95 %, over identities"}, Text: 1}
	add := func(name string, value float64, in Range, digits int) {
		t.Rows = append(t.Rows, []string{name, percent(value, digits), fmt.Sprintf("[%.*f, %.*f] %%", digits, 100*in.Low, digits, 100*in.High)})
	}
	add("AUC", r.AUC, b.AUC, 3)
	add("EER", r.EER.Value, b.EER, 2)
	for _, p := range b.TAR {
		for _, measured := range r.OperatingPoints {
			if measured.Target == p.Target {
				add(fmt.Sprintf("TAR at FAR ≤ %g", p.Target), measured.TAR.Value, p.Range, 2)
				break
			}
		}
	}
	return t
}

// systemTable is nil where every pair was compared.
func systemTable(r *Result) *page.Table {
	if r.Acquisition == nil || r.Acquisition.Genuine.Count+r.Acquisition.Impostor.Count == 0 {
		return nil
	}
	t := &page.Table{Head: []string{"", "FAR, of all impostor pairs", "FRR, of all genuine pairs"}, Text: 1}
	for _, p := range r.OperatingPoints {
		if p.Resolved {
			t.Rows = append(t.Rows, []string{fmt.Sprintf("FMR ≤ %g", p.Target), percent(p.SystemFAR.Value, 3) + " " + interval(*p.SystemFAR), percent(p.SystemFRR.Value, 2) + " " + interval(*p.SystemFRR)})
		}
	}
	if t.Rows == nil {
		return nil
	}
	return t
}

// thresholdWords are the three units of a threshold in running text.
func thresholdWords(t Threshold) string {
	u := units(t)
	switch {
	case u[0] == "none":
		return "which accepts nothing"
	case u[1] == "—":
		return "score " + u[0]
	}
	return "cosine " + u[0] + ", angle " + u[1] + ", squared L2 " + u[2]
}
