package pipeline

import (
	"fmt"
	"math"
	"strconv"
)

// Scale is a head's scale s. As text it is a number above 0, or "auto", which is -1: the least that is recommended for the number of
// classes.
type Scale float64

const autoScale Scale = -1

// MarshalText implements encoding.TextMarshaler.
func (s Scale) MarshalText() ([]byte, error) {
	if s == autoScale {
		return []byte("auto"), nil
	}
	return strconv.AppendFloat(nil, float64(s), 'g', -1, 64), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Scale) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*s = autoScale
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return fmt.Errorf("%q: want a number above 0, or auto", text)
	}
	*s = Scale(v)
	return nil
}

// leastScale returns the least scale at which a softmax over so many classes can give the own class the probability
// P = 0.9 when all class weights are as far apart as can be and each embedding lies on its own,
//
//	s >= (C-1)/C ln((C-1) P/(1-P))
//
// (CosFace, Wang et al. 2018, eq. 6).
func leastScale(classes int) float64 {
	const p = 0.9
	c := float64(classes)
	return (c - 1) / c * math.Log((c-1)*p/(1-p))
}

// autoScale reports whether the number of classes is to decide the scale.
func (c *Config) autoScale() bool { return c.Scale != nil && *c.Scale == autoScale }

// bounded reports whether the head of resolved settings is one that leastScale speaks of: a softmax of s cos θ.
func (c *Config) bounded() bool {
	h, err := c.head()
	if err != nil {
		return false
	}
	g := h.Geometry()
	return g.Scale > 0 && !g.Curved && g.Binary == 0
}

// checkScale returns an error where auto cannot decide.
func (c *Config) checkScale() error {
	switch head, _ := c.objective(); {
	case !c.autoScale():
		return nil
	case !head:
		return settingError("scale", "auto goes with a head, and --loss is %s", c.Loss)
	case !c.bounded():
		return settingError("scale", "auto is for heads whose other logits are s cos θ, and head %s is none as it is set; give a number", c.Head)
	}
	return nil
}

// chooseScale puts the scale that is recommended for the number of classes in the place of auto, and warns of a smaller one.
// leastScale is 0 where it says nothing of the head.
func (t *trainer) chooseScale() {
	c := &t.config
	if head, _ := c.objective(); !head || !c.bounded() {
		return
	}
	classes := len(t.faces.train.Identities)
	t.leastScale = leastScale(classes)
	if c.autoScale() {
		s := Scale(math.Ceil(10*t.leastScale) / 10)
		c.Scale = &s
	}
	if s := float64(*c.Scale); s < t.leastScale {
		t.events.warn("--scale %g is small for %d classes: the loss stays high however good the model gets; at least %.1f is recommended (CosFace, eq. 6), which --scale auto takes", s, classes, t.leastScale)
	}
}
