package pipeline

import (
	_ "embed"
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/page"
)

const degrees = 180 / math.Pi

// LiveScript is the script of the pages that Live makes.
//
//go:embed live.js
var LiveScript string

// angleText is the angle of a cosine for people.
func angleText(cosine float64) string { return fmt.Sprintf("%.1f°", degrees*eval.Angle(cosine)) }

// Page returns the run as it is now, and a number that is another one after each event. A page that is kept has
// the histograms of all validations, one that is shown while the run goes on only the last ones.
func (l *Live) Page(keep bool) (p page.Page, version int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p = page.Page{
		Title: "Training", Subtitle: l.state, Lead: []page.Block{l.cards()}, Script: LiveScript,
		Footer: "Written by fv-train.", Style: liveStyle,
	}
	if l.start.Dir != "" {
		p.Title = "Training of " + l.start.Config.Backbone
		p.Subtitle = fmt.Sprintf("%s: %d images of %d people, %s, in %s", l.state, l.start.Images, l.start.Identities, l.start.Config.Objective(), l.start.Dir)
	}
	for _, w := range l.warnings {
		p.Lead = append(p.Lead, page.Note(w))
	}
	if len(l.loss.x) > 0 {
		figure := func(title string, s liveSeries) page.Figure {
			return page.Figure{Title: title, Alt: title, SVG: chart(title, "epoch", s.series)}
		}
		row := page.Row{figure("Loss", l.loss), figure("Images a second", l.speed)}
		if len(l.target.x) > 0 {
			row = append(row, figure("Angle to the own class, in degrees", l.target))
		}
		p.Sections = append(p.Sections, page.Section{ID: "loss", Title: "Training", Blocks: []page.Block{row}})
	}
	if len(l.frames) > 0 {
		p.Sections = append(p.Sections, l.angleSection(keep))
	}
	if len(l.vals) > 0 {
		p.Sections = append(p.Sections, validationSection(l.vals))
	}
	if len(l.hardest) > 0 {
		p.Sections = append(p.Sections, page.Section{ID: "hardest", Title: "Hardest pairs", Blocks: []page.Block{
			page.Text("Of the last validation: pairs of two people that look most alike to the network, and of one person that look least alike. Labels that are wrong are often among them."),
			l.hardest,
		}})
	}
	return p, l.version
}

func (l *Live) cards() page.Cards {
	s := l.progress
	left := ""
	if l.state == liveRunning {
		left = remaining(s.Remaining) + " left"
	}
	cards := page.Cards{
		{Label: "Step", Value: fmt.Sprint(max(s.Step, l.start.First)), Detail: fmt.Sprintf("of %d, epoch %.2f", l.start.Steps, s.Epoch)},
		{Label: "Loss", Value: fmt.Sprintf("%.3f", s.Loss), Detail: fmt.Sprintf("learning rate %.3g", s.LR)},
		{Label: "Speed", Value: fmt.Sprintf("%.0f images/s", s.ImagesPerSecond), Detail: left},
	}
	if v := l.best; v != nil {
		cards = append(cards, page.Card{Label: "Best AUC", Value: fmt.Sprintf("%.4f", v.AUC), Detail: fmt.Sprintf("step %d; accuracy %s", v.Step, percent(v.Accuracy))})
	}
	return cards
}

// angleSection shows the histograms of the last validation, and those of all behind a slider if they are to be kept.
func (l *Live) angleSection(keep bool) page.Section {
	var b strings.Builder
	var stops []string
	if !keep { // drawn when it came: whoever looks does not hold up the run
		fmt.Fprintf(&b, `<div class="frame">%s</div>`, l.last)
	} else {
		for i, f := range l.frames {
			hidden := ""
			if i < len(l.frames)-1 {
				hidden = " hidden"
			}
			fmt.Fprintf(&b, `<div class="frame"%s>%s</div>`, hidden, l.draw(f))
			stops = append(stops, fmt.Sprint("step ", f.step))
		}
	}
	picture := page.Figure{Title: "Angles of the validation pairs", Alt: "Histograms of angles", SVG: `<div id="frames">` + b.String() + `</div>`,
		Caption: "Between the embeddings of pairs of one person and of two. Training draws them apart; the dashed line is where both errors are equally frequent."}
	row := page.Row{picture}
	if l.roc != "" {
		row = append(row, page.Figure{Title: "ROC of the last validation", SVG: l.roc, Alt: "ROC curve",
			Caption: "True against false accept rate, the latter on a logarithmic axis down to what the pairs resolve."})
	}
	blocks := []page.Block{row}
	if len(stops) > 1 {
		last := float64(len(stops) - 1)
		blocks = append(blocks, page.Controls{{ID: "frame", Label: "After", Max: last, Step: 1, Value: last, Stops: stops}})
	}
	return page.Section{ID: "angles", Title: "How far apart strangers are", Blocks: blocks}
}

// draw returns a frame as SVG, on an axis that is the same for all: the picture moves and not its axis.
func (l *Live) draw(f angleFrame) string {
	top := 0.0
	for _, f := range l.frames {
		top = max(top, f.angles.Top())
	}
	title := fmt.Sprintf("after step %d", f.step)
	svg, err := eval.PlotAngles(f.angles, title, f.threshold, top).PageSVG("Histograms of the angles of positive and negative pairs " + title)
	if err != nil {
		return html.EscapeString(err.Error())
	}
	return svg
}

const liveStyle = `.js .controls { position: static; } .frame[hidden] { display: none; } .ended .subtitle { color: var(--warn); }`
