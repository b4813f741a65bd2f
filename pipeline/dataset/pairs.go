package dataset

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/random"
)

// MaxPairs is the most genuine and the most impostor pairs that Set.Pairs makes: as many as
// LFW's View 2 has.
const MaxPairs = 3000

// folds is the number of folds of the pairs.
const folds = 10

// Pairs draws as many genuine as impostor pairs of the set's images, no pair twice, from the
// seed: min(MaxPairs, genuine pairs there are, impostor pairs there are) of each kind.
//
// Genuine pairs are drawn in rounds of one for each identity that has any left, impostor pairs
// in rounds of one for each two identities, so that people with many images do not outweigh
// others. Genuine pairs come first; the folds are those of a View 1 file. The paths are those of
// the samples. A set without genuine or without impostor pairs is an error.
func (s *Set) Pairs(seed uint64) (*eval.Pairs, error) {
	images := s.images()
	genuine := func(g int) int { return choose2(len(images[g])) }
	impostor := func(g int) int {
		a, b := pairAt(g)
		return len(images[a]) * len(images[b])
	}
	identities := len(images)
	n := min(available(identities, genuine), available(choose2(identities), impostor))
	if n == 0 {
		return nil, errors.New("no pairs to validate with: these need two identities, one of them with two images")
	}
	pairs := &eval.Pairs{Name: "pairs of held-out identities", Pairs: make([]eval.Pair, 0, 2*n)}
	draw(random.New(seed, random.Pairs, 0, 0), identities, genuine, n, func(g, k int) {
		i, j := pairAt(k)
		pairs.Pairs = append(pairs.Pairs, eval.Pair{A: images[g][i].Path, B: images[g][j].Path, Same: true})
	})
	draw(random.New(seed, random.Pairs, 0, 1), choose2(identities), impostor, n, func(g, k int) {
		a, b := pairAt(g)
		i, j := k%len(images[a]), k/len(images[a])
		pairs.Pairs = append(pairs.Pairs, eval.Pair{A: images[a][i].Path, B: images[b][j].Path})
	})
	pairs.CutFolds(folds)
	return pairs, nil
}

func choose2(n int) int { return n * (n - 1) / 2 }

// pairAt returns the k-th pair i < j in the order (0,1), (0,2), (1,2), (0,3) ...
func pairAt(k int) (i, j int) {
	j = int((1 + math.Sqrt(float64(1+8*k))) / 2)
	for choose2(j) > k { // the root may be rounded either way
		j--
	}
	for choose2(j+1) <= k {
		j++
	}
	return k - choose2(j), j
}

// available returns the sum of size over the groups, at most MaxPairs.
func available(groups int, size func(g int) int) int {
	n := 0
	for g := 0; g < groups && n < MaxPairs; g++ {
		n += size(g)
	}
	return min(n, MaxPairs)
}

// draw takes n of the elements 0 ... size(g)-1 of groups 0 ... groups-1, none twice, in
// rounds of one from each group that has any left. There must be n elements.
func draw(rng *rand.Rand, groups int, size func(g int) int, n int, take func(g, k int)) {
	type group struct {
		g    int
		left *shuffle
	}
	var open []group
	order := newShuffle(groups)
	for n > 0 && order.n > 0 {
		g := order.next(rng)
		if size(g) == 0 {
			continue
		}
		left := newShuffle(size(g))
		take(g, left.next(rng))
		open = append(open, group{g, left})
		n--
	}
	for n > 0 {
		some := open[:0]
		for _, x := range open {
			if x.left.n == 0 || n == 0 {
				continue
			}
			take(x.g, x.left.next(rng))
			some = append(some, x)
			n--
		}
		open = some
	}
}

// A shuffle gives the numbers 0 ... n-1 in random order (Fisher and Yates) and holds only those
// that were moved.
type shuffle struct {
	n     int
	moved map[int]int
}

func newShuffle(n int) *shuffle { return &shuffle{n: n, moved: map[int]int{}} }

func (s *shuffle) at(i int) int {
	if v, ok := s.moved[i]; ok {
		return v
	}
	return i
}

func (s *shuffle) next(rng *rand.Rand) int {
	s.n--
	i := rng.IntN(s.n + 1)
	v := s.at(i)
	s.moved[i] = s.at(s.n)
	delete(s.moved, s.n)
	return v
}
