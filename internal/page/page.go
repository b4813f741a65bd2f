// Package page is the shared frame of every HTML page: one style, one file without
// anything from the network, light and dark, readable on a phone, complete without
// JavaScript and good on paper.
//
// A page is sections of blocks; a block is a value such as [Text], [Table] or [Figure].
// All text is escaped; only [Figure].SVG is taken as it is.
package page

import (
	_ "embed"
	"html/template"
	"io"
)

// Page is a whole page.
type Page struct {
	Title    string
	Subtitle string
	Lead     []Block // before the first section
	Sections []Section
	Footer   string
	Style    string // CSS beside the frame's own
	Data     []byte // JSON for the script, which finds it in the element "data"
	Script   string // JavaScript: it adds to a page that is complete without
}

// Section is a titled part of a page. Sections with titles make the table of contents.
type Section struct {
	ID     string // unique in the page: the anchor
	Title  string
	Blocks []Block
}

// Block is a piece of a page.
type Block interface {
	// template returns the name of the template that draws the block.
	template() string
}

var (
	//go:embed page.css
	css string
	//go:embed page.html.tmpl
	source string
)

var pages = template.New("page").Funcs(template.FuncMap{
	"css":   func() template.CSS { return template.CSS(css) },
	"style": func(s string) template.CSS { return template.CSS(s) },
	"js":    func(s string) template.JS { return template.JS(s) },
	"json":  func(b []byte) template.JS { return template.JS(b) },
	"split": splitCode,
	"parts": nameParts,
})

// init parses in two steps: draw calls back into the set of templates that it is a
// function of.
func init() {
	pages.Funcs(template.FuncMap{"draw": draw})
	template.Must(pages.Parse(source))
}

// Write writes the page as HTML.
func (p *Page) Write(w io.Writer) error { return pages.ExecuteTemplate(w, "page", p) }
