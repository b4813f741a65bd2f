package pipeline

import "github.com/faceverify/fv/internal/page"

// featureSection shows how embeddings and class weights lie, step by step.
func featureSection(lines []logLine) page.Section {
	length, target, other := series{name: "length"}, series{name: "own class"}, series{name: "nearest other class", color: 1}
	smallest, middle := series{name: "smallest", color: 1}, series{name: "mean"}
	for _, l := range lines {
		length.add(l.Epoch, l.FeatureNorm)
		if l.TargetAngle != nil {
			target.add(l.Epoch, degrees**l.TargetAngle)
		}
		if l.OtherAngle != nil {
			other.add(l.Epoch, degrees**l.OtherAngle)
		}
		if c := l.Classes; c != nil {
			smallest.add(l.Epoch, degrees*c.Smallest)
			middle.add(l.Epoch, degrees*c.Mean)
		}
	}
	figure := func(title, caption string, curves ...series) page.Figure {
		return page.Figure{Title: title, Caption: caption, Alt: title, SVG: chart(title, "epoch", curves...)}
	}
	figures := page.Row{figure("Length of the embeddings", "Mean over the images of a step, before any head gives them another length.", length)}
	if len(target.x) > 0 {
		curves := []series{target}
		if len(other.x) > 0 {
			curves = append(curves, other)
		}
		figures = append(figures, figure("Angles to class weights, in degrees",
			"Means over the images of a step: to the weight of the own class, and of some images to the nearest weight of another class. Training opens the gap between them.", curves...))
	}
	if len(smallest.x) > 0 {
		figures = append(figures, figure("Angles between classes, in degrees",
			"From each class's weight to the nearest other one: the mean, and the smallest.", middle, smallest))
	}
	return page.Section{ID: "features", Title: "Embeddings and classes", Blocks: []page.Block{figures}}
}

func (s *series) add(x, y float64) { s.x, s.y = append(s.x, x), append(s.y, y) }
