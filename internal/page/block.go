package page

import (
	"encoding/base64"
	"html/template"
	"strings"
)

// Text is a paragraph. What stands between two backquotes is set as code.
type Text string

// Code is text to copy, such as a command line.
type Code string

// Note is a paragraph that must not be missed: a warning.
type Note string

// Card is one number that matters, with what it is and a line of detail.
type Card struct{ Label, Value, Detail string }

// Cards stand side by side.
type Cards []Card

// Table is a table. It scrolls sideways by itself where it does not fit.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
	// Text is how many columns from the left hold text; the others hold numbers and
	// are set flush right.
	Text int
}

// Figure is a picture with what it means.
type Figure struct {
	Title   string
	Caption string
	Alt     string // the picture in words
	SVG     string // an <svg> element; or
	PNG     []byte // a picture
	File    string // the same picture as a file beside the page, for Markdown; "" if there is none
}

// Row shows figures side by side where there is room, else below each other.
type Row []Figure

// Columns shows blocks side by side where there is room, else below each other.
type Columns []Block

// Switch shows one of several views of a picture, the first until another is chosen; on paper it shows
// all.
type Switch struct {
	ID    string // unique in the page
	Title string
	Views []View
}

// View is what a switch shows under a name.
type View struct {
	Name string
	Figure
}

// Field is a named value of [Fields].
type Field struct{ Name, Value string }

// Fields is a list of settings.
type Fields []Field

// Details are blocks that open on demand.
type Details struct {
	Summary string
	Blocks  []Block
}

func (Text) template() string    { return "text" }
func (Code) template() string    { return "code" }
func (Note) template() string    { return "note" }
func (Cards) template() string   { return "cards" }
func (Table) template() string   { return "table" }
func (Figure) template() string  { return "figure" }
func (Row) template() string     { return "row" }
func (Columns) template() string { return "columns" }
func (Switch) template() string  { return "switch" }
func (Fields) template() string  { return "fields" }
func (Details) template() string { return "details" }

// draw renders a block with its template.
func draw(b Block) (template.HTML, error) {
	var out strings.Builder
	err := pages.ExecuteTemplate(&out, b.template(), b)
	return template.HTML(out.String()), err
}

// Numeric reports whether column i holds numbers.
func (t Table) Numeric(i int) bool { return i >= t.Text }

// Picture returns the figure's picture as HTML.
func (f Figure) Picture() template.HTML {
	if f.SVG != "" {
		return template.HTML(f.SVG)
	}
	return template.HTML(`<img alt="` + template.HTMLEscapeString(f.Alt) + `" src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(f.PNG) + `"/>`)
}

// span is a run of text or of code.
type span struct {
	Text string
	Code bool
}

// Short reports whether a line should not end within the text: that of a flag would, behind its dashes.
func (s span) Short() bool { return len(s.Text) <= 24 }

// splitCode cuts text at backquotes: every second piece is code.
func splitCode(t Text) []span {
	var spans []span
	for i, s := range strings.Split(string(t), "`") {
		if s != "" {
			spans = append(spans, span{s, i%2 == 1})
		}
	}
	return spans
}
