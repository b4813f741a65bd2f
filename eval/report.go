package eval

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/faceverify/fv/internal/page"
)

// NamedResult is a result and what to call it in a report.
type NamedResult struct {
	Name   string // short: it stands in legends and tables
	About  string // a sentence, optional
	Result *Result
}

// ReportOptions says what stands in a report.
type ReportOptions struct {
	Title    string
	Subtitle string
	// Intro is shown first, below the numbers.
	Intro []page.Block
	// Results are one or more; with several the pictures lie side by side and the
	// tables have a line for each.
	Results []NamedResult
	// Curves are other systems' points, drawn for comparison.
	Curves []*Curve
	// Settings are what a reader needs to repeat the evaluation: data, model,
	// preprocessing.
	Settings page.Fields
	// Sections come after the results, before the settings.
	Sections []page.Section
	Command  string // that made the report
	Version  string // of the program
}

// Report writes a self-contained HTML page: the numbers that matter, the pictures and
// what each means, the operating points, the accuracy protocols with the folds' own
// values, and the settings.
func Report(w io.Writer, o ReportOptions) error {
	p, err := newReport(o)
	if err != nil {
		return err
	}
	return p.Write(w)
}

func newReport(o ReportOptions) (*page.Page, error) {
	if len(o.Results) == 0 {
		panic("eval: a report without results")
	}
	r := report{o}
	p := &page.Page{Title: o.Title, Subtitle: o.Subtitle, Lead: r.lead(), Footer: "Made by " + o.Version + "."}
	roc, err := r.roc()
	if err != nil {
		return nil, err
	}
	angles, err := r.angles()
	if err != nil {
		return nil, err
	}
	p.Sections = append(p.Sections, roc)
	if angles.Blocks != nil {
		p.Sections = append(p.Sections, angles)
	}
	errors, err := r.errors()
	if err != nil {
		return nil, err
	}
	p.Sections = append(p.Sections, r.thresholds(), errors)
	if r.Results[0].Result.Protocols != nil {
		p.Sections = append(p.Sections, r.protocols())
	}
	if groups := r.groups(); groups.Blocks != nil {
		p.Sections = append(p.Sections, groups)
	}
	p.Sections = append(p.Sections, o.Sections...)
	p.Sections = append(p.Sections, r.settings(), glossary())
	return p, nil
}

type report struct{ ReportOptions }

func (r report) single() bool { return len(r.Results) == 1 }

// lead is the head of the page: warnings, then cards for one result, a table for more.
func (r report) lead() []page.Block {
	var blocks []page.Block
	for _, n := range r.Results {
		for _, w := range n.Result.Warnings {
			if r.single() {
				w = strings.ToUpper(w[:1]) + w[1:]
			} else {
				w = n.Name + ": " + w
			}
			blocks = append(blocks, page.Note(w+"."))
		}
	}
	if r.single() {
		blocks = append(blocks, r.cards(r.Results[0].Result))
	} else {
		blocks = append(blocks, r.comparison())
	}
	return append(blocks, r.Intro...)
}

func (r report) cards(res *Result) page.Cards {
	cards := page.Cards{
		{Label: "AUC", Value: fixed(res.AUC, 5), Detail: "area under the ROC; 1 is perfect, 0.5 a guess"},
	}
	if res.Protocols != nil {
		cards = append(cards, page.Card{Label: "Accuracy", Value: percent(res.Accuracy, 2), Detail: "protocol " + res.Protocol + spread(res)})
	}
	cards = append(cards, page.Card{Label: "EER", Value: percent(res.EER.Value, 2), Detail: "equal error rate; smaller is better"})
	if p := smallestResolved(res); p != nil {
		cards = append(cards, page.Card{
			Label: fmt.Sprintf("TAR at FAR ≤ %g", p.Target), Value: percent(p.TAR.Value, 2),
			Detail: "95 % interval " + interval(p.TAR),
		})
	}
	return cards
}

// comparison is a line of numbers for each result, and what each is.
func (r report) comparison() page.Block {
	t := page.Table{Head: []string{"", "AUC", "accuracy", "EER", "TAR at the smallest FAR resolved", "overlap of the angles"}, Text: 1}
	for _, n := range r.Results {
		res := n.Result
		tar, overlap := "—", "—"
		if p := smallestResolved(res); p != nil {
			tar = fmt.Sprintf("%s at %g", percent(p.TAR.Value, 2), p.Target)
		}
		if res.Angles != nil {
			overlap = percent(res.Angles.Overlap, 1)
		}
		t.Rows = append(t.Rows, []string{n.Name, fixed(res.AUC, 5), percent(res.Accuracy, 2) + spread(res), percent(res.EER.Value, 2), tar, overlap})
	}
	return t
}

func smallestResolved(r *Result) *OperatingPoint {
	var best *OperatingPoint
	for i := range r.OperatingPoints {
		p := &r.OperatingPoints[i]
		if p.Resolved && (best == nil || p.Target < best.Target) {
			best = p
		}
	}
	return best
}

// curves returns all curves, the results' own first, and how many these are.
func (r report) curves() ([]*Curve, int) {
	var curves []*Curve
	for _, n := range r.Results {
		curves = append(curves, n.Result.ROC.Curve(n.Name))
	}
	return append(curves, r.Curves...), len(r.Results)
}

func (r report) roc() (page.Section, error) {
	s := page.Section{ID: "roc", Title: "How well are strangers told apart?"}
	curves, own := r.curves()
	linear, err := figure(PlotROC(curves, own, false), "roc", "ROC curve: true accept rate against false accept rate", "Both rates from 0 to 1. The dashed diagonal is guessing.")
	if err != nil {
		return s, err
	}
	logarithmic, err := figure(PlotROC(curves, own, true), "roc-log", "ROC curve with a logarithmic false accept rate", "The same curves with the false accept rate on a logarithmic axis, down to what these pairs resolve. This is the end at which doors and phones work.")
	if err != nil {
		return s, err
	}
	det, err := figure(PlotDET(curves, own), "det", "DET curve: false non-match rate against false match rate on normal-deviate axes", "Both errors on normal-deviate axes, where normally distributed scores make straight lines. Nearer to the lower left is better.")
	if err != nil {
		return s, err
	}
	det.Title = "DET"
	s.Blocks = append(s.Blocks,
		page.Text("The model scores each pair of photographs; a threshold turns the score into \"same person\" or \"two people\". Each point of a curve is one threshold: how many of the genuine pairs it accepts, at the price of how many impostor pairs. The nearer a curve runs to the upper left corner, the better."),
		page.Columns{linearOrLog("roc-view", "ROC", linear, logarithmic), det})
	if len(r.Curves) > 0 {
		t := page.Table{Caption: "Other systems, from their published points", Head: []string{"system", "points", "AUC", "EER"}, Text: 1}
		for _, c := range r.Curves {
			t.Rows = append(t.Rows, []string{c.Name, fmt.Sprint(len(c.FAR)), fixed(c.AUC(), 5), percent(c.EER(), 2)})
		}
		s.Blocks = append(s.Blocks, t)
	}
	return s, nil
}

// figure draws a picture for the page; file is the name of its file without extension.
func figure(p *Picture, file, alt, caption string) (page.Figure, error) {
	svg, err := p.PageSVG(alt)
	return page.Figure{SVG: svg, Alt: alt, Caption: caption, File: file + ".png"}, err
}

func linearOrLog(id, title string, linear, log page.Figure) page.Switch {
	return page.Switch{ID: id, Title: title, Views: []page.View{{Name: "linear", Figure: linear}, {Name: "logarithmic", Figure: log}}}
}

// numbered is a file's or switch's name for the i-th result: the first has the bare one.
func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, i+1)
}

// angles has no blocks if no result has angles.
func (r report) angles() (page.Section, error) {
	s := page.Section{ID: "angles", Title: "Angles between faces"}
	var top float64
	for _, n := range r.Results {
		if a := n.Result.Angles; a != nil {
			top = math.Max(top, a.Top())
		}
	}
	var row page.Columns
	t := page.Table{Head: []string{"", "positive: mean", "mode", "negative: mean", "mode", "overlap"}, Text: 1}
	quantile := page.Table{Caption: "Quantiles: this share of the pairs lies at the angle or below", Head: []string{""}, Text: 1}
	for _, p := range quantiles {
		quantile.Head = append(quantile.Head, fmt.Sprintf("%g %%", 100*p))
	}
	for i, n := range r.Results {
		a := n.Result.Angles
		if a == nil {
			continue
		}
		alt, threshold := "Histograms of the angles of positive and negative pairs, "+n.Name, n.Result.EER.Threshold.Angle
		linear, err := figure(PlotAngles(a, "", threshold, top), numbered("angles", i), alt, n.About)
		if err != nil {
			return s, err
		}
		log, err := figure(PlotAnglesLog(a, "", threshold), numbered("angles-log", i), alt+", logarithmic", n.About)
		if err != nil {
			return s, err
		}
		row = append(row, linearOrLog(numbered("angles", i)+"-view", n.Name, linear, log))
		t.Rows = append(t.Rows, []string{n.Name, angle(a.Positive.Mean), angle(a.Positive.Mode), angle(a.Negative.Mean), angle(a.Negative.Mode), percent(a.Overlap, 1)})
		for _, side := range []struct {
			name string
			AngleSide
		}{{n.Name + ": positive", a.Positive}, {n.Name + ": negative", a.Negative}} {
			row := []string{side.name}
			for _, q := range side.Quantiles {
				row = append(row, fmt.Sprintf("%.1f°", q.Angle*180/math.Pi))
			}
			quantile.Rows = append(quantile.Rows, row)
		}
	}
	if row == nil {
		return s, nil
	}
	s.Blocks = []page.Block{
		page.Text("An embedding is a direction in space; two photographs are compared by the angle between theirs. Positive pairs (one person) should lie at small angles, negative pairs (two people) near a right angle, π/2. Where the two kinds overlap, no threshold can be right for all. A margin in training pushes the positive pairs to the left and shrinks the overlap. Areas are histograms of one-degree bins, lines densities smoothed with a Gaussian kernel."),
	}
	if p := PlotAnglesOverlay(r.Results); p != nil {
		f, err := figure(p, "angles-overlay", "Densities of the angles of positive and negative pairs of all systems", "Densities of all systems: whole lines are positive pairs, broken ones negative pairs.")
		if err != nil {
			return s, err
		}
		s.Blocks = append(s.Blocks, f)
	}
	s.Blocks = append(s.Blocks, row, t, page.Details{Summary: "Quantiles of the angles", Blocks: []page.Block{quantile}})
	return s, nil
}

func (r report) thresholds() page.Section {
	s := page.Section{ID: "thresholds", Title: "Which threshold to use", Blocks: []page.Block{
		page.Text("Choose how many strangers may be let in by mistake (FAR); the line gives the threshold that keeps this promise on these pairs, in the three units that programs use, and the share of genuine pairs that pass (TAR). Accept a pair if its cosine is at least, or its angle or squared distance at most, the value given. In brackets: 95 % Clopper-Pearson intervals, the range in which the true rate lies if other pairs of the same kind were drawn."),
	}}
	for _, n := range r.Results {
		t := page.Table{Head: []string{"", "cosine", "angle", "squared L2", "false accepts", "FAR", "TAR"}, Text: 1}
		if !r.single() {
			t.Caption = n.Name
		}
		for _, p := range n.Result.OperatingPoints {
			label := fmt.Sprintf("FAR ≤ %g", p.Target)
			if !p.Resolved {
				t.Rows = append(t.Rows, []string{label, "—", "—", "—", "—", fmt.Sprintf("not resolved by %d impostor pairs", n.Result.Impostor), "—"})
				continue
			}
			t.Rows = append(t.Rows, append(append([]string{label}, units(p.Threshold)...),
				fmt.Sprintf("%d of %d", p.FAR.Count, p.FAR.Total),
				percent(p.FAR.Value, 3)+" "+interval(p.FAR), percent(p.TAR.Value, 2)+" "+interval(p.TAR)))
		}
		e := n.Result.EER
		t.Rows = append(t.Rows, append(append([]string{"EER"}, units(e.Threshold)...), "", percent(e.FMR, 3), percent(1-e.FNMR, 2)))
		s.Blocks = append(s.Blocks, t)
	}
	return s
}

// units are the cosine, angle and squared L2 distance of a threshold.
func units(t Threshold) []string {
	if math.IsInf(t.Score, 0) {
		return []string{"none", "none", "none"}
	}
	if math.IsNaN(t.Angle) {
		return []string{fixed(t.Score, 4), "—", "—"}
	}
	return []string{fixed(t.Score, 4), angle(t.Angle), fixed(t.SquaredL2, 4)}
}

func angle(radians float64) string {
	return fmt.Sprintf("%.2f° (%.4f rad)", radians*180/math.Pi, radians)
}

func fixed(x float64, digits int) string { return fmt.Sprintf("%.*f", digits, x) }

// percent has more digits than asked for where these would all be 0.
func percent(x float64, digits int) string { return percentage(x, digits) + " %" }

func percentage(x float64, digits int) string {
	if x != 0 && math.Abs(100*x) < math.Pow10(1-digits) {
		return fmt.Sprintf("%.2g", 100*x)
	}
	return fixed(100*x, digits)
}

func interval(r Rate) string {
	return fmt.Sprintf("[%s, %s] %%", percentage(r.Low, 2), percentage(r.High, 2))
}

// spread is that of the headline's accuracy.
func spread(r *Result) string {
	if r.Protocols == nil || r.Protocols[0].SpreadKind == "none" {
		return ""
	}
	return fmt.Sprintf(" ± %.2f", 100*r.Protocols[0].Spread)
}
