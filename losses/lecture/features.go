package lecture

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/lecture/figure"
)

// featureNet is a network of the chapter.
type featureNet struct {
	title string
	head  string
	m     float64 // of A-Softmax
	*trained
	reach float64 // the radius of the picture: nearly all features are within
}

// featureTable is a network as the script gets it: by snapshot, x and y of the features in turn, and of the weights' directions.
type featureTable struct {
	Features [][]json.RawMessage `json:"features"`
	Weights  [][]json.RawMessage `json:"weights"`
	Correct  []json.RawMessage   `json:"correct"`
	Spread   []json.RawMessage   `json:"spread"`
	Nearest  []json.RawMessage   `json:"nearest"`
	Reach    float64             `json:"reach"`
}

// featureMargins are the m of the A-Softmax networks.
var featureMargins = []float64{2, 3, 4}

// trainFeatures trains the networks: softmax, modified softmax, and A-Softmax with each m, whose λ falls to nearly 0 in this short run.
func trainFeatures(seed uint64, progress func(string)) ([]*featureNet, error) {
	nets := []*featureNet{{title: "Softmax", head: "softmax"}, {title: "Modified softmax", head: "modified"}}
	for _, m := range featureMargins {
		nets = append(nets, &featureNet{title: "A-Softmax", head: "asoftmax", m: m})
	}
	train, test := drawDigits(seed, 0, netTrain), drawDigits(seed, netTrain*digitKinds, netTest)
	for i, n := range nets {
		what := n.title
		if n.m != 0 {
			what += fmt.Sprintf(", m = %g", n.m)
		}
		progress(fmt.Sprintf("training network %d of %d: %s", i+1, len(nets), what))
		o := losses.Options{}
		if n.m != 0 {
			o.Params = map[string]float64{"margin": n.m, "lambda-gamma": 3, "lambda-min": 0}
		}
		h, err := losses.New(n.head, o)
		if err != nil {
			return nil, err
		}
		if n.trained, err = trainDigits(seed, h, train, test); err != nil {
			return nil, err
		}
		var lengths []float64
		for _, q := range n.features[len(n.features)-1] {
			lengths = append(lengths, math.Hypot(q.X, q.Y))
		}
		slices.Sort(lengths)
		n.reach = math.Ceil(lengths[len(lengths)*97/100])
	}
	return nets, nil
}

func (n *featureNet) table() featureTable {
	t := featureTable{Correct: rounded(n.correct, 4), Spread: rounded(n.spread, 2), Nearest: rounded(n.nearest, 2), Reach: n.reach}
	for i := range n.features {
		var f, w []float64
		for _, q := range n.features[i] {
			f = append(f, q.X, q.Y)
		}
		for _, q := range n.weights[i] {
			r := math.Hypot(q.X, q.Y)
			w = append(w, q.X/r, q.Y/r)
		}
		t.Features, t.Weights = append(t.Features, significant(f, 5)), append(t.Weights, rounded(w, 4))
	}
	return t
}

// ringRadius places feature i near the unit circle: a little spread along the radius shows how many there are.
func ringRadius(i int) float64 { return 0.86 + 0.16*float64(i*7%10)/10 }

func featuresChapter(seed uint64, nets []*featureNet) *chapter {
	var tables []featureTable
	for _, n := range nets {
		tables = append(tables, n.table())
	}
	draw := func(v values) view {
		snapshot := int(v["i-step"])
		shown := []*featureNet{nets[0], nets[1], nets[2+int(v["i-m"])]}
		out := view{pairs: true}
		for k, n := range shown {
			id := []string{"softmax", "modified", "asoftmax"}[k]
			raw := figure.New("i-"+id, 240, 240, n.title+": the learned two-dimensional features of digits of six kinds")
			raw.Title = n.title
			p := raw.Panel(axes{X: [2]float64{-1.1, 1.1}, Y: [2]float64{-1.1, 1.1}, Bare: true, Square: true})
			ring := figure.New("i-"+id+"-circle", 240, 240, n.title+": the features projected on the unit circle")
			ring.Title = "On the circle"
			q := ring.Panel(axes{X: [2]float64{-1.3, 1.3}, Y: [2]float64{-1.3, 1.3}, Bare: true, Square: true})
			p.Line("", style{Color: figure.Grid, Width: 1}, xy{X: -1.1}, xy{X: 1.1})
			p.Line("", style{Color: figure.Grid, Width: 1}, xy{Y: -1.1}, xy{Y: 1.1})
			p.Text("scale", style{Color: figure.Ink, Size: 10}, xy{X: 1.1, Y: -1.1}, figure.End, xy{Y: -2}, fmt.Sprintf("the half width is %g", 1.1*n.reach))
			for kind := range digitKinds {
				var points, around []xy
				for i, f := range n.features[snapshot] {
					if i%digitKinds != kind {
						continue
					}
					points = append(points, xy{X: f.X / n.reach, Y: f.Y / n.reach})
					if r := math.Hypot(f.X, f.Y); r > 0 {
						around = append(around, xy{X: f.X / r * ringRadius(i/digitKinds), Y: f.Y / r * ringRadius(i/digitKinds)})
					}
				}
				c := figure.Color(kind)
				p.Dots(fmt.Sprintf("c%d", kind), style{Color: c, Width: 4, Faint: 0.2}, points...)
				q.Dots(fmt.Sprintf("c%d", kind), style{Color: c, Width: 4, Faint: 0.2}, around...)
				w := n.weights[snapshot][kind]
				r := math.Hypot(w.X, w.Y)
				w = xy{X: w.X / r, Y: w.Y / r}
				q.Arrow(fmt.Sprintf("w%d", kind), style{Color: c, Width: 1.6}, xy{}, xy{X: 0.8 * w.X, Y: 0.8 * w.Y})
				q.Text(fmt.Sprintf("n%d", kind), style{Color: c, Bold: true, Size: 13}, xy{X: 1.17 * w.X, Y: 1.17 * w.Y}, figure.Middle, xy{Y: 4.5}, fmt.Sprint(kind))
			}
			out.row = append(out.row, raw, ring)
			for _, r := range []struct{ id, label, value string }{
				{"correct", "test digits right", fixed(100*n.correct[snapshot], 1) + " %"},
				{"spread", "median angle to the kind's mean", fixed(n.spread[snapshot], 1) + "°"},
			} {
				out.readings = append(out.readings, page.Reading{ID: "i-" + id + "-" + r.id, Label: n.title + ", " + r.label, Value: r.value})
			}
		}
		return out
	}
	table := page.Table{Caption: "After training", Text: 1, Head: []string{"head", "test digits right", "median angle to the kind's mean", "mean angle to the next kind"}}
	for _, n := range nets {
		name := n.title
		if n.m != 0 {
			name += ", m = " + strconv.FormatFloat(n.m, 'g', -1, 64)
		}
		last := len(n.correct) - 1
		table.Rows = append(table.Rows, []string{name, fixed(100*n.correct[last], 1) + " %", fixed(n.spread[last], 2) + "°", fixed(n.nearest[last], 1) + "°"})
	}
	var steps, margins []string
	for _, s := range netSnapshots {
		steps = append(steps, fmt.Sprint(s))
	}
	for _, m := range featureMargins {
		margins = append(margins, strconv.FormatFloat(m, 'g', -1, 64))
	}
	return &chapter{
		id: "features", title: "Features that were learned",
		intro: []page.Block{
			page.Text(fmt.Sprintf("Networks with an embedding in the plane learned to tell drawn digits, 0 to %d, apart, each with another head. Softmax makes petals of free length and direction. The modified softmax turns each petal to its weight; A-Softmax makes them narrower. Shown are digits that no network was trained on.", digitKinds-1)),
		},
		controls: page.Controls{
			{ID: "i-step", Label: "after step", Max: float64(len(steps) - 1), Step: 1, Value: float64(len(steps) - 1), Stops: steps},
			{ID: "i-m", Label: "m of A-Softmax", Max: float64(len(margins) - 1), Step: 1, Value: float64(len(margins) - 1), Stops: margins},
			{ID: "i-run", Label: "Run"},
		},
		draw: draw, data: tables,
		outro: []page.Block{table, page.Text(fmt.Sprintf("Trained when this page was made, from seed %d: %d digits of %d × %d pixels, drawn by this program as pen strokes that are turned, slanted, bent and noisy; %d others to look at. A network has layers of %d, %d and %d units with leaky rectifiers, and learns %d steps of %d digits with Adam, at a rate of %g that falls as a cosine; all start from the same weights. A-Softmax's λ is 1000/(1 + 3 it), below 1 from step 333 on.",
			seed, netTrain*digitKinds, digitSide, digitSide, netTest*digitKinds, netOne, netTwo, netOut, netSteps, netBatch, netRate))},
	}
}
