// Package spec describes losses: their equation, settings and paper, for lists of them.
package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Param is a setting of a loss.
type Param struct {
	Name    string // as in flags and files: "scale", "margin" ...
	Default float64
	Doc     string // one line, with the unit if there is one
}

// Loss is what is known of a loss that is no head.
type Loss struct {
	Name     string
	Title    string // the name in papers
	Equation string
	Paper    string
	Notes    string // which of differing implementations is followed; may be empty
	Params   []Param
}

// String returns the description as lines of text for a terminal.
func (l Loss) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n  loss          %s\n", l.Name, l.Title, l.Equation)
	for _, p := range l.Params {
		fmt.Fprintf(&b, "  %-13s %s (default %v)\n", p.Name, p.Doc, p.Default)
	}
	fmt.Fprintf(&b, "  paper: %s\n", l.Paper)
	if l.Notes != "" {
		fmt.Fprintf(&b, "  %s\n", l.Notes)
	}
	return b.String()
}

// List is descriptions by name.
type List map[string]Loss

// Add adds a description; a second one of the same name panics.
func (l List) Add(d Loss) {
	if _, ok := l[d.Name]; ok {
		panic("losses: two are called " + d.Name)
	}
	l[d.Name] = d
}

// Sorted returns the descriptions in the order of their names.
func (l List) Sorted() []Loss {
	var all []Loss
	for _, name := range slices.Sorted(maps.Keys(l)) {
		all = append(all, l[name])
	}
	return all
}
