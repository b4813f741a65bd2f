package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/calibrate"
	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
)

type calibrateCmd struct {
	Scores string `arg:"" name:"scores" help:"Scores to choose on: a score file (label,score), or a folder that fv-eval verify wrote."`
	Test   string `arg:"" optional:"" name:"test" help:"Other scores, to say what the choice does there. Default: the same ones, which is optimistic."`

	ThresholdFor string `name:"threshold-for" placeholder:"WHAT" help:"Choose a threshold: far=RATE keeps the false accept rate at or below RATE, frr=RATE the false reject rate, eer makes them equal, llr=VALUE takes a log-likelihood ratio. Default: none."`
	Table        string `placeholder:"FILE.csv" help:"File to write the table from score to log-likelihood ratio to. Default: it is printed."`
	Rows         int    `default:"21" help:"Rows of the table. Default: ${default}."`
}

// calibrateFile is what --json prints.
type calibrateFile struct {
	Version string `json:"version"`
	Command string `json:"command"`
	Scores  string `json:"scores"`
	Test    string `json:"test"` // "" where the scores are their own test
	// Logistic is null where the scores are separated: see Warnings.
	Logistic  *calibrate.Linear `json:"logistic"` // LLR = slope*score + offset, natural logarithm
	Chosen    calibrationCost   `json:"on_scores"`
	Tested    calibrationCost   `json:"on_test"`
	Threshold *chosenThreshold  `json:"threshold"`
	Table     []llrRow          `json:"table"`
	Warnings  []string          `json:"warnings"`
}

// calibrationCost is in bits; Cllr is null without a logistic calibration.
type calibrationCost struct {
	Genuine  int      `json:"genuine"`
	Impostor int      `json:"impostor"`
	Cllr     *float64 `json:"cllr"`
	MinCllr  float64  `json:"min_cllr"`
}

// chosenThreshold was chosen on one set; its rates are those of both.
type chosenThreshold struct {
	For       string         `json:"for"`
	Threshold eval.Threshold `json:"threshold"`
	FAR       eval.Rate      `json:"far"`
	FRR       eval.Rate      `json:"frr"`
	TestFAR   eval.Rate      `json:"test_far"`
	TestFRR   eval.Rate      `json:"test_frr"`
}

type llrRow struct {
	Score    float64 `json:"score"`
	Logistic *llr    `json:"llr_logistic"` // null without a logistic calibration
	PAV      llr     `json:"llr_pav"`
}

// llr may be infinite, which JSON writes as a string.
type llr float64

func (x llr) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(x), 0) {
		return json.Marshal(x.text('g', -1))
	}
	return json.Marshal(float64(x))
}

func (x llr) text(format byte, digits int) string {
	switch {
	case math.IsInf(float64(x), 1):
		return "+inf"
	case math.IsInf(float64(x), -1):
		return "-inf"
	}
	return strconv.FormatFloat(float64(x), format, digits, 64)
}

// scoreSet is scores in the forms that the commands want.
type scoreSet struct {
	scores []float64
	pairs  *eval.Pairs
	roc    *eval.ROC
	split  calibrate.Scores
}

// scoreFile returns the score file that an argument or a flag names, itself or by the folder of results that it lies in.
func scoreFile(argument, path string) (string, error) {
	if err := cli.Exists(argument, path, "a score file (label,score), or a folder that fv-eval verify wrote"); err != nil {
		return "", err
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, "scores.csv")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return "", cli.WithHint(cli.Usagef("%s: %s: no such file; want a score file, or a folder with one", argument, path), "fv-eval verify --out writes such folders")
		}
	}
	return path, nil
}

// readScoreSet reads a score file, or that of a folder of results.
func readScoreSet(path string) (*scoreSet, error) {
	path, err := scoreFile("SCORES", path)
	if err != nil {
		return nil, err
	}
	scores, pairs, err := eval.ReadScores(path)
	if err != nil {
		return nil, err
	}
	s := &scoreSet{scores: scores, pairs: pairs}
	if s.roc, err = eval.NewROC(scores, pairs.Same()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.split, err = calibrate.Split(scores, pairs.Same())
	return s, err
}

func (c *calibrateCmd) Run(e *env) error {
	if c.Rows < 2 || c.Rows > 1e6 {
		return cli.Usagef("--rows %d: want 2 to 1000000", c.Rows)
	}
	choose, err := c.choice()
	if err != nil {
		return err
	}
	set, err := readScoreSet(c.Scores)
	if err != nil {
		return err
	}
	test := set
	if c.Test != "" {
		if test, err = readScoreSet(c.Test); err != nil {
			return err
		}
	}
	doc := &calibrateFile{Version: cli.Version(), Command: commandLine(e.args), Scores: c.Scores, Test: c.Test, Warnings: []string{}}
	linear, err := calibrate.NewLinear(set.split)
	if errors.Is(err, calibrate.ErrSeparated) {
		doc.Warnings = append(doc.Warnings, err.Error())
	} else if err != nil {
		return err
	} else {
		doc.Logistic = &linear
		if linear.Slope < 0 {
			doc.Warnings = append(doc.Warnings, "the slope is negative: higher scores speak for two people; are the labels swapped, or is a distance given as a score?")
		}
	}
	if c.Test == "" {
		doc.Warnings = append(doc.Warnings, "chosen and tested on the same scores: optimistic; give other scores as a second argument")
	}
	doc.Chosen, doc.Tested = doc.cost(set), doc.cost(test)
	if choose != nil {
		threshold, err := choose(set.roc, doc.Logistic)
		if err != nil {
			return err
		}
		t := &chosenThreshold{For: c.ThresholdFor, Threshold: eval.NewThreshold(threshold)}
		t.FAR, t.FRR = set.roc.At(threshold)
		t.TestFAR, t.TestFRR = test.roc.At(threshold)
		doc.Threshold = t
	}
	doc.table(set, c.Rows)
	doc.print(e.text(), c.Table == "")
	if c.Table != "" {
		if err := os.MkdirAll(filepath.Dir(c.Table), 0o755); err != nil {
			return err
		}
		if err := atomicfile.Write(c.Table, doc.writeTable); err != nil {
			return err
		}
		fmt.Fprintf(e.text(), "\nwritten: %s\n", c.Table)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, doc)
	}
	return nil
}

// choice returns how --threshold-for chooses, nil if it does not.
func (c *calibrateCmd) choice() (func(*eval.ROC, *calibrate.Linear) (float64, error), error) {
	if c.ThresholdFor == "" {
		return nil, nil
	}
	name, text, _ := strings.Cut(c.ThresholdFor, "=")
	value, err := strconv.ParseFloat(text, 64)
	bad := cli.Usagef("--threshold-for %s: want far=RATE, frr=RATE, eer or llr=VALUE, as in far=1e-3", c.ThresholdFor)
	isRate := err == nil && value > 0 && value < 1
	switch {
	case name == "eer" && text == "":
		return func(r *eval.ROC, _ *calibrate.Linear) (float64, error) { return r.EER().Point.Threshold, nil }, nil
	case name == "far" && isRate:
		return func(r *eval.ROC, _ *calibrate.Linear) (float64, error) {
			p := r.AtFAR(value)
			if !p.Resolved {
				return 0, fmt.Errorf("--threshold-for far=%g: not resolved by the %d impostor pairs of %s; the smallest rate that they tell apart is %.2g", value, r.Impostors, c.Scores, 1/float64(r.Impostors))
			}
			return p.Threshold.Score, nil
		}, nil
	case name == "frr" && isRate:
		return func(r *eval.ROC, _ *calibrate.Linear) (float64, error) {
			if value < 1/float64(r.Genuine) {
				return 0, fmt.Errorf("--threshold-for frr=%g: not resolved by the %d genuine pairs of %s; the smallest rate that they tell apart is %.2g", value, r.Genuine, c.Scores, 1/float64(r.Genuine))
			}
			for _, p := range r.Points { // thresholds descend: the first that refuses few enough is the highest
				if float64(r.Genuine-p.TrueAccepts) <= value*float64(r.Genuine) {
					return p.Threshold, nil
				}
			}
			panic("fv-eval: no threshold accepts all") // the last point does
		}, nil
	case name == "llr" && err == nil && !math.IsNaN(value) && !math.IsInf(value, 0):
		return func(_ *eval.ROC, l *calibrate.Linear) (float64, error) {
			if l == nil || !(l.Slope > 0) {
				return 0, fmt.Errorf("--threshold-for llr=%g: logistic regression gives no rising LLR for %s", value, c.Scores)
			}
			return (value - l.Offset) / l.Slope, nil
		}, nil
	}
	return nil, bad
}

func (d *calibrateFile) cost(s *scoreSet) calibrationCost {
	cost := calibrationCost{Genuine: s.roc.Genuine, Impostor: s.roc.Impostors, MinCllr: calibrate.MinCllr(s.split)}
	if d.Logistic != nil {
		cllr := calibrate.Cllr(d.Logistic, s.split)
		cost.Cllr = &cllr
	}
	return cost
}

// table takes scores evenly from the lowest to the highest.
func (d *calibrateFile) table(s *scoreSet, rows int) {
	high, low := s.roc.Points[1].Threshold, s.roc.Points[len(s.roc.Points)-1].Threshold
	pav := calibrate.NewPAV(s.split)
	for i := range rows {
		row := llrRow{Score: low + (high-low)*float64(i)/float64(rows-1)}
		if d.Logistic != nil {
			x := llr(d.Logistic.LLR(row.Score))
			row.Logistic = &x
		}
		row.PAV = llr(pav.LLR(row.Score))
		d.Table = append(d.Table, row)
	}
}

func (d *calibrateFile) writeTable(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"score", "llr_logistic", "llr_pav"}) // errors stay until Error
	for _, r := range d.Table {
		logistic := ""
		if r.Logistic != nil {
			logistic = r.Logistic.text('g', -1)
		}
		out.Write([]string{llr(r.Score).text('g', -1), logistic, r.PAV.text('g', -1)})
	}
	out.Flush()
	return out.Error()
}

func (d *calibrateFile) print(w io.Writer, table bool) {
	for _, warning := range d.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if l := d.Logistic; l != nil {
		fmt.Fprintf(w, "LLR = %.6g * score %+.6g (natural logarithm, logistic regression)\n", l.Slope, l.Offset)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  scores\tgenuine\timpostor\tCllr (bits)\tminCllr\tcalibration loss")
	line := func(name string, c calibrationCost) {
		if c.Cllr == nil {
			fmt.Fprintf(t, "  %s\t%d\t%d\t-\t%.4f\t-\n", name, c.Genuine, c.Impostor, c.MinCllr)
			return
		}
		fmt.Fprintf(t, "  %s\t%d\t%d\t%.4f\t%.4f\t%.4f\n", name, c.Genuine, c.Impostor, *c.Cllr, c.MinCllr, *c.Cllr-c.MinCllr)
	}
	line(d.Scores, d.Chosen)
	if d.Test != "" {
		line(d.Test, d.Tested)
	}
	t.Flush()
	if c := d.Threshold; c != nil {
		u := c.Threshold
		fmt.Fprintf(w, "\nthreshold for %s: score %.6g", c.For, u.Score)
		if !math.IsNaN(u.Angle) {
			fmt.Fprintf(w, "   angle %.2f° (%.4f rad)   squared L2 %.4f", u.Degrees, u.Angle, u.SquaredL2)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\n  on\tfalse accepts\tFAR (95 %)\tfalse rejects\tFRR (95 %)")
		line := func(name string, far, frr eval.Rate) {
			fmt.Fprintf(t, "  %s\t%d/%d\t%s\t%d/%d\t%s\n", name, far.Count, far.Total, rate(far), frr.Count, frr.Total, rate(frr))
		}
		line(d.Scores, c.FAR, c.FRR)
		if d.Test != "" {
			line(d.Test, c.TestFAR, c.TestFRR)
		}
		t.Flush()
	}
	if !table {
		return
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\n  score\tLLR, logistic\tLLR, PAV\t")
	for _, r := range d.Table {
		logistic := "-"
		if r.Logistic != nil {
			logistic = r.Logistic.text('f', 3)
		}
		fmt.Fprintf(t, "  %.4f\t%s\t%s\t\n", r.Score, logistic, r.PAV.text('f', 3))
	}
	t.Flush()
}
