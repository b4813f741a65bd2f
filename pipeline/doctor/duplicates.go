package doctor

import (
	"cmp"
	"crypto/sha256"
	"image"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/disintegration/imaging"

	"github.com/faceverify/fv/pipeline/dataset"
)

// hash is a difference hash of 16 by 16 bits: whether a spot is brighter than the one to its left. Scaling, compression
// and brightness change few of them; aligned faces, which all look alike, share too many of 64 to be told apart by those.
type hash [4]uint64

// nearBits is how many bits of two pictures that look the same may differ.
const nearBits = 26

// side of a hash.
const side = 16

func hashOf(img image.Image) hash {
	small := imaging.Resize(img, side+1, side, imaging.Box)
	grey := levels(small)
	var h hash
	for y := range side {
		for x := range side {
			if grey[y*(side+1)+x+1] > grey[y*(side+1)+x] {
				h[y/4] |= 1 << (y%4*side + x)
			}
		}
	}
	return h
}

func (h hash) distance(o hash) int {
	return bits.OnesCount64(h[0]^o[0]) + bits.OnesCount64(h[1]^o[1]) + bits.OnesCount64(h[2]^o[2]) + bits.OnesCount64(h[3]^o[3])
}

// flat reports a picture without structure, whose hash says nothing.
func (h hash) flat() bool {
	n := h.distance(hash{})
	return n < side || n > side*side-side
}

// exact returns the groups of images with the same file, in the order of their first images.
func exact(images []Facts) [][]int {
	of := map[[sha256.Size]byte][]int{}
	for i, x := range images {
		if x.Err == nil {
			of[x.Sum] = append(of[x.Sum], i)
		}
	}
	var groups [][]int
	for _, g := range of {
		if len(g) > 1 {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	return groups
}

// compare returns whether two images look the same.
func compare(a, b *Facts) (Pair, bool) {
	d, mirrored := a.hash.distance(b.hash), false
	if m := a.hash.distance(b.mirrored); m < d {
		d, mirrored = m, true
	}
	return Pair{Bits: d, Mirrored: mirrored}, d <= nearBits && a.Sum != b.Sum
}

// near returns the pairs of images that look the same: of all images or, where these are too many, of each identity.
func (f *Findings) near() []Pair {
	n := len(f.Images)
	last := make([]int, n) // the one after the last that is compared with an image
	for i := range last {
		last[i] = n
	}
	if !f.Compared() {
		end := 0
		for i, s := range f.Set.Samples {
			for end = max(end, i); end < n && f.Set.Samples[end].Identity == s.Identity; end++ {
			}
			last[i] = end
		}
	}
	return pairs(n, func(i int, found func(Pair)) {
		a := &f.Images[i]
		if a.Err != nil || a.hash.flat() {
			return
		}
		for j := i + 1; j < last[i]; j++ {
			if b := &f.Images[j]; b.Err == nil {
				if p, ok := compare(a, b); ok {
					p.A, p.B = i, j
					found(p)
				}
			}
		}
	})
}

// pairs collects what each finds for the rows 0 ... n-1, most alike first.
func pairs(n int, each func(i int, found func(Pair))) []Pair {
	var all []Pair
	var mu sync.Mutex
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				each(i, func(p Pair) {
					mu.Lock()
					all = append(all, p)
					mu.Unlock()
				})
			}
		})
	}
	workers.Wait()
	slices.SortFunc(all, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Bits, b.Bits), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return all
}

// overlap finds what is in two sets.
func overlap(set, other *dataset.Set, a, b []Facts) *Overlap {
	o := &Overlap{Root: other.Root}
	names := map[string]bool{}
	for _, name := range other.Identities {
		names[name] = true
	}
	for _, name := range set.Identities {
		if names[name] {
			o.Names = append(o.Names, name)
		}
	}
	first := map[[sha256.Size]byte]int{}
	for j := len(b) - 1; j >= 0; j-- {
		if b[j].Err == nil {
			first[b[j].Sum] = j
		}
	}
	for i, x := range a {
		if j, ok := first[x.Sum]; ok && x.Err == nil {
			o.Exact = append(o.Exact, [2]int{i, j})
		}
	}
	if len(a)*len(b) > maxCompared*maxCompared {
		return o
	}
	o.Near = pairs(len(a), func(i int, found func(Pair)) {
		if a[i].Err != nil || a[i].hash.flat() {
			return
		}
		for j := range b {
			if b[j].Err == nil {
				if p, ok := compare(&a[i], &b[j]); ok {
					p.A, p.B = i, j
					found(p)
				}
			}
		}
	})
	return o
}
