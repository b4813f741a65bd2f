// Package lecture illustrates the losses: one page of chapters, each with its formula, pictures and controls that move them. All
// pictures are drawn by Go from the functions of losses, losses/plain and losses/metric. The page carries these drawings
// and so is complete without a script; its script redraws what a control moves, and the package's tests hold what a browser then
// shows against the drawing that Go makes for the same position of the controls.
package lecture

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/losses/lecture/figure"
)

// The parts of the script, in their order.
var (
	//go:embed js/frame.js
	frameScript string
	//go:embed js/first.js
	firstScript string
	//go:embed js/angles.js
	anglesScript string
	//go:embed js/space.js
	spaceScript string
	//go:embed style.css
	sheet string
)

// values are the positions of a chapter's controls, by their IDs.
type values map[string]float64

// view is what a chapter shows for given values.
type view struct {
	row      []*figure.Figure // side by side where there is room
	pairs    bool             // whether they are small and belong together by twos
	readings page.Readings
}

// chapter is a section of the page.
type chapter struct {
	id, title string
	intro     []page.Block // before the pictures
	controls  page.Controls
	draw      func(v values) view
	data      any          // what the script needs of Go's numbers
	outro     []page.Block // after the readings
}

// start returns the values that the page opens with.
func (c *chapter) start() values {
	v := values{}
	for _, k := range c.controls {
		if !k.Button() {
			v[k.ID] = k.Value
		}
	}
	return v
}

// Lecture is the page with all that it needs.
type Lecture struct {
	chapters []*chapter
	nets     []*featureNet
}

// New computes the chapters. That trains five small networks, which takes some seconds; seed draws their data and weights.
// Progress, if not nil, is told what is being done.
func New(seed uint64, progress func(string)) (*Lecture, error) {
	if progress == nil {
		progress = func(string) {}
	}
	nets, err := trainFeatures(seed, progress)
	if err != nil {
		return nil, err
	}
	return &Lecture{nets: nets, chapters: []*chapter{
		descentChapter(), regressionChapter(), classesChapter(), misclassifiedChapter(), focalChapter(), tripletChapter(),
		targetsChapter(), biasChapter(), featuresChapter(seed, nets), regionsChapter(), planesChapter(), separationChapter(), steepnessChapter(),
	}}, nil
}

// Page returns the page. The footer says what made it.
func (l *Lecture) Page(footer string) (*page.Page, error) {
	p := &page.Page{
		Title:    "Losses, seen",
		Subtitle: "From gradient descent to angular margins: every curve is drawn from the functions that fv-train trains with",
		Style:    figure.StyleSheet() + sheet,
		Footer:   footer,
		Script:   frameScript + firstScript + anglesScript + spaceScript + "start();\n",
	}
	data := map[string]any{}
	for i, c := range l.chapters {
		v := c.draw(c.start())
		blocks := append([]page.Block(nil), c.intro...)
		var figures []page.Figure
		for _, f := range v.row {
			figures = append(figures, page.Figure{Title: f.Title, Caption: f.Caption, SVG: f.PageSVG()})
		}
		if v.pairs {
			blocks = append(blocks, page.Pairs(figures))
		} else {
			blocks = append(blocks, page.Row(figures))
		}
		if len(c.controls) > 0 {
			blocks = append(blocks, c.controls)
		}
		if len(v.readings) > 0 {
			blocks = append(blocks, v.readings)
		}
		p.Sections = append(p.Sections, page.Section{ID: c.id, Title: fmt.Sprintf("%c. %s", 'a'+i, c.title), Blocks: append(blocks, c.outro...)})
		if c.data != nil {
			data[c.id] = c.data
		}
	}
	var err error
	p.Data, err = json.Marshal(data)
	return p, err
}

// Pictures returns the pictures of all chapters as the page opens with them.
func (l *Lecture) Pictures() []*figure.Figure {
	var all []*figure.Figure
	for _, c := range l.chapters {
		all = append(all, c.draw(c.start()).row...)
	}
	return all
}

// Write writes the page as HTML.
func (l *Lecture) Write(w io.Writer, footer string) error {
	p, err := l.Page(footer)
	if err != nil {
		return err
	}
	return p.Write(w)
}

// fixed writes a number with so many decimals, and a real minus sign, as the script does.
func fixed(v float64, digits int) string {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return "–"
	}
	// Halfway, as 96.25 is with one decimal, Go rounds to even and JavaScript away from 0.
	exact := strings.TrimRight(strconv.FormatFloat(v, 'f', 60, 64), "0")
	if strings.HasSuffix(exact, "5") && len(exact)-strings.IndexByte(exact, '.')-1 == digits+1 {
		v = math.Nextafter(v, math.Copysign(math.Inf(1), v))
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", "−", 1)
}

// rounded returns numbers with so many decimals, which keeps the page short. Numbers that are none are null.
func rounded(x []float64, digits int) []json.RawMessage {
	out := make([]json.RawMessage, len(x))
	for i, v := range x {
		s := strconv.FormatFloat(v, 'f', digits, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		if s == "-0" || s == "" {
			s = "0"
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			s = "null"
		}
		out[i] = json.RawMessage(s)
	}
	return out
}

// significant returns numbers with so many digits.
func significant(x []float64, digits int) []json.RawMessage {
	out := make([]json.RawMessage, len(x))
	for i, v := range x {
		out[i] = json.RawMessage(strconv.FormatFloat(v, 'g', digits, 64))
	}
	return out
}

const degree = math.Pi / 180

type (
	xy    = figure.XY
	style = figure.Style
	axes  = figure.Axes
)
