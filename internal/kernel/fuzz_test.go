package kernel

import (
	"testing"

	"github.com/faceverify/fv/internal/cpu"
)

// Convolutions of any small shape, of every kind that has it and on every variant, agree with the definition.
func FuzzConv(f *testing.F) {
	for _, s := range append(append(convShapes, mixedShapes[:4]...), winogradShapes[:5]...) {
		f.Add(uint8(s.In.N), uint8(s.In.H), uint8(s.In.W), uint8(s.In.C), uint8(s.Out.C), uint8(s.KH), uint8(s.StrideH), uint8(s.PadH), uint8(s.Groups), uint8(s.In.Pad))
	}
	f.Fuzz(func(t *testing.T, n, h, w, in, out, k, stride, pad, groups, border uint8) {
		if min(n, h, w, in, out, k, stride, groups) < 1 || n > 9 || h > 12 || w > 12 || in > 96 || out > 96 || k > 5 || stride > 3 || pad >= k || border > 2 ||
			in%groups != 0 || out%groups != 0 || h+2*pad < k || w+2*pad < k {
			t.Skip()
		}
		s := conv(int(n), int(h), int(w), int(in), int(out), int(k), int(stride), int(pad), int(groups), int(border))
		exact := func(x []float32) []float32 { return x }
		for _, v := range cpu.Variants() {
			old := variant
			SetVariant(v)
			testConv(t, NewConv(s, new(Scratch)), s, s.In.N, exact)
			if Mixes(s) {
				testConv(t, NewMixedConv(s, new(Scratch)), s, s.In.N, rounded)
			}
			if Winogrades(s) {
				testConv(t, NewWinograd(s, new(Scratch)), s, s.In.N, exact)
			}
			if Winogrades(s) && Mixes(s) {
				testConvAgainst(t, NewMixedWinograd(s, new(Scratch)), s, s.In.N, mixedWinogradOracle, closeRoundedSum)
			}
			if in == out && in == groups {
				testConv(t, &depthwiseConv{Depthwise: NewDepthwise(s)}, s, s.In.N, exact)
			}
			SetVariant(old)
		}
	})
}
