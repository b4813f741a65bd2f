package doctor

import (
	"cmp"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/pipeline/dataset"
)

// People is what embeddings tell.
type People struct {
	// Typical is the median cosine between an image and the mean of its identity's other images.
	Typical float64
	// Strangers is the cosine that 1 in 100 pairs of images of different people exceed, taken from the median cosine of different identities and the
	// median deviation from it: the few that are one person do not move it.
	Strangers  float64
	Trained    int        // identities that the model was trained on, by name
	Mislabeled []Mislabel // most suspicious first
	Split      []Split    // identities that look like two people, most different first
	Alike      []Alike    // identities that look like one person, most alike first
}

// Mislabel is an image that is nearer to another identity than to its own.
type Mislabel struct {
	Image int
	Own   float64 // cosine to the mean of its identity's other images
	Other int     // the identity that it is nearest to
	Near  float64 // cosine to that one's mean
}

// Split is an identity whose images fall in two groups.
type Split struct {
	Identity int
	Groups   [2][]int
	Between  float64 // mean cosine between images of the two
	Within   float64 // mean cosine within the groups
}

// Alike is two identities whose means are alike.
type Alike struct {
	A, B   int
	Cosine float64
}

// most is how many of a kind of finding are kept.
const most = 1000

// matrix is rows of embeddings of unit length, or zeros where there is none.
type matrix struct {
	n, dim int
	data   []float32
}

func newMatrix(n, dim int) *matrix { return &matrix{n, dim, make([]float32, n*dim)} }

func (m *matrix) row(i int) []float32 { return m.data[i*m.dim:][:m.dim] }

func dot(a, b []float32) float64 {
	var sum float64
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}

// normalise scales x to unit length, unless it is zero.
func normalise(x []float32) {
	norm := math.Sqrt(dot(x, x))
	for i := range x {
		if norm > 0 {
			x[i] = float32(float64(x[i]) / norm)
		}
	}
}

// sums returns the sum of each identity's embeddings.
func sums(set *dataset.Set, x *matrix) *matrix {
	s := newMatrix(len(set.Identities), x.dim)
	for i, sample := range set.Samples {
		to := s.row(sample.Identity)
		for j, v := range x.row(i) {
			to[j] += v
		}
	}
	return s
}

// means returns the means of the identities, of unit length.
func means(set *dataset.Set, x *matrix) *matrix {
	m := sums(set, x)
	for i := range m.n {
		normalise(m.row(i))
	}
	return m
}

// products calls f with every row of a and its products with all rows of b.
func products(a, b *matrix, f func(i int, cosines []float32)) {
	pool := kernel.NewPool(0)
	defer pool.Close()
	const rows = 64
	c := make([]float32, rows*b.n)
	for i := 0; i < a.n; i += rows {
		m := min(rows, a.n-i)
		kernel.Gemm(pool, m, b.n, a.dim, a.data[i*a.dim:], a.dim, false, b.data, b.dim, true, c, b.n, false)
		for k := range m {
			f(i+k, c[k*b.n:][:b.n])
		}
	}
}

func people(set *dataset.Set, x *matrix, m *Model) *People {
	p := &People{}
	known := map[string]bool{}
	for _, name := range m.Classes {
		known[name] = true
	}
	for _, name := range set.Identities {
		if known[name] {
			p.Trained++
		}
	}
	p.Strangers = strangers(set, x)
	own := p.labels(set, x)
	if len(own) > 0 {
		p.Typical = median(own)
	}
	p.splits(set, x)
	p.Alike = alike(means(set, x), p.Typical)
	return p
}

// labels ranks the images that are nearer to another identity than to their own, and returns the cosines of all to their own.
func (p *People) labels(set *dataset.Set, x *matrix) (own []float64) {
	sum, counts := sums(set, x), embedded(set, x)
	rest := make([]float32, x.dim)
	products(x, means(set, x), func(i int, cosines []float32) {
		identity := set.Samples[i].Identity
		if counts[identity] < 2 || empty(x.row(i)) {
			return
		}
		for j, v := range sum.row(identity) {
			rest[j] = v - x.row(i)[j]
		}
		normalise(rest)
		l := Mislabel{Image: i, Own: dot(x.row(i), rest), Other: -1, Near: math.Inf(-1)}
		own = append(own, l.Own)
		for k, c := range cosines {
			if k != identity && counts[k] > 0 && float64(c) > l.Near {
				l.Other, l.Near = k, float64(c)
			}
		}
		if l.Other >= 0 && l.Near > l.Own {
			p.Mislabeled = append(p.Mislabeled, l)
		}
	})
	slices.SortStableFunc(p.Mislabeled, func(a, b Mislabel) int { return -cmp.Compare(a.Near-a.Own, b.Near-b.Own) })
	p.Mislabeled = p.Mislabeled[:min(most, len(p.Mislabeled))]
	return own
}

func empty(x []float32) bool { return dot(x, x) == 0 }

// embedded returns how many images of each identity have embeddings.
func embedded(set *dataset.Set, x *matrix) []int {
	counts := make([]int, len(set.Identities))
	for i, s := range set.Samples {
		if !empty(x.row(i)) {
			counts[s.Identity]++
		}
	}
	return counts
}

// strangers returns People.Strangers, of drawn pairs.
func strangers(set *dataset.Set, x *matrix) float64 {
	rng := random.New(0, random.Doctor, 0, 0)
	var cosines []float64
	for range 20_000 {
		i, j := rng.IntN(x.n), rng.IntN(x.n)
		if set.Samples[i].Identity != set.Samples[j].Identity && !empty(x.row(i)) && !empty(x.row(j)) {
			cosines = append(cosines, dot(x.row(i), x.row(j)))
		}
	}
	if len(cosines) == 0 {
		return 1
	}
	middle := median(cosines)
	for i, c := range cosines {
		cosines[i] = math.Abs(c - middle)
	}
	const percentile99 = 2.326 // of the normal distribution
	return middle + percentile99*1.4826*median(cosines)
}

// splits finds the identities that are two groups of at least two images which are as unlike as strangers, while the images of each group are not.
func (p *People) splits(set *dataset.Set, x *matrix) {
	const looked = 200 // images of an identity, spread over all
	of := make([][]int, len(set.Identities))
	for i, s := range set.Samples {
		if !empty(x.row(i)) {
			of[s.Identity] = append(of[s.Identity], i)
		}
	}
	for identity, images := range of {
		if n := len(images); n > looked {
			some := make([]int, looked)
			for k := range some {
				some[k] = images[k*n/looked]
			}
			images = some
		}
		if len(images) < 4 {
			continue
		}
		s := split(x, images)
		s.Identity = identity
		if min(len(s.Groups[0]), len(s.Groups[1])) >= 2 && s.Between < p.Strangers && s.Within > p.Strangers {
			p.Split = append(p.Split, s)
		}
	}
	slices.SortStableFunc(p.Split, func(a, b Split) int { return -cmp.Compare(a.Within-a.Between, b.Within-b.Between) })
	p.Split = p.Split[:min(most, len(p.Split))]
}

// split cuts images in two groups: it begins with the two that are least alike, and moves each image to the group whose mean is nearer until none moves.
func split(x *matrix, images []int) Split {
	a, b, least := 0, 1, math.Inf(1)
	for i := range images {
		for j := range i {
			if c := dot(x.row(images[i]), x.row(images[j])); c < least {
				a, b, least = i, j, c
			}
		}
	}
	mean := [2][]float32{slices.Clone(x.row(images[a])), slices.Clone(x.row(images[b]))}
	group := make([]int, len(images))
	const rounds = 50 // rounding could make them go on for ever
	for round := range rounds {
		moved := false
		for k, i := range images {
			g := 0
			if dot(x.row(i), mean[1]) > dot(x.row(i), mean[0]) {
				g = 1
			}
			moved = moved || g != group[k]
			group[k] = g
		}
		if !moved && round > 0 {
			break
		}
		clear(mean[0])
		clear(mean[1])
		for k, i := range images {
			for j, v := range x.row(i) {
				mean[group[k]][j] += v
			}
		}
		normalise(mean[0])
		normalise(mean[1])
	}
	var s Split
	var within, between float64
	var inside, across int
	for k, i := range images {
		s.Groups[group[k]] = append(s.Groups[group[k]], i)
		for l := range k {
			c := dot(x.row(i), x.row(images[l]))
			if group[k] == group[l] {
				within, inside = within+c, inside+1
			} else {
				between, across = between+c, across+1
			}
		}
	}
	s.Within, s.Between = within/float64(max(1, inside)), between/float64(max(1, across))
	return s
}

// alike returns the pairs of rows whose cosine is at least that which an identity's own images have.
func alike(m *matrix, least float64) []Alike {
	var found []Alike
	products(m, m, func(i int, cosines []float32) {
		for j, c := range cosines[:i] {
			if float64(c) >= least && !empty(m.row(i)) && !empty(m.row(j)) {
				found = append(found, Alike{j, i, float64(c)})
			}
		}
		found = mostAlike(found, 4*most)
	})
	return mostAlike(found, 0)
}

// alikeAcross is alike between two sets' identities, but for those that have one name.
func alikeAcross(set, other *dataset.Set, x, y *matrix, least float64) []Alike {
	a, b := means(set, x), means(other, y)
	found := []Alike{}
	products(a, b, func(i int, cosines []float32) {
		for j, c := range cosines {
			if float64(c) >= least && set.Identities[i] != other.Identities[j] && !empty(a.row(i)) && !empty(b.row(j)) {
				found = append(found, Alike{i, j, float64(c)})
			}
		}
		found = mostAlike(found, 4*most)
	})
	return mostAlike(found, 0)
}

// mostAlike sorts a list that is longer than a limit, and keeps the first of it.
func mostAlike(list []Alike, limit int) []Alike {
	if len(list) <= limit {
		return list
	}
	slices.SortFunc(list, func(a, b Alike) int {
		return cmp.Or(-cmp.Compare(a.Cosine, b.Cosine), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return list[:min(len(list), most)]
}
