package losses

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	Paper     string
	Notes     string // which of differing implementations is followed; may be empty
	Params    []Param
	HasMargin bool // whether MarginGradient makes a difference
	Detached  bool // whether the margin gradient is detached by default

	// build makes the head; v has a value for each of Params.
	build func(v map[string]float64, detached bool) Head
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

// Options are the settings of a head. The zero value means its defaults.
type Options struct {
	// Params holds values by the names in the head's Spec. What is not there has its
	// default; a name that the head does not have is an error.
	Params         map[string]float64
	MarginGradient MarginGradient
}

// New returns the head of the given name. It fails if there is none, if it has no
// setting of a given name, or if a value is out of range.
func New(name string, o Options) (Head, error) {
	s, err := Describe(name)
	if err != nil {
		return nil, err
	}
	values, err := s.Resolve(o.Params)
	if err != nil {
		return nil, err
	}
	detached := s.Detached
	switch o.MarginGradient {
	case DefaultGradient:
	case Exact, Detached:
		detached = o.MarginGradient == Detached
	default:
		return nil, fmt.Errorf("losses: margin gradient %q is neither %q nor %q", o.MarginGradient, Exact, Detached)
	}
	h := s.build(values, detached)
	if err := h.Validate(); err != nil {
		return nil, err
	}
	return h, nil
}

// Describe returns what is known of the head of the given name.
func Describe(name string) (Spec, error) {
	s, ok := registry[name]
	if !ok {
		return Spec{}, fmt.Errorf("losses: there is no head %q; there are %s", name, strings.Join(Names(), ", "))
	}
	s.Params = slices.Clone(s.Params)
	return s, nil
}

// Resolve returns a value for each of the head's settings: the given one or else
// the default. A name that is not among them is an error that lists them.
func (s Spec) Resolve(given map[string]float64) (map[string]float64, error) {
	values := map[string]float64{}
	var names []string
	for _, p := range s.Params {
		values[p.Name] = p.Default
		names = append(names, p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := values[name]; !ok {
			if len(names) == 0 {
				return nil, fmt.Errorf("losses: head %s has no setting %q; it has none", s.Name, name)
			}
			return nil, fmt.Errorf("losses: head %s has no setting %q; it has %s", s.Name, name, strings.Join(names, ", "))
		}
		values[name] = given[name]
	}
	return values, nil
}

// String returns the description as lines of text for a terminal.
func (s Spec) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n  target logit  %s\n  other logits  %s\n", s.Name, s.Title, s.Target, s.Other)
	for _, p := range s.Params {
		fmt.Fprintf(&b, "  %-13s %s (default %v)\n", p.Name, p.Doc, p.Default)
	}
	if s.HasMargin {
		gradient := Exact
		if s.Detached {
			gradient = Detached
		}
		fmt.Fprintf(&b, "  margin gradient: %s by default\n", gradient)
	}
	fmt.Fprintf(&b, "  paper: %s\n", s.Paper)
	if s.Notes != "" {
		fmt.Fprintf(&b, "  %s\n", s.Notes)
	}
	return b.String()
}
