package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/faceverify/fv/internal/cpu"
)

func TestBfloat16(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want uint16
	}{
		{0, 0}, {1, 0x3f80}, {-2, 0xc000},
		{1 + 1.0/256, 0x3f80},     // half way: to even
		{1 + 3.0/256, 0x3f82},     // half way: to even
		{1 + 1.01/256, 0x3f81},    // above half way
		{math.MaxFloat32, 0x7f80}, // overflows
		{float32(math.Inf(-1)), 0xff80},
	} {
		if got := bfloat16(c.x); got != c.want {
			t.Errorf("bfloat16(%v) = %#x, want %#x", c.x, got, c.want)
		}
	}
	if a, _ := roundPair(float32(math.NaN()), 1).floats(); a == a {
		t.Errorf("a NaN became %v", a)
	}
	if a, b := roundPair(0.5, -3).floats(); a != 0.5 || b != -3 {
		t.Errorf("the halves are %v, %v", a, b)
	}
}

// pairs returns n random pairs and a few behind them that must not matter.
func pairs(r *rand.Rand, n int) []Pair {
	x := make([]Pair, n)
	for i := range x {
		x[i] = roundPair(2*r.Float32()-1, 2*r.Float32()-1)
	}
	return x
}

func TestPairTile(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, c := range []struct{ steps, blocks, words, ldc, add int }{
			{1, 1, 16, 32, 0}, {2, 3, 16, 32, 0}, {9, 2, 48, 40, 1}, {3, 1, 32, 64, 1}, {18, 8, 16, 32, 0}, {350, 2, 16, 32, 1}, // the last ones are cut
		} {
			tile := pairTile{
				blocks: c.blocks, aRow: c.words, aBlock: pairBlock * c.words, bRow: 40, bStep: 16*40 + 8,
				ldc: c.ldc, cBlock: pairBlock * c.ldc, add: c.add,
			}
			var off []int
			for s := range c.steps {
				off = append(off, s*7%5*c.words+s%3)
			}
			a := pairs(r, (pairBlock*c.blocks+5)*c.words+32)
			b := pairs(r, c.steps*tile.bStep)
			got, check := guarded(t, r, c.blocks*tile.cBlock)
			want := make([]float64, len(got))
			for i, v := range got {
				want[i] = float64(v)
			}
			for i := range pairBlock * c.blocks {
				for j := range pairBlock {
					sum := want[i*c.ldc+j] * float64(c.add)
					for s, at := range off {
						for k := range pairBlock / 2 {
							a0, a1 := a[at+i*c.words+k].floats()
							b0, b1 := b[s*tile.bStep+k*tile.bRow+j].floats()
							sum += float64(a0)*float64(b0) + float64(a1)*float64(b1)
						}
					}
					want[i*c.ldc+j] = sum
				}
			}
			tile.run(pairOperands{a, b, got, off})
			check()
			for i, v := range got {
				if !close32(v, want[i], 32*c.steps, 1) {
					t.Fatalf("%+v: entry %d is %v, want %v", c, i, v, want[i])
				}
			}
		}
	})
}

// Preparing pairs and taking sums away must give what the generic kernels give, to the bit.
func TestPairPasses(t *testing.T) {
	equal := func(t *testing.T, what string, got, want []Pair) {
		t.Helper()
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s: word %d is %#x, want %#x", what, i, got[i], want[i])
			}
		}
	}
	for _, v := range cpu.Variants() {
		t.Run(v.String(), func(t *testing.T) {
			old := variant
			defer SetVariant(old)
			SetVariant(v)
			r := rand.New(rand.NewPCG(5, 6))
			src := make([]float32, 192)
			for i := range src {
				src[i] = float32(r.NormFloat64() * math.Pow(2, float64(r.IntN(60)-30)))
			}
			src[3], src[7], src[9] = float32(math.Inf(1)), 0, 1+3.0/256
			src[4], src[11], src[20] = math.MaxFloat32, math.Float32frombits(0x7fffffff), math.Float32frombits(0xff800001)
			got, want := make([]Pair, 97), make([]Pair, 97)
			for _, n := range []int{96, 32, 16, 5, 0} {
				roundPairs(got[:n], src)
				roundPairsGeneric(want[:n], src)
				equal(t, "rounded", got, want)
			}
			const words, count = 32, 3
			x := pairs(r, 2*words*count)
			got, want = make([]Pair, len(x)+1), make([]Pair, len(x)+1)
			interleavePairs(got, x, words, count)
			interleavePairsGeneric(want, x, words, count)
			equal(t, "interleaved", got, want)

			const rows, dstRow, srcRow = 32, 40, 18
			x = pairs(r, rows*srcRow)
			got, want = make([]Pair, 16*dstRow), make([]Pair, 16*dstRow)
			transposePairs(got, x, dstRow, srcRow, rows/16)
			transposePairsGeneric(want, x, dstRow, srcRow, rows/16)
			equal(t, "transposed", got, want)

			for _, bias := range [][]float32{nil, src[64:128]} {
				for _, add := range []bool{false, true} {
					sums, _ := guarded(t, r, 5*pairBlock)
					a, check := guarded(t, r, 4*50+pairBlock)
					b := append([]float32(nil), a...)
					rowsOut(a, sums, bias, 5, 50, add)
					rowsOutGeneric(b, sums, bias, 5, 50, add)
					check()
					for i := range b {
						if a[i] != b[i] {
							t.Fatalf("bias %v, add %v: entry %d is %v, want %v", bias != nil, add, i, a[i], b[i])
						}
					}
				}
			}
		})
	}
}

// The speed of the micro-kernel on operands in the second-level cache: 256 pixels of 576 numbers each times 32 columns.
func BenchmarkPairTile(b *testing.B) {
	forEachVariantB(b, func(b *testing.B) {
		if variant == cpu.Generic {
			b.Skip("generic")
		}
		r := rand.New(rand.NewPCG(1, 2))
		const steps, blocks, words = 18, 8, 32
		tile := pairTile{blocks: blocks, aRow: words, aBlock: pairBlock * words, bRow: 32, bStep: 16 * 32, ldc: 32, cBlock: pairBlock * 32}
		var off []int
		for s := range steps {
			off = append(off, s/2*words+s%2*16)
		}
		o := pairOperands{pairs(r, (pairBlock*blocks+9)*words), pairs(r, steps*tile.bStep), make([]float32, blocks*tile.cBlock), off}
		for b.Loop() {
			tile.run(o)
		}
		b.ReportMetric(2*32*32*32*steps*blocks*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}

// A tile of fewer rows gives these the same bits.
func TestPairTileRows(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		const blocks, words = 2, 16
		a, b := pairs(r, blocks*pairBlock*words), pairs(r, pairBlock*words)
		full := pairTile{blocks: blocks, aRow: words, aBlock: pairBlock * words, bRow: pairBlock, ldc: pairBlock, cBlock: pairBlock * pairBlock}
		for _, steps := range []int{1, 350} { // the latter is cut
			off := make([]int, steps)
			want := make([]float32, blocks*pairBlock*pairBlock)
			full.run(pairOperands{a, b, want, off})
			for rows := pairBlock + 1; rows <= 2*pairBlock; rows++ {
				some := full
				some.rows = rows
				got := make([]float32, len(want))
				some.run(pairOperands{a, b, got, off})
				if n := rows * pairBlock; !slices.Equal(got[:n], want[:n]) {
					t.Errorf("%d steps, %d rows: not those of %d", steps, rows, blocks*pairBlock)
				}
			}
		}
	})
}
