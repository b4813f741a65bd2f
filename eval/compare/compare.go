// Package compare says whether two systems that scored the same pairs differ by more than chance.
package compare

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/faceverify/fv/eval"
)

// McNemar is a test on pairs that both systems decided: under the hypothesis that they are equally
// good, a pair that only one has right is as likely to be the one's as the other's.
type McNemar struct {
	OnlyA int `json:"only_a"` // pairs that only the first has right
	OnlyB int `json:"only_b"`
	// P is the exact two-sided p-value, min(1, 2 P(X <= min(OnlyA, OnlyB))) with X ~ Binomial(OnlyA+OnlyB, 1/2);
	// 1 where they decide all alike. It takes pairs for independent, which those that share a
	// person are not: see Difference.
	P float64 `json:"p"`
}

// NewMcNemar counts pairs that one system has right and the other wrong. It panics if the
// lengths differ.
func NewMcNemar(a, b []bool) McNemar {
	if len(a) != len(b) {
		panic(fmt.Sprintf("compare: decisions on %d and %d pairs", len(a), len(b)))
	}
	var m McNemar
	for i, right := range a {
		switch {
		case right && !b[i]:
			m.OnlyA++
		case !right && b[i]:
			m.OnlyB++
		}
	}
	m.P = 1
	if n, k := m.OnlyA+m.OnlyB, min(m.OnlyA, m.OnlyB); 2*k < n {
		// P(X <= k) is the regularised incomplete beta function at 1/2.
		m.P = math.Min(1, 2*mathext.RegIncBeta(float64(n-k), float64(k+1), 0.5))
	}
	return m
}

// Difference is one quantity of two systems, and their difference B-A with a 95 % interval of a
// bootstrap that draws the same people for both.
type Difference struct {
	Quantity string  `json:"quantity"`
	A        float64 `json:"a"`
	B        float64 `json:"b"`
	// Interval is null without a bootstrap; P is the two-sided bootstrap p-value, 2 (k + 1)/(n + 1) where k of n
	// replicates are on the rarer side of 0. Where none is, more replicates may give less: PAtMost is then set.
	Interval *eval.Range `json:"interval"`
	P        *float64    `json:"p"`
	PAtMost  bool        `json:"p_at_most"`
	// McNemar compares decisions; null for a quantity without a threshold.
	McNemar *McNemar `json:"mcnemar"`
}

// Comparison is two systems on the same pairs.
type Comparison struct {
	A           string       `json:"a"`
	B           string       `json:"b"`
	Replicates  int          `json:"replicates"`
	NoIntervals string       `json:"no_bootstrap"` // why there are no intervals, "" if there are or none were asked for
	Differences []Difference `json:"differences"`
}

// System is one system's scores of the pairs.
type System struct {
	Name   string
	Scores []float64
	ROC    *eval.ROC
}

// Options says what to compare. The zero value compares AUC and EER without a bootstrap.
type Options struct {
	FARs      []float64 // TARs at these are compared, where the pairs resolve them
	Bootstrap int       // replicates, see [eval.Replicates]
	Seed      uint64
}

// New compares two systems on pairs, each at its own thresholds:
//
//   - AUC, and EER with McNemar's test on all pairs, each system at the threshold of its EER;
//   - TAR at each FAR, with McNemar's test on the genuine pairs.
//
// It panics if the numbers of scores and pairs differ.
func New(a, b System, pairs *eval.Pairs, o Options) *Comparison {
	if len(a.Scores) != len(pairs.Pairs) || len(b.Scores) != len(pairs.Pairs) {
		panic(fmt.Sprintf("compare: %d and %d scores of %d pairs", len(a.Scores), len(b.Scores), len(pairs.Pairs)))
	}
	quantities := []quantity{
		{"AUC", (*eval.ROC).AUC, nil, false},
		{"EER", func(r *eval.ROC) float64 { return r.EER().Value }, func(r *eval.ROC) float64 { return r.EER().Point.Threshold }, false},
	}
	for _, far := range o.FARs {
		if far*float64(a.ROC.Impostors) < 1 {
			continue
		}
		quantities = append(quantities, quantity{
			fmt.Sprintf("TAR at FAR ≤ %g", far),
			func(r *eval.ROC) float64 { return r.TAR(r.PointAtFAR(far)) },
			func(r *eval.ROC) float64 { return r.PointAtFAR(far).Threshold },
			true,
		})
	}
	c := &Comparison{A: a.Name, B: b.Name}
	var differences [][]float64
	if n := eval.Replicates(o.Bootstrap, len(a.Scores)); o.Bootstrap > 0 {
		if boot, err := eval.NewBootstrap(pairs, o.Seed); err != nil {
			c.NoIntervals = err.Error()
		} else {
			va, measured := replicates(boot, n, a.Scores, quantities)
			vb, _ := replicates(boot, n, b.Scores, quantities)
			c.Replicates = measured
			for i := range quantities {
				d := make([]float64, n)
				for k := range d {
					d[k] = vb[i][k] - va[i][k]
				}
				differences = append(differences, d)
			}
		}
	}
	same := pairs.Same()
	for i, q := range quantities {
		d := Difference{Quantity: q.name, A: q.value(a.ROC), B: q.value(b.ROC)}
		if q.threshold != nil {
			m := NewMcNemar(q.right(a, same), q.right(b, same))
			d.McNemar = &m
		}
		if c.Replicates > 0 {
			in := eval.PercentileRange(differences[i])
			p, atMost := bootstrapP(differences[i])
			d.Interval, d.P, d.PAtMost = &in, &p, atMost
		}
		c.Differences = append(c.Differences, d)
	}
	return c
}

// quantity is something that a curve has.
type quantity struct {
	name      string
	value     func(*eval.ROC) float64
	threshold func(*eval.ROC) float64 // nil for none
	genuine   bool                    // decisions on genuine pairs only are compared
}

// right says which pairs a system decides rightly at the quantity's threshold.
func (q quantity) right(s System, same []bool) []bool {
	threshold := q.threshold(s.ROC)
	var out []bool
	for i, score := range s.Scores {
		if same[i] || !q.genuine {
			out = append(out, (score >= threshold) == same[i])
		}
	}
	return out
}

// replicates returns values[quantity][replicate], NaN where a replicate has none.
func replicates(b *eval.Bootstrap, n int, scores []float64, quantities []quantity) (values [][]float64, measured int) {
	for range quantities {
		v := make([]float64, n)
		for k := range v {
			v[k] = math.NaN()
		}
		values = append(values, v)
	}
	measured = b.Run(n, scores, func(k int, r *eval.ROC) {
		for i, q := range quantities {
			values[i][k] = q.value(r)
		}
	})
	return values, measured
}

// bootstrapP returns the two-sided p-value, and whether it is the least that so many replicates can give.
func bootstrapP(differences []float64) (p float64, least bool) {
	var below, above, n float64
	for _, d := range differences {
		if math.IsNaN(d) {
			continue
		}
		n++
		if d <= 0 {
			below++
		}
		if d >= 0 {
			above++
		}
	}
	k := math.Min(below, above)
	return math.Min(1, 2*(k+1)/(n+1)), k == 0
}
