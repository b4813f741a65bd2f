package features

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/page"
)

//go:embed features.js
var script string

// style makes room for the turning sphere.
const style = `
#turn canvas { display: block; width: 100%; max-width: 34rem; aspect-ratio: 1; touch-action: none; cursor: grab; }
#turn canvas:active { cursor: grabbing; }
#turn .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .9rem; }
`

// PageOptions are what a page says beside the result.
type PageOptions struct {
	Title, Subtitle  string
	Settings         page.Fields
	Command, Version string
}

// Page writes the result as an HTML page. It is complete without JavaScript; with it the sphere turns.
func Page(w io.Writer, r *Result, o PageOptions) error {
	turn, err := r.figure()
	if err != nil {
		return err
	}
	angles, err := eval.PlotAngles(r.Angles, "", math.NaN(), 0).PageSVG(fmt.Sprintf(
		"histograms of the angles of %d positive pairs, mean %.1f degrees, and of %d negative pairs, mean %.1f degrees", r.Positive, r.PositiveDegrees, r.Negative, r.NegativeDegrees))
	if err != nil {
		return err
	}
	p := &page.Page{
		Title: o.Title, Subtitle: o.Subtitle, Style: style, Footer: o.Version + ": " + o.Command,
		Lead: []page.Block{page.Cards{
			{Label: "Overlap of the angles", Value: fmt.Sprintf("%.1f %%", 100*r.Angles.Overlap), Detail: "what the two histograms share"},
			{Label: "Positive pairs", Value: fmt.Sprintf("%.1f°", r.PositiveDegrees), Detail: fmt.Sprintf("mean angle of %d pairs; most often %.1f°", r.Positive, r.ModeDegrees)},
			{Label: "Negative pairs", Value: fmt.Sprintf("%.1f°", r.NegativeDegrees), Detail: fmt.Sprintf("mean angle of %d pairs", r.Negative)},
			{Label: "Angular Fisher score", Value: fmt.Sprintf("%.4f", r.AngularFisher), Detail: "scatter within identities over scatter between them: smaller is better"},
		}},
		Sections: []page.Section{
			{ID: "features", Title: "On the " + r.Surface(), Blocks: []page.Block{turn}},
			{ID: "angles", Title: "Angles between pairs", Blocks: []page.Block{
				page.Figure{SVG: angles, Caption: "Every pair of the images is counted once. A margin makes the positive pairs' angles smaller and parts the two."}}},
			{ID: "identities", Title: "Identities", Blocks: []page.Block{r.table()}},
		},
	}
	if len(o.Settings) > 0 {
		p.Sections = append(p.Sections, page.Section{ID: "settings", Title: "Settings", Blocks: []page.Block{o.Settings}})
	}
	if r.Dim == 3 {
		if p.Data, err = r.data(); err != nil {
			return err
		}
		p.Script = script
	}
	return p.Write(w)
}

func (r *Result) figure() (page.Figure, error) {
	svg, err := r.Picture("", true).PageSVG(fmt.Sprintf("the embeddings of %d identities as points of a %s, coloured by identity", len(r.Identities), r.Surface()))
	if err != nil {
		return page.Figure{}, err
	}
	f := page.Figure{SVG: `<div id="turn">` + svg + `</div>`, Caption: "Each point is the direction of one embedding; a line goes to the mean of an identity."}
	if n := len(r.shown().Class); n < r.Images {
		f.Caption += fmt.Sprintf(" %d of %d are shown.", n, r.Images)
	}
	if r.Dim == 3 {
		f.Caption += " What is behind the sphere is faint. Drag to turn it, or use the arrow keys; a double click turns it back."
	}
	return f, nil
}

func (r *Result) table() page.Table {
	t := page.Table{Head: []string{"identity", "images", "mean angle to its own mean", "nearest other mean", "angle to that"}, Text: 1}
	for _, x := range r.Identities {
		t.Rows = append(t.Rows, []string{x.Name, fmt.Sprint(x.Images), fmt.Sprintf("%.2f°", x.OwnDegrees), x.Nearest, fmt.Sprintf("%.2f°", x.NearestDegrees)})
	}
	return t
}

// data is what the script turns: points and means in thousandths, and the view to begin with.
func (r *Result) data() ([]byte, error) {
	d := r.shown()
	round := func(x []float64) []int {
		out := make([]int, len(x))
		for i, v := range x {
			out[i] = int(math.Round(1000 * v))
		}
		return out
	}
	var means []int
	for _, m := range d.Means() {
		means = append(means, round(m)...)
	}
	return json.Marshal(struct {
		Points []int     `json:"points"`
		Class  []int     `json:"class"`
		Means  []int     `json:"means"`
		Names  []string  `json:"names"`
		Colors int       `json:"colors"`
		View   eval.View `json:"view"`
	}{round(d.Unit), d.Class, means, d.Names, eval.ClassColors, r.directions.View()})
}
