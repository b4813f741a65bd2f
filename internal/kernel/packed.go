package kernel

// Packed is a matrix b [k,n] in the order in which products read it: where the same one is multiplied many times with
// few rows, as in inference, that is all that costs time.
type Packed struct {
	k, n    int
	panels  []float32 // [panels][k][columns]
	pending packedCall
	f       func(chunk int)
}

type packedCall struct {
	m        int
	a, c     []float32
	lda, ldc int
}

// NewPacked returns the transpose of w [n,k]: what a linear layer multiplies with. It is for one goroutine at a time.
func NewPacked(p *Pool, w []float32, n, k int) *Packed {
	nr := tileCols()
	b := &Packed{k: k, n: n, panels: make([]float32, even(n, nr)*nr*k)}
	b.f = b.chunk
	g := gemm{b: w, ldb: k, transB: true}
	p.Run(even(n, nr), func(panel int) { g.pack(b.panels[panel*nr*k:], panel*nr, min(nr, n-panel*nr), 0, k) })
	return b
}

// Mul computes c [m,n] = a [m,k] b. lda and ldc are the distances between rows.
func (b *Packed) Mul(p *Pool, m int, a []float32, lda int, c []float32, ldc int) {
	if m == 0 {
		return
	}
	checkMatrix("a", a, m, b.k, lda)
	checkMatrix("c", c, m, b.n, ldc)
	b.pending = packedCall{m, a, c, lda, ldc}
	p.Run(even(b.n, tileCols()), b.f)
	b.pending = packedCall{}
}

// chunk computes the columns of a panel.
func (b *Packed) chunk(panel int) {
	const most = 4096 // of k in a call
	q, nr := &b.pending, tileCols()
	tiles := even(q.m, tileRows())
	t := tile{aRow: q.lda, aK: 1, bK: nr, ldc: q.ldc, segs: 1, imgs: 1, cols: min(nr, b.n-panel*nr)}
	for k0 := 0; k0 < b.k; k0 += most {
		t.k = min(most, b.k-k0)
		t.b = b.panels[(panel*b.k+k0)*nr:][:t.k*nr]
		for i := range tiles {
			r0, r1 := i*q.m/tiles, (i+1)*q.m/tiles
			t.a, t.c = q.a[r0*q.lda+k0:], q.c[r0*q.ldc+panel*nr:]
			t.run(r1 - r0)
		}
		t.add = 1
	}
}
