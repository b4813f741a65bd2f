package eval

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
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
