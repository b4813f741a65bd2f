package kernel

import (
	"fmt"
	"slices"
	"testing"
)

var mixedShapes = []ConvShape{
	conv(3, 7, 7, 32, 64, 3, 1, 1, 1, 1),
	conv(2, 9, 6, 64, 32, 3, 2, 1, 1, 1), // odd and even sides
	conv(2, 8, 15, 32, 32, 3, 2, 1, 1, 0),
	conv(2, 6, 6, 32, 32, 1, 2, 0, 1, 1), // three of four pixels of dx see nothing
	conv(9, 6, 5, 96, 32, 1, 1, 0, 1, 0),
	conv(1, 9, 9, 32, 32, 5, 1, 2, 1, 1),
	conv(2, 7, 7, 32, 32, 7, 1, 0, 1, 0),
	conv(2, 41, 60, 64, 32, 3, 1, 1, 1, 1), // strips of some rows
	conv(40, 4, 4, 32, 32, 3, 1, 1, 1, 0),  // strips of several images
	conv(1, 3, 40, 32, 32, 3, 3, 0, 1, 1),
}

// rounded returns x in bfloat16.
func rounded(x []float32) []float32 {
	y := slices.Clone(x)
	for i, v := range x {
		y[i], _ = roundPair(v, 0).floats()
	}
	return y
}

func TestMixedConv(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, s := range mixedShapes {
			t.Run(fmt.Sprintf("%v-%v_%dx%d_s%d", s.In, s.Out, s.KH, s.KW, s.StrideH), func(t *testing.T) {
				c := NewMixedConv(s, new(Scratch))
				for _, n := range []int{s.In.N, 1} {
					testConv(t, c, s, n, rounded)
				}
			})
		}
	})
}

func TestMixes(t *testing.T) {
	for _, c := range []struct {
		s    ConvShape
		want bool
	}{
		{conv(1, 4, 4, 32, 64, 3, 1, 1, 1, 0), true},
		{conv(1, 4, 4, 32, 64, 3, 1, 1, 2, 0), false},
		{conv(1, 4, 4, 3, 64, 3, 1, 1, 1, 0), false},
		{conv(1, 4, 4, 64, 48, 3, 1, 1, 1, 0), false},
	} {
		if got := Mixes(c.s); got != c.want {
			t.Errorf("Mixes(%+v) = %v", c.s, got)
		}
	}
}

func TestMixedConvSameForAnyThreads(t *testing.T) {
	for _, s := range []ConvShape{
		conv(5, 14, 14, 64, 32, 3, 1, 1, 1, 1), conv(40, 4, 4, 32, 64, 3, 2, 1, 1, 1),
		conv(1, 4, 2048, 32, 64, 3, 1, 1, 1, 0), conv(1, 3, 2048, 32, 64, 3, 1, 1, 1, 0), // parts of a row or two, whose strips are filled by several
	} {
		sameForAnyThreads(t, s, func(s ConvShape) dense { return NewMixedConv(s, new(Scratch)) })
	}
}
