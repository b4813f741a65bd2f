package pipeline

import (
	"fmt"
	"io"
	"time"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/page"
)

// report writes report.html of a run that has ended.
func (t *trainer) report(r *Result, lines []logLine) error {
	c := &t.config
	p := page.Page{
		Title:    "Training of " + c.Backbone,
		Subtitle: fmt.Sprintf("%d images of %d people, %s, %.4g epochs", r.Images, r.Identities, c.Objective(), r.Epochs),
		Lead:     []page.Block{t.cards(r)},
		Footer:   "Written by fv-train.",
	}
	if r.BadImages > 0 {
		p.Lead = append(p.Lead, page.Note(fmt.Sprintf("%d images could not be read and were left out: %s names them.", r.BadImages, QuarantineFile)))
	}
	if len(lines) > 0 {
		p.Sections = append(p.Sections, lossSection(lines), featureSection(lines))
	}
	if len(t.Validations) > 0 {
		p.Sections = append(p.Sections, validationSection(t.Validations))
	}
	next := page.Section{ID: "next", Title: "What next", Blocks: []page.Block{
		page.Text("Measure the model on pairs of people that it has never seen, or compare two photographs:"),
		page.Code("fv-eval verify " + t.dir + " --images FOLDER --pairs PAIRS.txt"),
		page.Code("fv-eval same " + t.dir + " A.jpg B.jpg"),
	}}
	p.Sections = append(p.Sections, next, t.settings())
	err := atomicfile.Write(r.Report, func(w io.Writer) error { return p.Write(w) })
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

func (t *trainer) cards(r *Result) page.Cards {
	var cards page.Cards
	if v := r.Best; v != nil {
		cards = append(cards,
			page.Card{Label: "AUC", Value: fmt.Sprintf("%.4f", v.AUC), Detail: fmt.Sprintf("best validation, after step %d; 1 is perfect, 0.5 a guess", v.Step)},
			page.Card{Label: "Accuracy", Value: percent(v.Accuracy), Detail: "ten folds, protocol plain"},
			page.Card{Label: "EER", Value: percent(v.EER), Detail: "equal error rate; smaller is better"})
	}
	return append(cards,
		page.Card{Label: "Loss", Value: fmt.Sprintf("%.3f", r.Loss), Detail: fmt.Sprintf("of the last of %d steps", r.Steps)},
		page.Card{Label: "Speed", Value: fmt.Sprintf("%.0f images/s", r.ImagesPerSecond), Detail: fmt.Sprintf("%v of training; threads: %d", time.Duration(r.Seconds*float64(time.Second)).Round(time.Second), t.pool.Threads())})
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

func lossSection(lines []logLine) page.Section {
	var epoch, loss, rate, norm []float64
	for _, l := range lines {
		if l.Skipped != "" {
			continue
		}
		epoch, loss = append(epoch, l.Epoch), append(loss, l.Loss)
		rate, norm = append(rate, l.LR), append(norm, l.GradNorm)
	}
	figure := func(title, caption string, y []float64) page.Figure {
		return page.Figure{Title: title, Caption: caption, Alt: title, SVG: chart(title, "epoch", series{title, epoch, y, 0})}
	}
	return page.Section{ID: "loss", Title: "Loss", Blocks: []page.Block{
		figure("Loss", "The mean cross-entropy of a batch. With a margin it starts high and need not reach 0.", loss),
		page.Row{
			figure("Learning rate", "As the schedule says.", rate),
			figure("Norm of the gradient", "Of backbone and head together, before clipping.", norm),
		},
	}}
}

func validationSection(vs []Validation) page.Section {
	var step, auc, accuracy []float64
	table := page.Table{Head: []string{"step", "AUC", "accuracy", "EER", "TAR", "threshold (cosine)"}}
	for _, v := range vs {
		step, auc, accuracy = append(step, float64(v.Step)), append(auc, v.AUC), append(accuracy, v.Accuracy)
		tar := "—"
		if v.TAR != nil && v.FAR != nil {
			tar = fmt.Sprintf("%s at FAR %g", percent(*v.TAR), *v.FAR)
		}
		table.Rows = append(table.Rows, []string{
			fmt.Sprint(v.Step), fmt.Sprintf("%.4f", v.AUC), percent(v.Accuracy), percent(v.EER), tar, fmt.Sprintf("%.4f", v.Threshold),
		})
	}
	const title = "AUC and accuracy of validation"
	return page.Section{ID: "validation", Title: "Validation", Blocks: []page.Block{
		page.Text("On pairs of people that are not trained on. The model kept in `" + ModelFile + "` is that of the highest AUC."),
		page.Figure{Title: title, Caption: "Of pairs of people that are not trained on.", Alt: title,
			SVG: chart(title, "step", series{"AUC", step, auc, 0}, series{"accuracy", step, accuracy, 1})},
		table,
	}}
}

// settings is a list of all settings for each group, closed at first.
func (t *trainer) settings() page.Section {
	var blocks []page.Block
	var group string
	var fields page.Fields
	flush := func() {
		if len(fields) > 0 {
			blocks = append(blocks, page.Details{Summary: group, Blocks: []page.Block{fields}})
		}
		fields = nil
	}
	for _, f := range t.config.Fields() {
		if f.Group != group {
			flush()
			group = f.Group
		}
		if f.Value != "" {
			fields = append(fields, page.Field{Name: f.Name, Value: f.Value})
		}
	}
	flush()
	return page.Section{ID: "settings", Title: "Settings", Blocks: blocks}
}
