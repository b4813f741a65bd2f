package eval

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// scoreColumns are the columns of a score file. label is 1 for one person, 0 for two;
// a, b and fold may be missing when a file is read; fold counts from 1.
var scoreColumns = []string{"label", "score", "a", "b", "fold"}

// WriteScores writes one line a pair: label,score,a,b,fold with a header. Scores are
// written so that reading them gives the same bits.
func WriteScores(w io.Writer, scores []float64, pairs *Pairs) error {
	if len(scores) != len(pairs.Pairs) {
		panic(fmt.Sprintf("eval: %d scores, %d pairs", len(scores), len(pairs.Pairs)))
	}
	out := csv.NewWriter(w)
	out.Write(scoreColumns) // errors stay until Error
	for i, p := range pairs.Pairs {
		label := "0"
		if p.Same {
			label = "1"
		}
		out.Write([]string{label, strconv.FormatFloat(scores[i], 'g', -1, 64), p.A, p.B, strconv.Itoa(p.Fold + 1)})
	}
	out.Flush()
	return out.Error()
}

// ReadScores reads the score file at path. See [ParseScores].
func ReadScores(path string) ([]float64, *Pairs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return ParseScores(f, path)
}

// ParseScores reads a CSV file with a header that has the columns label (1 or 0) and score,
// and may have a, b and fold, in any order; other columns are ignored. Without folds
// the k-th tenth of each kind is made fold k. Errors name file and line; a score that is
// not finite is one.
func ParseScores(r io.Reader, name string) ([]float64, *Pairs, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: no header; want \"label,score,a,b,fold\", of which the first two are needed: %w", name, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))] = i
	}
	for _, column := range scoreColumns[:2] {
		if _, ok := at[column]; !ok {
			return nil, nil, fmt.Errorf("%s:1: the header has no column %q; want \"label,score,a,b,fold\", of which the first two are needed", name, column)
		}
	}
	foldColumn, hasFolds := at["fold"]
	pairs := &Pairs{Name: name, Folds: 1}
	var scores []float64
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		bad := func(column, want string) error {
			return fmt.Errorf("%s:%d: %s %q: want %s", name, line, column, record[at[column]], want)
		}
		pair := Pair{Line: line}
		switch strings.TrimSpace(record[at["label"]]) {
		case "1", "true", "True":
			pair.Same = true
		case "0", "false", "False":
		default:
			return nil, nil, bad("label", "1 (one person) or 0 (two people)")
		}
		score, err := strconv.ParseFloat(strings.TrimSpace(record[at["score"]]), 64)
		if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
			return nil, nil, bad("score", "a finite number")
		}
		if hasFolds {
			fold, err := strconv.Atoi(strings.TrimSpace(record[foldColumn]))
			if err != nil || fold < 1 || fold > 10000 {
				return nil, nil, bad("fold", "a number from 1")
			}
			pair.Fold = fold - 1
			pairs.Folds = max(pairs.Folds, fold)
		}
		if i, ok := at["a"]; ok {
			pair.A = strings.Clone(record[i])
		}
		if i, ok := at["b"]; ok {
			pair.B = strings.Clone(record[i])
		}
		scores = append(scores, score)
		pairs.Pairs = append(pairs.Pairs, pair)
	}
	if !hasFolds {
		pairs.CutFolds(view1Folds)
	}
	return scores, pairs, nil
}

// CutFolds makes the k-th of n parts of the genuine and of the impostor pairs, in their
// order, fold k; fewer folds if there are fewer pairs of a kind.
func (p *Pairs) CutFolds(n int) {
	var total, seen [2]int
	for _, pair := range p.Pairs {
		total[kind(pair.Same)]++
	}
	p.Folds = max(1, slices.Min([]int{n, total[0], total[1]}))
	for i := range p.Pairs {
		k := kind(p.Pairs[i].Same)
		p.Pairs[i].Fold = seen[k] * p.Folds / total[k]
		seen[k]++
	}
}

// kind is the index of a pair's kind in counts: 0 impostor, 1 genuine.
func kind(same bool) int {
	if same {
		return 1
	}
	return 0
}
