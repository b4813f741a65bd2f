package eval

import (
	"fmt"

	"github.com/faceverify/fv/internal/page"
)

func (r report) protocols() page.Section {
	s := page.Section{ID: "protocols", Title: "Accuracy, by protocol", Blocks: []page.Block{
		page.Text("Papers quote \"the accuracy\", but the public scripts that compute it differ: in the embedding, in the thresholds they try and in how they choose one. So a number is worth something only with its protocol. In those with folds, each fold is scored at the threshold that suits the other folds."),
	}}
	var about page.Fields
	seen := map[string]bool{}
	for _, n := range r.Results {
		t := page.Table{Head: []string{"protocol", "embedding", "accuracy", "spread"}, Text: 2}
		folds := page.Table{Head: []string{"protocol"}, Text: 1}
		if !r.single() {
			t.Caption = n.Name
			folds.Caption = n.Name
		}
		for i := range foldColumns(n.Result) {
			folds.Head = append(folds.Head, fmt.Sprintf("fold %d", i+1))
		}
		for _, a := range n.Result.Protocols {
			t.Rows = append(t.Rows, []string{a.Protocol, flipWords[a.Flip], percent(a.Mean, 3), spreadWords(a)})
			if v := a.VAL; v != nil {
				t.Rows = append(t.Rows, []string{a.Protocol + ": TAR at FAR " + fmt.Sprint(v.Target), flipWords[a.Flip], percent(v.Mean, 3), fmt.Sprintf("± %.3f (standard deviation); FAR met %.3f %%", 100*v.Std, 100*v.FAR)})
			}
			if a.SpreadKind != "none" {
				row := []string{a.Protocol}
				for _, f := range a.Folds {
					row = append(row, percent(f.Accuracy, 2))
				}
				folds.Rows = append(folds.Rows, row)
			}
			if p, err := ProtocolByName(a.Protocol); err == nil && !seen[p.Name] {
				seen[p.Name] = true
				about = append(about, page.Field{Name: p.Name, Value: p.About})
			}
		}
		s.Blocks = append(s.Blocks, t)
		if len(folds.Rows) > 0 {
			s.Blocks = append(s.Blocks, page.Details{Summary: "The folds' own values", Blocks: []page.Block{folds}})
		}
	}
	s.Blocks = append(s.Blocks, about)
	return s
}

func foldColumns(r *Result) int {
	n := 0
	for _, a := range r.Protocols {
		if a.SpreadKind != "none" {
			n = max(n, len(a.Folds))
		}
	}
	return n
}

var flipWords = map[string]string{
	FlipNone:   "f(x)",
	FlipSum:    "f(x) + f(mirrored x)",
	FlipConcat: "[f(x), f(mirrored x)]",
	FlipGiven:  "as the scores were given",
}

func spreadWords(a Accuracy) string {
	switch a.SpreadKind {
	case "std_ddof0":
		return fmt.Sprintf("± %.3f (standard deviation)", 100*a.Spread)
	case "standard_error":
		return fmt.Sprintf("± %.3f (standard error)", 100*a.Spread)
	}
	return "none: one threshold for all pairs"
}

// settings is what was measured, on what, and how to do it again.
func (r report) settings() page.Section {
	s := page.Section{ID: "settings", Title: "Data and settings"}
	for _, n := range r.Results {
		res := n.Result
		f := page.Fields{}
		if !r.single() {
			f = append(f, page.Field{Name: "Result", Value: n.Name})
		}
		f = append(f, page.Field{Name: "Pairs", Value: fmt.Sprintf("%d genuine (one person), %d impostor (two people), %d folds", res.Genuine, res.Impostor, res.FoldCount)})
		if res.Images > 0 {
			f = append(f, page.Field{Name: "Images", Value: fmt.Sprintf("%d embedded, each once; %d could not be read, and %d pairs were left out for it", res.Images, res.ImagesFailed, res.PairsSkipped)})
		}
		f = append(f, page.Field{Name: "Embedding of pictures and thresholds", Value: flipWords[res.Flip]})
		if res.DPrime != nil {
			f = append(f, page.Field{Name: "d′", Value: fixed(*res.DPrime, 3)})
		}
		f = append(f, page.Field{Name: "Best accuracy on these pairs", Value: fmt.Sprintf("%s %s; optimistic, because the threshold was chosen on the same pairs", percent(res.Best.Accuracy.Value, 2), interval(res.Best.Accuracy))})
		s.Blocks = append(s.Blocks, f)
	}
	if len(r.Settings) > 0 {
		s.Blocks = append(s.Blocks, r.Settings)
	}
	if r.Command != "" {
		s.Blocks = append(s.Blocks, page.Text("The command that made this page:"), page.Code(r.Command))
	}
	return s
}

func glossary() page.Section {
	return page.Section{ID: "words", Title: "Words", Blocks: []page.Block{page.Fields{
		{Name: "Genuine, positive pair", Value: "Two photographs of one person."},
		{Name: "Impostor, negative pair", Value: "Photographs of two people."},
		{Name: "FAR, FMR", Value: "False accept (match) rate: the share of impostor pairs that are accepted."},
		{Name: "TAR", Value: "True accept rate: the share of genuine pairs that are accepted. 1 - TAR is FNMR, the false non-match rate."},
		{Name: "ROC, AUC", Value: "Receiver operating characteristic: TAR against FAR over all thresholds; the area under it is the chance that a genuine pair scores higher than an impostor pair."},
		{Name: "EER", Value: "Equal error rate: (FMR + FNMR)/2 at the threshold where the two differ least."},
		{Name: "DET", Value: "Detection error trade-off: FNMR against FMR, on axes that stretch small rates."},
		{Name: "Failure to acquire, FtA", Value: "An image that gives no embedding. FMR and FNMR count comparisons made; FAR and FRR of a system count those it could not make as refused."},
		{Name: "d′", Value: "Distance of the mean genuine and impostor scores in units of their spread: |μg-μi| / √((σg²+σi²)/2)."},
		{Name: "Overlap", Value: "Σ min(f, g) over the one-degree bins of the two angle histograms: 0 % apart, 100 % equal."},
		{Name: "Cosine, angle, squared L2", Value: "Of two embeddings of unit length: cos θ, θ and 2 - 2 cos θ. They say the same."},
	}}}
}
