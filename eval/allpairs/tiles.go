package allpairs

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/faceverify/fv/internal/kernel"
)

// Sizes of the tiles. A block of columns, the rows that it is multiplied by and their scores stay
// in a second-level cache of 1 MiB.
const (
	panelCols = 32            // the most columns of a micro-kernel of internal/kernel
	blockCols = 4 * panelCols // packed once a task
	tileRows  = 112           // a multiple of 14, the rows of the AVX-512 micro-kernel
	taskRows  = 36 * tileRows // the most rows that share a packed block
)

// flushAt is the number of scores after which a worker's 32-bit counts are moved on.
const flushAt = 1 << 31

// task is a block of columns and the rows whose scores with them are wanted.
type task struct{ row0, row1, col0, col1 int }

// tasks cuts the product into blocks, the largest first. In a triangle a column is wanted in the
// rows before it only.
func tasks(rows, cols int, triangle bool) []task {
	var list []task
	for col1 := cols; col1 > 0; {
		col0 := max(0, (col1-1)/blockCols*blockCols)
		n := rows
		if triangle {
			n = col1 - 1
		}
		parts := (n + taskRows - 1) / taskRows
		for i := range parts {
			list = append(list, task{i * n / parts, (i + 1) * n / parts, col0, col1})
		}
		col1 = col0
	}
	return list
}

// product is the state of one measurement.
type product struct {
	a, b     *side
	dim      int
	triangle bool
	hardest  int

	mu      sync.Mutex // of what follows
	total   *histogram
	genuine hardest
	impost  hardest
}

// worker holds what one thread counts in.
type worker struct {
	*product
	serial            *kernel.Pool
	packed            []float32 // [blockCols/panelCols][dim][panelCols]
	scores            []float32 // [tileRows][blockCols]
	counted           int
	genuine, impostor *counts
	hardG, hardI      hardest
}

// run computes the scores of tasks on the given number of threads.
func (p *product) run(ctx context.Context, list []task, threads int, progress func(done, total int)) error {
	pool := kernel.NewPool(threads)
	defer pool.Close()
	serial := kernel.NewPool(1)
	workers := min(pool.Threads(), len(list))
	var next, done atomic.Int64
	var report sync.Mutex
	total := 0
	for _, t := range list {
		total += (t.row1 - t.row0) * (t.col1 - t.col0)
	}
	pool.Run(workers, func(int) {
		w := &worker{
			product: p, serial: serial,
			packed: make([]float32, blockCols*p.dim), scores: make([]float32, tileRows*blockCols),
			genuine: new(counts), impostor: new(counts),
			hardG: hardest{k: p.hardest, genuine: true}, hardI: hardest{k: p.hardest},
		}
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(list) {
				break
			}
			t := list[i]
			w.do(t)
			n := done.Add(int64((t.row1 - t.row0) * (t.col1 - t.col0)))
			if progress != nil {
				report.Lock()
				progress(int(n), total)
				report.Unlock()
			}
		}
		w.flush()
	})
	return ctx.Err()
}

func (w *worker) do(t task) {
	w.pack(t)
	cols := t.col1 - t.col0
	for i := t.row0; i < t.row1; i += tileRows {
		rows := min(tileRows, t.row1-i)
		first := 0 // panels that lie below the diagonal are not wanted
		if w.triangle {
			first = max(0, (i+1-t.col0)/panelCols)
		}
		for p := first; p*panelCols < cols; p++ {
			kernel.Gemm(w.serial, rows, panelCols, w.dim, w.a.unit[i*w.dim:], w.dim, false,
				w.packed[p*panelCols*w.dim:], panelCols, false, w.scores[p*panelCols:], blockCols, false)
		}
		for r := range rows {
			w.count(i+r, t, w.scores[r*blockCols:][:cols])
		}
	}
	if w.counted >= flushAt {
		w.flush()
	}
}

// pack writes the block's columns as panels [dim][panelCols], in the order in which the micro-kernel
// reads them; columns that do not exist are zero.
func (w *worker) pack(t task) {
	const run = 16 // floats of a cache line
	for p := range blockCols / panelCols {
		panel := w.packed[p*panelCols*w.dim:][:panelCols*w.dim]
		col0 := t.col0 + p*panelCols
		cols := min(panelCols, t.col1-col0)
		if cols <= 0 {
			break
		}
		if cols < panelCols {
			clear(panel)
		}
		for x0 := 0; x0 < w.dim; x0 += run {
			for c := range cols {
				src := w.b.unit[(col0+c)*w.dim+x0:][:min(run, w.dim-x0)]
				for x, v := range src {
					panel[(x0+x)*panelCols+c] = v
				}
			}
		}
	}
}

// count counts the scores of row i with the task's columns. Columns are sorted by identity, so the
// genuine ones lie side by side.
func (w *worker) count(i int, t task, scores []float32) {
	start := 0
	if w.triangle {
		start = i + 1
	}
	cut := func(col int) int { return min(max(col, start, t.col0), t.col1) - t.col0 }
	s, g0, g1 := cut(start), cut(w.a.genuine[i].from), cut(w.a.genuine[i].to)
	w.counted += len(scores) - s
	w.impostor.add(scores[s:g0])
	w.genuine.add(scores[g0:g1])
	w.impostor.add(scores[g1:])
	if w.hardest == 0 {
		return
	}
	offer := func(h *hardest, from, to int) {
		limit, full := h.full()
		for j, score := range scores[from:to] {
			if full && (score < limit) != h.genuine && score != limit {
				continue
			}
			h.offer(w.pair(i, t.col0+from+j, score))
			limit, full = h.full()
		}
	}
	offer(&w.hardI, s, g0)
	offer(&w.hardG, g0, g1)
	offer(&w.hardI, g1, len(scores))
}

// pair names a pair by the rows that the embeddings had before they were sorted.
func (w *worker) pair(i, j int, score float32) Pair {
	p := Pair{w.a.order[i], w.b.order[j], float64(score)}
	if w.triangle && p.A > p.B {
		p.A, p.B = p.B, p.A
	}
	return p
}

// flush adds what the worker has counted to the total.
func (w *worker) flush() {
	p := w.product
	p.mu.Lock()
	defer p.mu.Unlock()
	take(p.total.genuine, w.genuine)
	take(p.total.impostor, w.impostor)
	w.counted = 0
	for _, pair := range w.hardG.pairs {
		p.genuine.offer(pair)
	}
	for _, pair := range w.hardI.pairs {
		p.impost.offer(pair)
	}
	w.hardG.pairs, w.hardI.pairs = nil, nil
}
