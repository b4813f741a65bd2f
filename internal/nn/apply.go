package nn

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
)

// function is what an Apply layer applies: f(x), and its derivative, where it has one to train through. a and b are Alpha and Beta.
type function struct {
	f          func(x, a, b float64) float64
	derivative func(x, a, b float64) float64
	// fast does a whole slice, where that is worth it; y may be x.
	fast func(y, x []float32, a, b float32)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// step is 1 within (lo, hi) and 0 elsewhere.
func step(x, lo, hi float64) float64 {
	if x > lo && x < hi {
		return 1
	}
	return 0
}

func positive(x, yes, no float64) float64 {
	if x > 0 {
		return yes
	}
	return no
}

// clip keeps NaN, as min and max do.
func clip(x, lo, hi float64) float64 { return min(max(x, lo), hi) }

// normal is the distribution function of the normal distribution, normalDensity its derivative.
func normal(x float64) float64        { return 0.5 * (1 + math.Erf(x/math.Sqrt2)) }
func normalDensity(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

var functions = map[string]function{
	"clip":      {f: clip, derivative: step, fast: kernel.Clip},
	"sigmoid":   {f: func(x, _, _ float64) float64 { return sigmoid(x) }, derivative: func(x, _, _ float64) float64 { return sigmoid(x) * sigmoid(-x) }},
	"tanh":      {f: func(x, _, _ float64) float64 { return math.Tanh(x) }, derivative: func(x, _, _ float64) float64 { return 1 - math.Pow(math.Tanh(x), 2) }},
	"silu":      {f: func(x, _, _ float64) float64 { return x * sigmoid(x) }, derivative: func(x, _, _ float64) float64 { return sigmoid(x) * (1 + x*sigmoid(-x)) }},
	"softplus":  {f: func(x, _, _ float64) float64 { return softplus(x) }, derivative: func(x, _, _ float64) float64 { return sigmoid(x) }},
	"softsign":  {f: func(x, _, _ float64) float64 { return x / (1 + math.Abs(x)) }, derivative: func(x, _, _ float64) float64 { return math.Pow(1+math.Abs(x), -2) }},
	"gelu":      {f: func(x, _, _ float64) float64 { return x * normal(x) }, derivative: func(x, _, _ float64) float64 { return normal(x) + x*normalDensity(x) }},
	"exp":       {f: func(x, _, _ float64) float64 { return math.Exp(x) }, derivative: func(x, _, _ float64) float64 { return math.Exp(x) }},
	"abs":       {f: func(x, _, _ float64) float64 { return math.Abs(x) }, derivative: func(x, _, _ float64) float64 { return positive(x, 1, -1) }},
	"log":       {f: func(x, _, _ float64) float64 { return math.Log(x) }},
	"sqrt":      {f: func(x, _, _ float64) float64 { return math.Sqrt(x) }},
	"inverse":   {f: func(x, _, _ float64) float64 { return 1 / x }},
	"floor":     {f: func(x, _, _ float64) float64 { return math.Floor(x) }},
	"ceil":      {f: func(x, _, _ float64) float64 { return math.Ceil(x) }},
	"round":     {f: func(x, _, _ float64) float64 { return math.RoundToEven(x) }},
	"erf":       {f: func(x, _, _ float64) float64 { return math.Erf(x) }},
	"pow":       {f: func(x, a, _ float64) float64 { return math.Pow(x, a) }, derivative: func(x, a, _ float64) float64 { return a * math.Pow(x, a-1) }},
	"linear":    {f: func(x, a, b float64) float64 { return a*x + b }, derivative: func(_, a, _ float64) float64 { return a }},
	"threshold": {f: func(x, a, _ float64) float64 { return positive(x-a, x, 0) }, derivative: func(x, a, _ float64) float64 { return positive(x-a, 1, 0) }},
	"elu": { // a (e^x - 1) below 0
		f:          func(x, a, _ float64) float64 { return positive(x, x, a*math.Expm1(min(x, 0))) },
		derivative: func(x, a, _ float64) float64 { return positive(x, 1, a*math.Exp(min(x, 0))) },
	},
	"selu": { // b times elu
		f:          func(x, a, b float64) float64 { return b * positive(x, x, a*math.Expm1(min(x, 0))) },
		derivative: func(x, a, b float64) float64 { return b * positive(x, 1, a*math.Exp(min(x, 0))) },
	},
	"celu": { // a (e^(x/a) - 1) below 0
		f:          func(x, a, _ float64) float64 { return max(x, 0) + min(0, a*math.Expm1(x/a)) },
		derivative: func(x, a, _ float64) float64 { return positive(x, 1, math.Exp(min(x, 0)/a)) },
	},
	"mish": {
		f: func(x, _, _ float64) float64 { return x * math.Tanh(softplus(x)) },
		derivative: func(x, _, _ float64) float64 {
			t := math.Tanh(softplus(x))
			return t + x*(1-t*t)*sigmoid(x)
		},
	},
	"hardsigmoid": { // clip(a x + b, 0, 1)
		f:          func(x, a, b float64) float64 { return clip(a*x+b, 0, 1) },
		derivative: func(x, a, b float64) float64 { return a * step(a*x+b, 0, 1) },
	},
	"hardswish": { // x clip(a x + b, 0, 1)
		f:          func(x, a, b float64) float64 { return x * clip(a*x+b, 0, 1) },
		derivative: func(x, a, b float64) float64 { return clip(a*x+b, 0, 1) + x*a*step(a*x+b, 0, 1) },
		fast:       kernel.HardSwish,
	},
}

// Functions returns the names of what an Apply layer can apply.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }

// LeakyReLU is y = x for x > 0, Alpha x elsewhere.
const LeakyReLU Kind = "leakyrelu"

func init() {
	register(Apply, func(d *node, _ *resolved) error {
		d.shape = d.from
		if _, ok := functions[d.Function]; !ok {
			return fmt.Errorf("there is no function %q; there are %v", d.Function, Functions())
		}
		return d.inputs(1)
	}, func(d *node) operation { return &apply{function: functions[d.Function], a: d.Alpha, b: d.Beta} })
	register(LeakyReLU, func(d *node, _ *resolved) error {
		d.shape = d.from
		return d.inputs(1)
	}, nil)
}

// apply is y = f(x).
type apply struct {
	function
	a, b float64
}

func (o *apply) init(*engine, *general) {}

// run applies the function to a slice; y may be x.
func (o *apply) run(y, x []float32) {
	if o.fast != nil {
		o.fast(y, x, float32(o.a), float32(o.b))
		return
	}
	for i, v := range x {
		y[i] = float32(o.f(float64(v), o.a, o.b))
	}
}

func (o *apply) forward(e *engine, u *general) {
	x, y := u.xs[0].data, u.y.data
	inChunks(e.pool, e.n*u.shape.Len(), func(lo, hi int) { o.run(y[lo:hi], x[lo:hi]) })
}

// backward: dx = dy f'(x).
func (o *apply) backward(e *engine, u *general) {
	add, wanted := u.adds(e, 0)
	if !wanted {
		return
	}
	x, dx, dy := u.xs[0].data, u.xs[0].grad, u.y.grad
	inChunks(e.pool, e.n*u.shape.Len(), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d := float32(float64(dy[i]) * o.derivativeOf(x[i]))
			if add {
				d += dx[i]
			}
			dx[i] = d
		}
	})
}

func (o *apply) derivativeOf(x float32) float64 {
	if o.derivative == nil {
		return math.NaN()
	}
	return o.derivative(float64(x), o.a, o.b)
}

// epilogue makes an Apply layer that is alone in reading node i part of the convolution that gives tensor x, in inference.
func (b *builder) epilogue(i, x int) {
	j := b.next(i)
	if b.training || j == 0 || b.net.nodes[j].Kind != Apply || len(b.tensors[x].readers) > 0 || b.tensors[x].maker < 0 {
		return
	}
	c, ok := b.units[b.tensors[x].maker].(*convolution)
	if !ok || c.collect != nil {
		return
	}
	d := &b.net.nodes[j]
	o := &apply{function: functions[d.Function], a: d.Alpha, b: d.Beta}
	c.collect = kernel.NewActivation(func(x []float32) { o.run(x, x) })
	b.done[j] = true
	b.of[j] = x
}
