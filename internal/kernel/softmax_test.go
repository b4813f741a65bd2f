package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Every kernel over rows against float64 code, at column counts that fill vectors and that do not.
func TestSoftmaxRows(t *testing.T) {
	forEachVariant(t, func(t *testing.T) {
		for _, s := range [][2]int{{1, 1}, {3, 7}, {5, 8}, {4, 16}, {7, 43}, {300, 64}} {
			t.Run(fmt.Sprint(s), func(t *testing.T) { testSoftmaxRows(t, s[0], s[1]) })
		}
	})
}

func testSoftmaxRows(t *testing.T, rows, cols int) {
	r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	size := rows * cols
	x, checkX := guarded(t, r, size)
	y, checkY := guarded(t, r, size)
	out, checkOut := guarded(t, r, size)
	scale, checkScale := guarded(t, r, rows)
	shift, checkShift := guarded(t, r, rows)
	col, checkCol := guarded(t, r, cols)
	for j := range scale {
		scale[j] *= 10
	}
	check := func(name string, got float32, want, size float64, at int) {
		t.Helper()
		// exp32 is documented with 3e-7; its argument is rounded before.
		if math.Abs(float64(got)-want) > 1e-5*size {
			t.Fatalf("%s: %v at %d, want %v", name, got, at, want)
		}
	}
	z := func(j, i int) float64 {
		return float64(x[j*cols+i])*float64(scale[j]) + float64(shift[j])
	}

	ScaleRows(out, x, scale, shift)
	for at, v := range out {
		check("ScaleRows", v, z(at/cols, at%cols), 10, at)
	}

	top := append([]float32(nil), col...)
	MaxRows(top, out)
	for i, v := range top {
		want := col[i]
		for j := range rows {
			want = max(want, out[j*cols+i])
		}
		if v != want {
			t.Fatalf("MaxRows: %v at %d, want %v", v, i, want)
		}
	}

	sum := make([]float64, cols)
	want := make([]float64, cols)
	for i := range sum {
		sum[i] = float64(i)
		want[i] = sum[i]
		for j := range rows {
			want[i] += math.Exp(float64(out[j*cols+i]) - float64(top[i]))
		}
	}
	SumExpRows(sum, out, top)
	for i, v := range sum {
		if math.Abs(v-want[i]) > 2e-6*(want[i]+1) {
			t.Fatalf("SumExpRows: %v at %d, want %v", v, i, want[i])
		}
	}

	const factor = 0.25
	SoftmaxRows(out, x, scale, shift, top, factor)
	for at, v := range out {
		j, i := at/cols, at%cols
		e := math.Exp(z(j, i) - float64(top[i]))
		check("SoftmaxRows", v, factor*float64(scale[j])*e, 10*e+1e-30, at)
	}

	dot, checkDot := guarded(t, r, rows)
	DotRows(dot, x, y)
	for j, v := range dot {
		var want float64
		for i := range cols {
			want += float64(x[j*cols+i]) * float64(y[j*cols+i])
		}
		if !close32(v, want, cols, 1) {
			t.Fatalf("DotRows: %v at %d, want %v", v, j, want)
		}
	}

	old := append([]float32(nil), y...)
	AddScaledRows(y, x, scale)
	for at, v := range y {
		check("AddScaledRows", v, float64(old[at])+float64(scale[at/cols])*float64(x[at]), 10, at)
	}
	for _, f := range []func(){checkX, checkY, checkOut, checkScale, checkShift, checkCol, checkDot} {
		f()
	}
}

// e^x is 0 far below, and NaN stays, in every lane.
func TestSoftmaxRowsSpecial(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	forEachVariant(t, func(t *testing.T) {
		const cols = 19
		for i := range cols {
			for _, c := range []struct{ x, want float32 }{{-inf, 0}, {-1e30, 0}, {-87.5, 0}, {0, 1}, {nan, nan}} {
				x, top := make([]float32, cols), make([]float32, cols)
				x[i] = c.x
				g := make([]float32, cols)
				SoftmaxRows(g, x, []float32{1}, []float32{0}, top, 1)
				sum := make([]float64, cols)
				SumExpRows(sum, append([]float32(nil), x...), top)
				for k, v := range g {
					want := float32(1)
					if k == i {
						want = c.want
					}
					same := v == want || v != v && want != want
					if s := float32(sum[k]); !same || !(s == v || s != s && v != v) {
						t.Fatalf("e^%v is %v and %v in lane %d of %v", x[k], v, s, k, x)
					}
				}
				if MaxRows(top, x); c.x != c.x && top[i] != 0 {
					t.Fatalf("the largest of 0 and NaN is %v in lane %d", top[i], i)
				}
			}
		}
	})
}
