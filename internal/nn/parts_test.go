package nn

import (
	"math"
	"sync"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
)

// meeting sums numbers of several goroutines that call in the same order.
type meeting struct {
	parts   int
	mu      sync.Mutex
	changed *sync.Cond
	round   int
	given   [][]float64
	sum     []float64
}

func (m *meeting) add(x []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.round
	m.given = append(m.given, x)
	if len(m.given) < m.parts {
		for m.round == now {
			m.changed.Wait()
		}
	} else {
		m.sum = make([]float64, len(x))
		for _, g := range m.given {
			for i, v := range g {
				m.sum[i] += v
			}
		}
		for _, g := range m.given { // all wait
			copy(g, m.sum)
		}
		m.given = nil
		m.round++
		m.changed.Broadcast()
	}
}

// Parts of a batch whose norms take their means together give the embeddings of the whole batch, gradients that add up to
// its, and its running statistics, to the rounding of sums in another order.
func TestParts(t *testing.T) {
	const parts, each = 3, 2
	const n = parts * each
	for _, net := range networks {
		pool := kernel.NewPool(1)
		whole, err := NewTraining(net, n, FP32, pool)
		if err != nil {
			continue // a network for inference alone
		}
		theta, buffers, images := sample(net, n)
		dim, pixels := net.Dim(), len(images)/n
		dEmbedding := make([]float32, n*dim)
		for i := range dEmbedding {
			dEmbedding[i] = float32(i%5)/4 - 0.4
		}
		want := append([]float32(nil), whole.Forward(theta, images, n)...)
		wantD := make([]float32, len(theta))
		whole.Backward(theta, dEmbedding, wantD)
		wantStats := append([]float32(nil), buffers...)
		whole.UpdateBuffers(wantStats)
		whole.Close()

		m := &meeting{parts: parts}
		m.changed = sync.NewCond(&m.mu)
		got, gotD := make([]float32, n*dim), make([]float32, len(theta))
		stats := make([][]float32, parts)
		var wg sync.WaitGroup
		var mu sync.Mutex
		for p := range parts {
			wg.Go(func() {
				pool := kernel.NewPool(1)
				defer pool.Close()
				tr, err := NewTraining(net, each, FP32, pool)
				if err != nil {
					t.Error(err)
					return
				}
				defer tr.Close()
				tr.SyncNorms(parts, m.add)
				copy(got[p*each*dim:], tr.Forward(theta, images[p*each*pixels:][:each*pixels], each))
				d := make([]float32, len(theta))
				tr.Backward(theta, dEmbedding[p*each*dim:][:each*dim], d)
				stats[p] = append([]float32(nil), buffers...)
				tr.UpdateBuffers(stats[p])
				mu.Lock()
				defer mu.Unlock()
				for i, v := range d {
					gotD[i] += v
				}
			})
		}
		wg.Wait()
		pool.Close()
		near(t, net.Name+": embeddings", got, wide(want), 0)
		near(t, net.Name+": gradient", gotD, wide(wantD), 0)
		for p := range parts {
			near(t, net.Name+": statistics", stats[p], wide(wantStats), 0)
		}
	}
}

// Ranges of the gradient are told of when nothing more is written to them, cover it once, from its end on, and leave out what is not trained.
func TestOnFinal(t *testing.T) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, net := range networks {
		const n = 2
		tr, err := NewTraining(net, n, FP32, pool)
		if err != nil {
			continue
		}
		theta, _, images := sample(net, n)
		d, seen := make([]float32, len(theta)), make([]float32, len(theta))
		dEmbedding := make([]float32, n*net.Dim())
		for i := range dEmbedding {
			dEmbedding[i] = float32(i%3) - 1
		}
		for _, still := range []int{0, net.Params()[len(net.Params())/2].Offset, net.Params()[len(net.Params())-1].Offset, len(theta)} {
			end, calls := len(theta), 0
			tr.FreezeParams(still)
			tr.OnFinal(func(from, to int) {
				if to != end || from >= to || from < still {
					t.Fatalf("%s: range %d to %d after one that began at %d, with %d frozen", net.Name, from, to, end, still)
				}
				copy(seen[from:to], d[from:to])
				end = from
				calls++
			})
			for i := range d {
				d[i] = float32(math.NaN())
			}
			tr.Forward(theta, images, n)
			tr.Backward(theta, dEmbedding, d)
			if end != still && !(still == len(theta) && calls == 0) {
				t.Errorf("%s: ranges end at %d, %d are frozen", net.Name, end, still)
			}
			for i := still; i < len(d); i++ {
				if seen[i] != d[i] {
					t.Fatalf("%s: gradient %d was %v when it was said to be final, and is %v", net.Name, i, seen[i], d[i])
				}
			}
			if still == 0 && calls < min(3, (len(net.Params())+1)/2) {
				t.Errorf("%s: %d ranges; want the gradient in pieces, as the layers are done", net.Name, calls)
			}
		}
		tr.Close()
	}
}
