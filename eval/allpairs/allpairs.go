package allpairs

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
)

// Options says what to measure. The zero value is usable.
type Options struct {
	FARs    []float64 // false accept rates to report; default [DefaultFARs]
	Hardest int       // how many of the hardest genuine and impostor pairs to list; default none
	Threads int       // default one for each processor
	// Progress, if not nil, is told how many of the pairs are scored.
	Progress func(done, total int)
}

// DefaultFARs are the false accept rates reported when none are asked for: all pairs resolve
// smaller ones than a list of pairs does.
func DefaultFARs() []float64 { return []float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6} }

// Result is all pairs measured. Rates are shares of 1, angles radians unless the key says degrees.
type Result struct {
	N          int `json:"n"`          // embeddings; of the gallery where there are two matrices
	Probes     int `json:"probes"`     // embeddings of the second matrix; 0 for one matrix
	Identities int `json:"identities"` // distinct ones
	Dim        int `json:"dim"`
	Pairs      int `json:"pairs"`
	Genuine    int `json:"genuine"`
	Impostor   int `json:"impostor"`

	// AUC is the middle of [AUCLow, AUCHigh], in which the AUC of the scores lies for certain;
	// AUCError is half its width.
	AUC      float64 `json:"auc"`
	AUCError float64 `json:"auc_error"`
	AUCLow   float64 `json:"auc_low"`
	AUCHigh  float64 `json:"auc_high"`

	// EER and OperatingPoints are exact at their thresholds, which are edges of bins.
	EER             eval.EERResult        `json:"eer"`
	BinWidth        float64               `json:"bin_width"` // of scores
	OperatingPoints []eval.OperatingPoint `json:"operating_points"`
	// Angles takes each pair at the centre of its bin.
	Angles *eval.Angles `json:"angles"`
	// AngularFisher is that of the embeddings, see [eval.AngularFisher]; null for two matrices, and
	// where it does not exist. It is not in Seconds.
	AngularFisher *float64 `json:"angular_fisher"`

	HardestGenuine  []Pair `json:"-"` // rows of the matrices, the hardest first
	HardestImpostor []Pair `json:"-"`

	// Seconds is the time from the matrix in memory to these numbers, GFLOPS the speed that the
	// products alone would have had in it.
	Seconds float64 `json:"seconds"`
	GFLOPS  float64 `json:"gflops"`
	Threads int     `json:"threads"`

	ROC *eval.ROC `json:"-"`
}

// Measure scores every pair of rows of m once. A row without an identity is an error.
func Measure(ctx context.Context, m *matrix.Matrix, o Options) (*Result, error) {
	return measure(ctx, m, m, o)
}

// Cross scores every row of gallery with every row of probes. Identities of the same name are
// the same person. It is an error if the dimensions differ.
func Cross(ctx context.Context, gallery, probes *matrix.Matrix, o Options) (*Result, error) {
	return measure(ctx, gallery, probes, o)
}

func measure(ctx context.Context, gallery, probes *matrix.Matrix, o Options) (*Result, error) {
	t, err := NewTally(gallery, probes, o)
	if err != nil {
		return nil, err
	}
	if err := t.Count(ctx, 0, 1, o.Progress); err != nil {
		return nil, err
	}
	return t.Result()
}

// span is a range of rows.
type span struct{ from, to int }

// side is a matrix with its rows of unit length and sorted by identity.
type side struct {
	n          int
	unit       []float32 // [n, dim]
	order      []int     // the row that each had in the matrix
	names      []string  // identities of the sorted rows
	identities map[string]span
	genuine    []span // of each row, the rows of the other side with its identity
}

func newSide(m *matrix.Matrix) (*side, error) {
	s := &side{n: m.Len(), unit: make([]float32, len(m.Data)), order: make([]int, m.Len()), identities: map[string]span{}}
	for i, identity := range m.Identities {
		if identity == "" {
			return nil, fmt.Errorf("%s has no identity; all pairs need to know who each image shows", m.Describe(i))
		}
		s.order[i] = i
	}
	slices.SortStableFunc(s.order, func(i, j int) int { return cmp.Compare(m.Identities[i], m.Identities[j]) })
	s.names = make([]string, s.n)
	for i, row := range s.order {
		if err := unit(s.unit[i*m.Dim:][:m.Dim], m.Row(row)); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Describe(row), err)
		}
		s.names[i] = m.Identities[row]
		at, ok := s.identities[s.names[i]]
		if !ok {
			at.from = i
		}
		at.to = i + 1
		s.identities[s.names[i]] = at
	}
	return s, nil
}

// match finds the rows of other that have the identities of s.
func (s *side) match(other *side) {
	s.genuine = make([]span, s.n)
	for i, identity := range s.names {
		s.genuine[i] = other.identities[identity]
	}
}

// unit writes x of length 1 to dst.
func unit(dst, x []float32) error {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return fmt.Errorf("the embedding has no direction: the sum of its squares is %v", sum)
	}
	scale := 1 / math.Sqrt(sum)
	for i, v := range x {
		dst[i] = float32(float64(v) * scale)
	}
	return nil
}
