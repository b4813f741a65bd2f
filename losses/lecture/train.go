package lecture

import (
	"fmt"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/ops"
	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/losses"
)

// The little networks of the chapter on learned features: digits, two hidden layers, an embedding in the plane.
const (
	netIn, netOne, netTwo, netOut = digitSide * digitSide, 96, 48, 2

	netBatch  = 64
	netTrain  = 400 // digits of each kind
	netTest   = 40
	netSteps  = 1600
	netRate   = 2e-3
	netDecay  = 1e-4
	netSlope  = 0.1 // of a hidden unit below 0
	adamMean  = 0.9
	adamRange = 0.999
)

// netSnapshots are the steps after which the features of the test digits are kept.
var netSnapshots = []int{0, 25, 100, 200, 400, 800, netSteps}

// param is a matrix or a vector that is learned, with its gradient and Adam's two means (Kingma and Ba 2015).
type param struct{ x, d, m, v []float32 }

func newParam(n int) *param {
	return &param{make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)}
}

// step moves the parameters, in step t counted from 1.
func (p *param) step(t int, rate float64) {
	c1, c2 := 1-math.Pow(adamMean, float64(t)), 1-math.Pow(adamRange, float64(t))
	for i, d := range p.d {
		g := float64(d)
		m := adamMean*float64(p.m[i]) + (1-adamMean)*g
		v := adamRange*float64(p.v[i]) + (1-adamRange)*g*g
		p.m[i], p.v[i] = float32(m), float32(v)
		p.x[i] -= float32(rate * (m/c1/(math.Sqrt(v/c2)+1e-8) + netDecay*float64(p.x[i])))
	}
}

// layer is y = x W + b, with a leaky rectifier unless it is the last.
type layer struct {
	in, out int
	last    bool
	w, b    *param
	x, y    []float32 // of the last forward pass
	dx      []float32
}

func (l *layer) forward(pool *kernel.Pool, x []float32, n int) []float32 {
	l.x = x
	if len(l.y) != n*l.out {
		l.y, l.dx = make([]float32, n*l.out), make([]float32, n*l.in)
	}
	kernel.Gemm(pool, n, l.out, l.in, x, l.in, false, l.w.x, l.out, false, l.y, l.out, false)
	for i := range l.y {
		l.y[i] += l.b.x[i%l.out]
		if !l.last && l.y[i] < 0 {
			l.y[i] *= netSlope
		}
	}
	return l.y
}

// backward turns dy into gradients, overwriting dy, and returns dx.
func (l *layer) backward(pool *kernel.Pool, dy []float32, n int) []float32 {
	clear(l.b.d)
	for i := range dy {
		if !l.last && l.y[i] < 0 {
			dy[i] *= netSlope
		}
		l.b.d[i%l.out] += dy[i]
	}
	kernel.Gemm(pool, l.in, l.out, n, l.x, l.in, true, dy, l.out, false, l.w.d, l.out, false)
	kernel.Gemm(pool, n, l.in, l.out, dy, l.out, false, l.w.x, l.out, true, l.dx, l.in, false)
	return l.dx
}

// digitSet is drawn digits, all kinds alike often.
type digitSet struct {
	pixels []float32
	kinds  []int
}

func drawDigits(seed uint64, first, each int) digitSet {
	var s digitSet
	for i := range each * digitKinds {
		p := make([]float32, netIn)
		digit(p, seed, first+i, i%digitKinds)
		s.pixels, s.kinds = append(s.pixels, p...), append(s.kinds, i%digitKinds)
	}
	return s
}

// trained is what training a head gave: features of the test digits and the class weights after each snapshot, and figures of the last.
type trained struct {
	features, weights [][]xy // by snapshot
	correct           []float64
	spread            []float64 // median angle in degrees between a feature and the mean direction of its kind
	nearest           []float64 // mean angle between the mean directions of neighbouring kinds
}

// trainDigits trains a network with a head.
func trainDigits(seed uint64, h losses.Head, train, test digitSet) (*trained, error) {
	pool := kernel.NewPool(1)
	defer pool.Close()
	var layers []*layer
	params := []*param{}
	for i, size := range [][2]int{{netIn, netOne}, {netOne, netTwo}, {netTwo, netOut}} {
		l := &layer{in: size[0], out: size[1], last: i == 2, w: newParam(size[0] * size[1]), b: newParam(size[1])}
		r := random.New(seed, random.Init, 0, i)
		for k := range l.w.x {
			l.w.x[k] = float32(math.Sqrt(2/float64(size[0])) * r.NormFloat64())
		}
		layers, params = append(layers, l), append(params, l.w, l.b)
	}
	shapes := losses.ParamShapes(h, digitKinds, netOut)
	head := []*param{}
	for i, s := range shapes {
		p := newParam(s.Len())
		losses.Init(h, digitKinds, s, p.x, seed)
		if i == 0 { // weights of about length 1: Adam moves all alike, and a short one would turn at once
			for k := range p.x {
				p.x[k] *= 100
			}
		}
		head, params = append(head, p), append(params, p)
	}
	var bias, dBias []float32
	if len(head) > 1 {
		bias, dBias = head[1].x, head[1].d
	}
	embed := func(x []float32, n int) []float32 {
		for _, l := range layers {
			x = l.forward(pool, x, n)
		}
		return x
	}
	ce := ops.NewCrossEntropy(h, netBatch, digitKinds, netOut, pool)
	out := &trained{}
	snapshot := func() {
		f := embed(test.pixels, len(test.kinds))
		out.keep(h, f, head[0].x, bias, test.kinds)
	}
	stateful, _ := h.(losses.Stateful)
	batch, labels, dx := make([]float32, netBatch*netIn), make([]int, netBatch), make([]float32, netBatch*netOut)
	var order []int
	for step, epoch := 0, 0; step <= netSteps; step++ {
		for _, s := range netSnapshots {
			if s == step {
				snapshot()
			}
		}
		if len(order) < netBatch {
			order = random.New(seed, random.Order, epoch, -1).Perm(len(train.kinds))
			epoch++
		}
		for k, i := range order[:netBatch] {
			copy(batch[k*netIn:], train.pixels[i*netIn:][:netIn])
			labels[k] = train.kinds[i]
		}
		order = order[netBatch:]
		if stateful != nil {
			stateful.Begin(step)
		}
		loss, err := ce.Forward(embed(batch, netBatch), head[0].x, bias, labels)
		if err != nil {
			return nil, err
		}
		if math.IsNaN(loss) {
			return nil, fmt.Errorf("lecture: the loss of %s is not a number at step %d", h.Name(), step)
		}
		ce.Backward(1, head[0].x, bias, dx, head[0].d, dBias)
		d := dx
		for i := len(layers) - 1; i >= 0; i-- {
			d = layers[i].backward(pool, d, netBatch)
		}
		if stateful != nil {
			stateful.Commit()
		}
		rate := netRate * 0.5 * (1 + math.Cos(math.Pi*float64(step)/netSteps))
		for _, p := range params {
			p.step(step+1, rate)
		}
	}
	return out, nil
}

// keep adds a snapshot.
func (t *trained) keep(h losses.Head, f, w, bias []float32, kinds []int) {
	var features, weights []xy
	for j := range digitKinds {
		weights = append(weights, xy{X: float64(w[2*j]), Y: float64(w[2*j+1])})
	}
	right := 0
	means := make([]xy, digitKinds) // of directions
	for i, kind := range kinds {
		q := xy{X: float64(f[2*i]), Y: float64(f[2*i+1])}
		features = append(features, q)
		best, top := 0, math.Inf(-1)
		for j, wj := range weights {
			var b float64
			if bias != nil {
				b = float64(bias[j])
			}
			if z := logitOf(h, q, wj, b); z > top {
				best, top = j, z
			}
		}
		if best == kind {
			right++
		}
		if r := math.Hypot(q.X, q.Y); r > 0 {
			means[kind].X += q.X / r
			means[kind].Y += q.Y / r
		}
	}
	var nearest float64
	angles := make([]float64, len(kinds))
	for i, kind := range kinds {
		angles[i] = between(features[i], means[kind]) / degree
	}
	slices.Sort(angles)
	for i := range means {
		near := math.Pi
		for j := range means {
			if i != j {
				near = min(near, between(means[i], means[j]))
			}
		}
		nearest += near / degree / digitKinds
	}
	t.features, t.weights = append(t.features, features), append(t.weights, weights)
	t.correct = append(t.correct, float64(right)/float64(len(kinds)))
	t.spread, t.nearest = append(t.spread, angles[len(angles)/2]), append(t.nearest, nearest)
}

// between returns the angle between two vectors.
func between(a, b xy) float64 {
	return math.Abs(math.Atan2(a.X*b.Y-a.Y*b.X, a.X*b.X+a.Y*b.Y))
}
