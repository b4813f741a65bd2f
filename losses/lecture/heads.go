package lecture

import (
	"math"
	"strconv"

	"github.com/faceverify/fv/losses"
)

// shownNorm is the ‖x‖ for which logits are drawn of heads that depend on it, unless their knob is ‖x‖ itself.
const shownNorm = 20

// knob is what the page varies of a head.
type knob struct {
	label  string // as it is shown: "m", "‖x‖"
	param  string // of the head; empty where ‖x‖ is varied
	stops  []float64
	chosen int // the default
}

var (
	factors    = []float64{1, 1.25, 1.4, 1.5, 1.7, 2, 2.5, 3, 4}
	wholes     = []float64{1, 2, 3, 4, 5, 6}
	angles     = []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1}
	cosines    = []float64{0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8}
	knobValues = map[string]knob{
		"adaface":    {label: "‖x‖", stops: []float64{1, 5, 10, 15, 20, 30, 40, 50, 60}, chosen: 4},
		"magface":    {label: "‖x‖", stops: []float64{10, 20, 30, 40, 50, 60, 80, 100, 110}, chosen: 1},
		"asoftmax":   {param: "margin", stops: wholes},
		"lsoftmax":   {param: "margin", stops: wholes},
		"sphereface": {param: "margin", stops: factors}, "sphereface-r-v1": {param: "margin", stops: factors}, "sphereface-r-v2": {param: "margin", stops: factors},
		"cosface": {param: "margin", stops: cosines}, "amsoftmax": {param: "margin", stops: cosines}, "elasticface-cos": {param: "margin", stops: cosines},
		"sphereface2": {param: "margin", stops: cosines},
		"circle":      {param: "margin", stops: []float64{0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1}},
		"combined":    {label: "m2", param: "m2", stops: angles},
	}
)

// knobOf returns what is varied of a head. A head with a setting "margin" that is not listed has it in radians.
func knobOf(s losses.Spec) knob {
	k, ok := knobValues[s.Name]
	for _, p := range s.Params {
		if !ok && p.Name == "margin" {
			k, ok = knob{param: "margin", stops: angles}, true
		}
		for i, v := range k.stops {
			if p.Name == k.param && v == p.Default {
				k.chosen = i
			}
		}
	}
	if !ok {
		return knob{label: "no margin", stops: []float64{0}}
	}
	if k.label == "" {
		k.label = "m"
	}
	return k
}

// named returns what a stop is called.
func (k knob) named(i int) string {
	if len(k.stops) == 1 {
		return k.label
	}
	return k.label + " = " + strconv.FormatFloat(k.stops[i], 'g', -1, 64)
}

// curve is a head's logits as they are drawn: in units of s, or of ‖x‖ where that takes its place.
type curve struct {
	head losses.Head
	unit float64
	norm float64
}

// newHead returns a head with some settings, its margin in full from the first step on. The settings are the program's own.
func newHead(name string, params map[string]float64) losses.Head {
	o := losses.Options{Params: params}
	s, err := losses.Describe(name)
	if err != nil {
		panic(err)
	}
	for _, p := range s.Params {
		if _, given := params[p.Name]; !given && (p.Name == "lambda-base" || p.Name == "lambda-min") {
			if o.Params == nil {
				o.Params = map[string]float64{}
			}
			o.Params[p.Name] = 0
		}
	}
	h, err := losses.New(name, o)
	if err != nil {
		panic(err)
	}
	if a, ok := h.(*losses.AdaFace); ok { // lengths about 20, so that ‖x‖ can be seen to matter
		if err := a.SetState(map[string][]float32{"mean": {20}, "deviation": {10}}); err != nil {
			panic(err)
		}
	}
	return h
}

func newCurve(name string, k knob, stop int) curve {
	c := curve{norm: shownNorm}
	params := map[string]float64{}
	switch {
	case k.param != "":
		params[k.param] = k.stops[stop]
	case len(k.stops) > 1:
		c.norm = k.stops[stop]
	}
	c.head = newHead(name, params)
	if c.unit = c.head.Geometry().Scale; c.unit == 0 {
		c.unit = c.norm
	}
	return c
}

// own returns the logit of the sample's class at the angle theta, and its slope there.
func (c curve) own(theta float64) (value, slope float64) {
	z, d, _ := c.head.Target(math.Cos(theta), c.norm)
	return z / c.unit, -d * math.Sin(theta) / c.unit
}

// other returns the logit of another class.
func (c curve) other(theta float64) float64 {
	z, _, _ := c.head.Other(math.Cos(theta), c.norm)
	return z / c.unit
}

// meets returns the angle from W1 at which the own logit of class 1 falls to that of class 2, on the arc between
// weights that are K apart; NaN where not even W1 itself has it above.
func (c curve) meets(k float64) float64 {
	above := func(t float64) bool { v, _ := c.own(t); return v >= c.other(k-t) }
	if !above(0) {
		return math.NaN()
	}
	lo, hi := 0.0, k
	for range 60 {
		if mid := (lo + hi) / 2; above(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// exactHead returns a head with the exact gradient of its margin, where it has a choice.
func exactHead(name string, params map[string]float64) losses.Head {
	s, err := losses.Describe(name)
	if err != nil {
		panic(err)
	}
	o := losses.Options{Params: params}
	if s.HasMargin {
		o.MarginGradient = losses.Exact
	}
	h, err := losses.New(name, o)
	if err != nil {
		panic(err)
	}
	return h
}
