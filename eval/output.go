package eval

import (
	"io"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/internal/atomicfile"
)

// WriteOutputs writes the pictures, scores and report of an evaluation to dir, which is
// made if needed:
//
//	roc.png, roc.svg            ROC, with the comparison curves
//	roc-log.png, roc-log.svg    the same with a logarithmic false accept rate
//	det.png, det.svg            DET on normal-deviate axes
//	error-rates.png, .svg       FMR and FNMR against the threshold, logarithmic; error-rates-linear linear
//	angles.png, angles.svg      angle histograms with densities, if the scores are cosines; angles-log logarithmic
//	angles-overlay.png, .svg    the densities of several results over each other
//	scores.csv                  the first result's scores, if it has them: label,score,a,b,fold
//	report.html                 see [Report]
//	report.md                   the same in Markdown, with links to the .png files
//
// The second result's error rates and angles are error-rates-2 and angles-2, and so on. It returns the names
// of the files. Every file is whole or not there.
func WriteOutputs(dir string, o ReportOptions) ([]string, error) {
	p, err := newReport(o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := &outputs{dir: dir}
	curves, own := report{o}.curves()
	w.curves(curves, own)
	for i, n := range o.Results {
		w.picture(numbered("error-rates", i), PlotErrorRates(n.Result.ROC, true))
		w.picture(numbered("error-rates-linear", i), PlotErrorRates(n.Result.ROC, false))
		if a := n.Result.Angles; a != nil {
			w.picture(numbered("angles", i), PlotAngles(a, "", n.Result.EER.Threshold.Angle, 0))
			w.picture(numbered("angles-log", i), PlotAnglesLog(a, "", n.Result.EER.Threshold.Angle))
		}
	}
	if p := PlotAnglesOverlay(o.Results); p != nil {
		w.picture("angles-overlay", p)
	}
	if first := o.Results[0].Result; first.Scores != nil {
		w.save("scores.csv", func(out io.Writer) error { return WriteScores(out, first.Scores, first.Pairs) })
	}
	w.save("report.html", p.Write)
	w.save("report.md", p.WriteMarkdown)
	return w.names, w.err
}

// WriteCurves draws curves alone to dir, which is made if needed: roc, roc-log and det, each as .png and
// .svg. It returns the names of the files.
func WriteCurves(dir string, curves []*Curve) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	w := &outputs{dir: dir}
	w.curves(curves, len(curves))
	return w.names, w.err
}

// outputs writes files until one fails.
type outputs struct {
	dir   string
	names []string
	err   error
}

func (o *outputs) save(name string, write func(io.Writer) error) {
	if o.err == nil {
		o.names = append(o.names, name)
		o.err = atomicfile.Write(filepath.Join(o.dir, name), write)
	}
}

func (o *outputs) picture(name string, p *Picture) {
	o.save(name+".png", p.WritePNG)
	o.save(name+".svg", p.WriteSVG)
}

func (o *outputs) curves(curves []*Curve, own int) {
	o.picture("roc", PlotROC(curves, own, false))
	o.picture("roc-log", PlotROC(curves, own, true))
	o.picture("det", PlotDET(curves, own))
}
