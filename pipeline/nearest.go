package pipeline

import (
	"math"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/kernel"
)

// nearestRows is how many rows are compared at a time: their products with a few dozen queries stay in a second-level cache.
const nearestRows = 1024

// nearest returns, for each query q [n,d], the smallest angle in radians to a row of w [rows,d] of another class than
// own [n]; a class has so many rows, its centers, next to each other. The nearest row is found in float32 by its cosine times ‖q‖, which is returned, too, and its angle then
// worked out in float64. Where there is no other class the angle is NaN, and what it was found by minus infinity. The results do not depend on the number of threads.
func nearest(pool *kernel.Pool, q []float32, own []int, w []float32, d, centers int) (angles []float64, by []float32) {
	n, rows := len(own), len(w)/d
	blocks := (rows + nearestRows - 1) / nearestRows
	best, at := make([]float32, blocks*n), make([]int, blocks*n)
	pool.Run(blocks, func(b int) {
		first := b * nearestRows
		count := min(nearestRows, rows-first)
		part := w[first*d:][:count*d]
		length, dot := make([]float32, count), make([]float32, count*n)
		kernel.DotRows(length, part, part)
		kernel.Gemm(oneThread, count, n, d, part, d, false, q, d, true, dot, n, false)
		best, at := best[b*n:][:n], at[b*n:][:n]
		for i := range best {
			best[i], at[i] = float32(math.Inf(-1)), -1
		}
		for j, l := range length {
			inverse := float32(0)
			if l > 0 {
				inverse = float32(1 / math.Sqrt(float64(l)))
			}
			class := (first + j) / centers
			for i, u := range dot[j*n:][:n] {
				if u *= inverse; u > best[i] && class != own[i] {
					best[i], at[i] = u, first+j
				}
			}
		}
	})
	angles, by = make([]float64, n), make([]float32, n)
	for i := range angles {
		row, top := -1, float32(math.Inf(-1))
		for b := range blocks {
			if u := best[b*n+i]; u > top {
				row, top = at[b*n+i], u
			}
		}
		angles[i], by[i] = math.NaN(), top
		if row >= 0 {
			angles[i] = angleBetween(q[i*d:][:d], w[row*d:][:d])
		}
	}
	return angles, by
}

// nearestOf returns the angles of nearest over the classes of all ranks, of which w [rows,d] are those of this one from first on, and own [n]
// numbers of all.
func (t *trainer) nearestOf(q []float32, own []int, w []float32, first int) []float64 {
	d, n := t.network.Dim(), len(own)
	here := make([]int, n)
	for i, class := range own {
		here[i] = class - first
	}
	angles, by := nearest(t.pool, q, here, w, d, t.centers())
	if t.split == nil {
		return angles
	}
	mine := angles
	for _, u := range by {
		mine = append(mine, float64(u))
	}
	all := make([]float64, t.ranks.Size()*len(mine))
	t.split.Peers.Gather(all, mine)
	angles, top := all[:n], all[n:][:n]
	for r := 1; r < t.ranks.Size(); r++ {
		theirs := all[r*len(mine):]
		for i := range n {
			if u := theirs[n+i]; u > top[i] {
				angles[i], top[i] = theirs[i], u
			}
		}
	}
	return angles
}

// oneThread runs matrix products on the goroutine that asks for them.
var oneThread = kernel.NewPool(1)

// angleBetween returns the angle between two vectors in radians; a vector of length 0 is at a right angle to all.
func angleBetween(x, y []float32) float64 {
	var xx, yy, xy float64
	for i, v := range x {
		a, b := float64(v), float64(y[i])
		xx, yy, xy = xx+a*a, yy+b*b, xy+a*b
	}
	if xx == 0 || yy == 0 {
		return math.Pi / 2
	}
	return eval.Angle(xy / math.Sqrt(xx*yy))
}
