package kernel

import "fmt"

// ConvShape is the geometry of a two-dimensional convolution
//
//	y[n,oy,ox,o] = bias[o] + sum over ky, kx, i of
//	    x[n, oy*StrideH+ky-PadH, ox*StrideW+kx-PadW, i] * w[o,i,ky,kx]
//
// with zeros outside the image. With Groups > 1 the channels of x and y are
// cut into that many equal groups, and each group of y sees its own of x only.
// In.N is the largest batch; Out.N is ignored.
type ConvShape struct {
	In, Out          Layout
	KH, KW           int
	StrideH, StrideW int
	PadH, PadW       int
	Groups           int
}

// check panics where the shape contradicts itself.
func (s ConvShape) check() {
	oh := (s.In.H+2*s.PadH-s.KH)/s.StrideH + 1
	ow := (s.In.W+2*s.PadW-s.KW)/s.StrideW + 1
	if s.Groups < 1 || s.In.C%s.Groups != 0 || s.Out.C%s.Groups != 0 || s.Out.H != oh || s.Out.W != ow {
		panic(fmt.Sprintf("kernel: convolution shape is inconsistent: %+v", s))
	}
}

// Conv is a convolution with everything about its geometry worked out. One goroutine at a time
// may use it, and those that share its Scratch.
type Conv struct {
	s      ConvShape
	cg, og int // channels of a group, in and out
	in     identity
	phases []phase // of the data gradient

	scratch  *Scratch
	own      []float32 // packed, if scratch keeps it
	packed   []float32 // what Forward, or BackwardData, reads
	pending  convCall
	forward  func(int)
	panel    func(int)
	backward func(int)
	weights  func(int)
	reduce   func(int)
	packF    func(int)
	packB    func(int)
}

// convCall holds the arguments of the call under way, so that the functions
// handed to Pool.Run need not be made anew.
type convCall struct {
	n, chunks      int
	y, w, bias, dw []float32
	half           []Pair // instead of y, or nil
	x              reader // of x, or of dy in BackwardData
	add            bool
	collector      Collector
}

// NewConv returns a convolution of the given geometry.
func NewConv(s ConvShape, scratch *Scratch) *Conv {
	s.Groups = max(1, s.Groups)
	s.check()
	c := &Conv{s: s, scratch: scratch, cg: s.In.C / s.Groups, og: s.Out.C / s.Groups, in: newIdentity(s.In.C)}
	c.phases = c.makePhases()
	c.forward = c.forwardChunk
	c.panel = c.forwardPanel
	c.backward = c.backwardChunk
	c.weights = c.weightsChunk
	c.reduce = c.reduceChunk
	c.packF = c.packForwardPanel
	c.packB = c.packBackwardPanel
	return c
}

// Kind returns "direct".
func (c *Conv) Kind() string { return "direct" }

// rowChunks returns how many pieces each image's rows are cut into so that
// small batches still occupy several threads.
func rowChunks(n, rows int) int {
	const want = 16
	return min(rows, (want+n-1)/n)
}
