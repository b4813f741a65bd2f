package page

import (
	"encoding/base64"
	"html/template"
)

// Thumb is a small photograph with its name and a word about it.
type Thumb struct {
	JPEG   []byte // nil: it cannot be shown
	Name   string
	Detail string
}

// Thumbs are photographs that belong together, and why.
type Thumbs struct {
	Caption string
	Images  []Thumb
}

// Gallery is groups of photographs, side by side where there is room.
type Gallery []Thumbs

func (Gallery) template() string { return "gallery" }

// Source returns the photograph as the source of an <img>.
func (t Thumb) Source() template.URL {
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(t.JPEG))
}
