package losses

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/setting"
)

// Param is a setting of a head.
type Param struct {
	Name    string // as in flags and files: "scale", "margin" ...
	Default float64
	Doc     string // one line, with the unit if there is one
}

// Spec is what is known of a head before it is made.
type Spec struct {
	Name      string
	Title     string // the name in papers
	Target    string // equation of the sample's own logit
	Other     string // equation of the other logits
	Loss      string // equation of the loss; empty for the softmax cross-entropy
	Paper     string
	Notes     string // which of differing implementations is followed; may be empty
	Params    []Param
	HasMargin bool // whether it takes a MarginGradient
	// Plain has the values of settings at which there is no margin, where a larger margin is a larger
	// value: see WithWarmup. It is nil where there is none.
	Plain    map[string]float64
	Detached bool // whether the margin gradient is detached by default
	// FeatureNorm is the default of heads that can do both; empty for the others.
	FeatureNorm FeatureNorm

	// build makes the head; v has a value for each of Params, and 0 for the scale of
	// embeddings that keep their length. o is resolved.
	build func(v map[string]float64, o Options) Head
}

var registry = map[string]Spec{}

// register adds a head; each is registered by the file that holds it.
func register(s Spec) {
	if _, ok := registry[s.Name]; ok {
		panic("losses: two heads are called " + s.Name)
	}
	registry[s.Name] = s
}

// Names returns the names of all heads, sorted.
func Names() []string { return slices.Sorted(maps.Keys(registry)) }

// MarginGradient says what is differentiated of a logit with a margin.
type MarginGradient string

const (
	// DefaultGradient is the head's own choice.
	DefaultGradient MarginGradient = ""
	// Exact differentiates the logit as it is.
	Exact MarginGradient = "exact"
	// Detached takes what the margin adds to the logit for a constant: the gradient is that
	// of s cos θ, or of ‖x‖ cos θ + ‖x‖ const.
	Detached MarginGradient = "detached"
)

// FeatureNorm says how long embeddings are in the logits.
type FeatureNorm string

const (
	// DefaultNorm is the head's own choice.
	DefaultNorm FeatureNorm = ""
	// Scaled gives all embeddings the length s, the head's scale.
	Scaled FeatureNorm = "scaled"
	// Kept leaves ‖x‖ in the place of s.
	Kept FeatureNorm = "kept"
)

// Options are the settings of a head. The zero value means its defaults.
type Options struct {
	// Params holds values by the names in the head's Spec. What is not there has its
	// default; a name that the head does not have is an error.
	Params         map[string]float64
	MarginGradient MarginGradient
	FeatureNorm    FeatureNorm
	Seed           uint64 // of a head's random draws
}

func (o Options) detached() bool { return o.MarginGradient == Detached }

// New returns the head of the given name. It fails if there is none, if it has no
// setting of a given name, or if a value is out of range.
func New(name string, o Options) (Head, error) {
	s, err := Describe(name)
	if err != nil {
		return nil, err
	}
	if o, err = s.Resolve(o); err != nil {
		return nil, err
	}
	if v, ok := o.Params["scale"]; ok {
		if err := positive(name, "scale", v); err != nil { // 0 stands for Kept
			return nil, err
		}
	}
	h := s.build(o.Params, o)
	if err := h.Validate(); err != nil {
		return nil, err
	}
	return h, nil
}

// otherNames has the names under which papers published what another called first.
var otherNames = map[string]string{"coco": "normface"}

// Describe returns what is known of the head of the given name, or of one of its other names ("coco"). Capitals do not matter: papers
// write CosFace.
func Describe(name string) (Spec, error) {
	first := strings.ToLower(name)
	if n, ok := otherNames[first]; ok {
		first = n
	}
	s, ok := registry[first]
	if !ok {
		return Spec{}, fmt.Errorf("losses: there is no head %q; there are %s", name, strings.Join(Names(), ", "))
	}
	s.Params = slices.Clone(s.Params)
	return s, nil
}

// Resolve fills in the defaults: a value for each of the head's settings, and how it
// differentiates and measures where there is a choice. The scale is no setting where embeddings keep
// their length. A name that is not among the settings is an error that lists them.
func (s Spec) Resolve(o Options) (Options, error) {
	var err error
	if o.MarginGradient, err = choose(s, "margin-gradient", "margin gradient", s.marginGradient(), o.MarginGradient, Exact, Detached); err != nil {
		return o, err
	}
	if o.FeatureNorm, err = choose(s, "feature-norm", "feature norm", s.FeatureNorm, o.FeatureNorm, Scaled, Kept); err != nil {
		return o, err
	}
	values := map[string]float64{}
	var names []string
	for _, p := range s.Params {
		if p.Name == "scale" && o.FeatureNorm == Kept {
			if _, ok := o.Params["scale"]; ok {
				return o, setting.Errorf("scale", "losses: head %s has no setting \"scale\" where embeddings keep their length; set the feature norm to %s", s.Name, Scaled)
			}
			continue
		}
		values[p.Name] = p.Default
		names = append(names, p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Params)) {
		if _, ok := values[name]; !ok {
			if len(names) == 0 {
				return o, setting.Errorf(name, "losses: head %s has no setting %q; it has none", s.Name, name)
			}
			return o, setting.Errorf(name, "losses: head %s has no setting %q; it has %s", s.Name, name, strings.Join(names, ", "))
		}
		values[name] = o.Params[name]
	}
	o.Params = values
	return o, nil
}

// marginGradient returns the default, and nothing for a head without a margin.
func (s Spec) marginGradient() MarginGradient {
	switch {
	case !s.HasMargin:
		return DefaultGradient
	case s.Detached:
		return Detached
	}
	return Exact
}

// choose returns the given one of two values or else the head's own, which is empty where there
// is no choice. name is that of the setting.
func choose[T ~string](s Spec, name, what string, own, given, a, b T) (T, error) {
	switch {
	case given == "":
		return own, nil
	case given != a && given != b:
		return own, setting.Errorf(name, "losses: %s %q is neither %q nor %q", what, given, a, b)
	case own == "":
		return own, setting.Errorf(name, "losses: head %s has no choice of %s", s.Name, what)
	}
	return given, nil
}

// String returns the description as lines of text for a terminal.
func (s Spec) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n  target logit  %s\n  other logits  %s\n", s.Name, s.Title, s.Target, s.Other)
	if s.Loss != "" {
		fmt.Fprintf(&b, "  loss          %s\n", s.Loss)
	}
	for _, p := range s.Params {
		fmt.Fprintf(&b, "  %-13s %s (default %v)\n", p.Name, p.Doc, p.Default)
	}
	if s.HasMargin {
		fmt.Fprintf(&b, "  margin gradient: %s by default\n", s.marginGradient())
	}
	if s.FeatureNorm != "" {
		fmt.Fprintf(&b, "  feature norm: %s by default\n", s.FeatureNorm)
	}
	fmt.Fprintf(&b, "  paper: %s\n", s.Paper)
	if s.Notes != "" {
		fmt.Fprintf(&b, "  %s\n", s.Notes)
	}
	return b.String()
}
