package page

import (
	"strconv"
	"strings"
)

// Control is something that a reader moves and the page's script listens to: a slider, or a choice where there are
// Options, or a button where there is neither a range nor a choice. The script finds it by its ID.
type Control struct {
	ID, Label      string
	Min, Max, Step float64
	Value          float64
	Unit           string   // after the slider's number
	Stops          []string // what the positions 0, 1, 2 ... of a slider are called
	Options        []string // Value is the place of the one that is chosen
}

// Controls stand together. Without a script, which marks the page's root element with the class "js", they are not shown.
type Controls []Control

// Reading is a number that follows the controls: the script writes into the element of that ID.
type Reading struct{ ID, Label, Value string }

// Readings stand side by side.
type Readings []Reading

// Pairs are figures that belong together by twos, and stay legible when small: the two of a pair stand side by side on a phone, and
// one below the other, all pairs in one row, where there is room.
type Pairs []Figure

func (Controls) template() string { return "controls" }
func (Readings) template() string { return "readings" }
func (Pairs) template() string    { return "pairs" }

// Button reports whether the control is a button.
func (c Control) Button() bool { return c.Options == nil && c.Min == c.Max }

// Shown returns what stands beside a slider.
func (c Control) Shown() string {
	if c.Stops != nil {
		return c.Stops[int(c.Value)]
	}
	return strings.Replace(strconv.FormatFloat(c.Value, 'f', -1, 64), "-", "−", 1) + c.Unit
}

// Names returns the names of the stops as one string.
func (c Control) Names() string { return strings.Join(c.Stops, "|") }

// Chosen returns the place of the option that is chosen.
func (c Control) Chosen() int { return int(c.Value) }
