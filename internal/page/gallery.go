package page

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image"
	"image/jpeg"
	"strings"

	"github.com/disintegration/imaging"
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

// nameParts cuts a name where a line may end: behind slashes and underscores.
func nameParts(name string) []string {
	var parts []string
	for name != "" {
		n := strings.IndexAny(name, "/_") + 1
		if n == 0 {
			n = len(name)
		}
		parts, name = append(parts, name[:n]), name[n:]
	}
	return parts
}

// thumbQuality is that of the JPEGs of Shrink.
const thumbQuality = 80

// Shrink returns a photograph as a JPEG of at most side x side pixels, or nil if it cannot be written.
func Shrink(img image.Image, side int) []byte {
	var b bytes.Buffer
	if jpeg.Encode(&b, imaging.Fit(img, side, side, imaging.Linear), &jpeg.Options{Quality: thumbQuality}) != nil {
		return nil
	}
	return b.Bytes()
}
