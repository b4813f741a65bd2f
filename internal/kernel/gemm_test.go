package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestGemm(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {3, 5, 7}, {14, 32, 1}, {15, 33, 65}, {64, 100, 513}, {300, 17, 40}, {2, 64, 1100}, {28, 64, 64}}
	pool := NewPool(2)
	defer pool.Close()
	forEachVariant(t, func(t *testing.T) {
		for _, s := range shapes {
			for flags := range 8 {
				transA, transB, add := flags&1 != 0, flags&2 != 0, flags&4 != 0
				t.Run(fmt.Sprint(s, transA, transB, add), func(t *testing.T) {
					testGemm(t, pool, s[0], s[1], s[2], transA, transB, add)
				})
			}
		}
	})
}

func testGemm(t *testing.T, pool *Pool, m, n, k int, transA, transB, add bool) {
	r := rand.New(rand.NewPCG(1, 2))
	const pad = 3
	lda, ldb, ldc := k+pad, n+pad, n+pad
	ra, rb := m, k
	if transA {
		lda, ra = m+pad, k
	}
	if transB {
		ldb, rb = k+pad, n
	}
	a, checkA := guarded(t, r, ra*lda-pad)
	b, checkB := guarded(t, r, rb*ldb-pad)
	c, checkC := guarded(t, r, m*ldc-pad)
	old := append([]float32(nil), c...)
	Gemm(pool, m, n, k, a, lda, transA, b, ldb, transB, c, ldc, add)
	checkA()
	checkB()
	checkC()
	for i := range m {
		for j := range n {
			var want float64
			for x := range k {
				var p, q float32
				if transA {
					p = a[x*lda+i]
				} else {
					p = a[i*lda+x]
				}
				if transB {
					q = b[j*ldb+x]
				} else {
					q = b[x*ldb+j]
				}
				want += float64(p) * float64(q)
			}
			if add {
				want += float64(old[i*ldc+j])
			}
			if !close32(c[i*ldc+j], want, k, 1) {
				t.Fatalf("c[%d,%d] = %v, want %v", i, j, c[i*ldc+j], want)
			}
		}
	}
	for i := range c {
		if i%ldc >= n && c[i] != old[i] {
			t.Fatalf("c written between rows, at %d", i)
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	pool := NewPool(2)
	defer pool.Close()
	for _, c := range []struct {
		name           string
		m, n, k        int
		transA, transB bool
	}{
		{"head logits", 64, 10575, 512, false, true},
		{"head dW", 10575, 512, 64, true, false},
		{"head dX", 64, 512, 10575, false, false},
		{"linear forward", 64, 512, 25088, false, true},
		{"linear dW", 512, 25088, 64, true, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			x, y, z := make([]float32, c.m*c.k), make([]float32, c.n*c.k), make([]float32, c.m*c.n)
			lda, ldb := c.k, c.n
			if c.transA {
				lda = c.m
			}
			if c.transB {
				ldb = c.k
			}
			for b.Loop() {
				Gemm(pool, c.m, c.n, c.k, x, lda, c.transA, y, ldb, c.transB, z, c.n, false)
			}
			b.ReportMetric(2*float64(c.m)*float64(c.n)*float64(c.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkPeak(b *testing.B) {
	p := NewPool(1)
	defer p.Close()
	for b.Loop() {
		b.ReportMetric(PeakGFLOPS(p), "GFLOP/s")
	}
}

func TestPacked(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(15, 16))
	forEachVariant(t, func(t *testing.T) {
		for _, c := range [][3]int{{1, 1, 1}, {3, 33, 40}, {30, 64, 4100}, {16, 512, 96}} {
			m, n, k := c[0], c[1], c[2]
			lda, ldc := k+3, n+5
			a, checkA := guarded(t, r, m*lda)
			w, checkW := guarded(t, r, n*k)
			got, checkC := guarded(t, r, m*ldc)
			before := slices.Clone(got)
			NewPacked(pool, w, n, k).Mul(pool, m, a, lda, got, ldc)
			for i := range m {
				for j := range ldc {
					if j >= n {
						if got[i*ldc+j] != before[i*ldc+j] {
							t.Fatalf("%v: written beyond column %d", c, n)
						}
						continue
					}
					var want float64
					for x := range k {
						want += float64(a[i*lda+x]) * float64(w[j*k+x])
					}
					if !close32(got[i*ldc+j], want, k, 1) {
						t.Fatalf("%v: c[%d,%d] is %v, want %v", c, i, j, got[i*ldc+j], want)
					}
				}
			}
			checkA()
			checkW()
			checkC()
		}
	})
}
