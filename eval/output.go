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
//	error-rates.png, .svg       FMR and FNMR of the first result against the threshold
//	angles.png, angles.svg      angle histograms of the first result, if it has angles
//	scores.csv                  the first result's scores, if it has them: label,score,a,b,fold
//	report.html                 see [Report]
//
// It returns the names of the files. Every file is whole or not there.
func WriteOutputs(dir string, o ReportOptions) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	save := func(name string, write func(io.Writer) error) error {
		names = append(names, name)
		return atomicfile.Write(filepath.Join(dir, name), write)
	}
	picture := func(name string, p *Picture) error {
		if err := save(name+".png", p.WritePNG); err != nil {
			return err
		}
		return save(name+".svg", p.WriteSVG)
	}
	curves, own := report{o}.curves()
	if err := picture("roc", PlotROC(curves, own, false)); err != nil {
		return nil, err
	}
	if err := picture("roc-log", PlotROC(curves, own, true)); err != nil {
		return nil, err
	}
	if err := picture("det", PlotDET(curves, own)); err != nil {
		return nil, err
	}
	first := o.Results[0].Result
	if err := picture("error-rates", PlotErrorRates(first.ROC)); err != nil {
		return nil, err
	}
	if first.Angles != nil {
		if err := picture("angles", PlotAngles(first.Angles, "", first.EER.Threshold.Angle, 0)); err != nil {
			return nil, err
		}
	}
	if first.Scores != nil {
		if err := save("scores.csv", func(w io.Writer) error { return WriteScores(w, first.Scores, first.Pairs) }); err != nil {
			return nil, err
		}
	}
	if err := save("report.html", func(w io.Writer) error { return Report(w, o) }); err != nil {
		return nil, err
	}
	return names, nil
}
