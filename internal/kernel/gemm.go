package kernel

import "sync"

// gemmBlockK is how much of k is packed at a time: a panel of 32 columns
// then fills half of a first-level cache of 128 KiB or a small part of the second.
const gemmBlockK = 512

// gemmBlockM is the most rows that one chunk covers.
const gemmBlockM = 16 * maxTileRows

// Gemm computes the matrix product
//
//	c = op(a) op(b), or c += op(a) op(b) if add is set
//
// where op(a) is [m,k] and op(b) is [k,n], both in row-major order; transA
// says that a is stored as [k,m], transB that b is stored as [n,k]. lda, ldb and
// ldc are the distances between stored rows.
//
// It panics if a slice is too short.
func Gemm(p *Pool, m, n, k int, a []float32, lda int, transA bool, b []float32, ldb int, transB bool, c []float32, ldc int, add bool) {
	if m == 0 || n == 0 {
		return
	}
	aRows, aCols, bRows, bCols := m, k, k, n
	if transA {
		aRows, aCols = k, m
	}
	if transB {
		bRows, bCols = n, k
	}
	checkMatrix("a", a, aRows, aCols, lda)
	checkMatrix("b", b, bRows, bCols, ldb)
	checkMatrix("c", c, m, n, ldc)
	if k == 0 {
		if !add {
			for i := range m {
				clear(c[i*ldc:][:n])
			}
		}
		return
	}
	g := gemmPool.Get().(*gemm)
	*g = gemm{m: m, n: n, k: k, a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: ldc, transA: transA, transB: transB, add: add, f: g.f}
	if g.f == nil {
		g.f = g.chunk
	}
	p.Run(even(m, gemmBlockM)*even(n, tileCols()), g.f)
	g.a, g.b, g.c = nil, nil, nil
	gemmPool.Put(g)
}

func checkMatrix(name string, x []float32, rows, cols, ld int) {
	if ld < cols || rows > 0 && len(x) < (rows-1)*ld+cols {
		panic("kernel: matrix " + name + " is too short")
	}
}

// gemm is one call of Gemm, kept so that a steady step allocates nothing.
type gemm struct {
	m, n, k        int
	a, b, c        []float32
	lda, ldb, ldc  int
	transA, transB bool
	add            bool
	f              func(int)
}

var (
	gemmPool  = sync.Pool{New: func() any { return new(gemm) }}
	panelPool = sync.Pool{New: func() any { return new([gemmBlockK * maxTileCols]float32) }}
)

// chunk computes one panel of columns of one block of rows.
func (g *gemm) chunk(chunk int) {
	nr, mr := tileCols(), tileRows()
	panels, blocks := even(g.n, nr), even(g.m, gemmBlockM)
	j, block := chunk%panels*nr, chunk/panels
	cols := min(nr, g.n-j)
	m0, m1 := block*g.m/blocks, (block+1)*g.m/blocks
	tiles := even(m1-m0, mr)

	packed := panelPool.Get().(*[gemmBlockK * maxTileCols]float32)
	defer panelPool.Put(packed)
	t := tile{aRow: g.lda, aK: 1, ldc: g.ldc, segs: 1, imgs: 1, cols: cols}
	if g.transA {
		t.aRow, t.aK = 1, g.lda
	}
	for k0 := 0; k0 < g.k; k0 += gemmBlockK {
		t.k = min(gemmBlockK, g.k-k0)
		if !g.transB && cols == nr {
			t.b, t.bK = g.b[k0*g.ldb+j:], g.ldb
		} else {
			g.pack(packed[:], j, cols, k0, t.k)
			t.b, t.bK = packed[:], nr
		}
		if g.add || k0 > 0 {
			t.add = 1
		}
		for i := range tiles {
			r0, r1 := m0+i*(m1-m0)/tiles, m0+(i+1)*(m1-m0)/tiles
			t.a = g.a[r0*t.aRow+k0*t.aK:]
			t.c = g.c[r0*g.ldc+j:]
			t.run(r1 - r0)
		}
	}
}

// pack copies rows k0..k0+k of columns j..j+cols of op(b), with zeros after them.
func (g *gemm) pack(dst []float32, j, cols, k0, k int) {
	nr := tileCols()
	if !g.transB {
		for x := range k {
			d := dst[x*nr:][:nr]
			clear(d[copy(d, g.b[(k0+x)*g.ldb+j:][:cols]):])
		}
		return
	}
	if cols < nr {
		clear(dst[:k*nr])
	}
	for y := range cols {
		for x, v := range g.b[(j+y)*g.ldb+k0:][:k] {
			dst[x*nr+y] = v
		}
	}
}
