package kernel

// The passes of a softmax over very many classes: over a matrix [rows, cols] that has a row for each
// class and a column for each sample, so that what belongs to a class is one number of a row.

// softmaxArgs are the operands of the assembly, which knows the order of the fields. It
// goes through the first cols columns of each row; rows are stride apart.
type softmaxArgs struct {
	out, x, y          *float32 // matrices
	scale, shift       *float32 // [rows]
	col                *float32 // [cols]
	sum                *float64 // [cols]
	rows, cols, stride int
	factor             float32
}

// ScaleRows computes z_ji = x_ji scale_j + shift_j of matrices [rows, cols], rows = len(scale). z may be x.
func ScaleRows(z, x, scale, shift []float32) {
	rows, cols := checkRows(x, scale)
	checkFlat(len(z), len(x))
	checkFlat(rows, len(shift))
	done := scaleRowsVector(z, x, scale, shift, cols)
	for j, a := range scale {
		z, x, b := z[j*cols:][:cols], x[j*cols:][:cols], shift[j]
		for i := done; i < cols; i++ {
			z[i] = x[i]*a + b
		}
	}
}

// MaxRows computes top_i = max(top_i, max over j of z_ji) of a matrix z [rows, cols], cols = len(top). NaN is
// passed over.
func MaxRows(top, z []float32) {
	rows, cols := checkRows(z, top)
	rows, cols = cols, rows
	done := maxRowsVector(top, z, rows)
	for j := range rows {
		z := z[j*cols:][:cols]
		for i := done; i < cols; i++ {
			if z[i] > top[i] {
				top[i] = z[i]
			}
		}
	}
}

// SumExpRows computes sum_i += sum over j of e^(z_ji - top_i) of a matrix z [rows, cols], cols = len(top). z is
// overwritten with what is of no use.
func SumExpRows(sum []float64, z, top []float32) {
	rows, cols := checkRows(z, top)
	rows, cols = cols, rows
	checkFlat(len(sum), cols)
	done := sumExpRowsVector(sum, z, top, rows)
	if done == cols {
		return
	}
	for j := range rows {
		z := z[j*cols:][:cols]
		for i := done; i < cols; i++ {
			z[i] -= top[i]
		}
		exp32(z[done:], z[done:])
		for i := done; i < cols; i++ {
			sum[i] += float64(z[i])
		}
	}
}

// SoftmaxRows computes g_ji = factor scale_j e^(x_ji scale_j + shift_j - lse_i) of matrices [rows, cols], rows =
// len(scale) and cols = len(lse).
func SoftmaxRows(g, x, scale, shift, lse []float32, factor float32) {
	rows, cols := checkRows(x, scale)
	checkFlat(len(g), len(x))
	checkFlat(rows, len(shift))
	checkFlat(cols, len(lse))
	done := softmaxRowsVector(g, x, scale, shift, lse, factor)
	if done == cols {
		return
	}
	for j, a := range scale {
		g, x := g[j*cols:][:cols], x[j*cols:][:cols]
		for i := done; i < cols; i++ {
			g[i] = x[i]*a + (shift[j] - lse[i])
		}
		exp32(g[done:], g[done:])
		for i := done; i < cols; i++ {
			g[i] *= factor * a
		}
	}
}

// DotRows computes dot_j = sum over i of x_ji y_ji of matrices [rows, cols], rows = len(dot).
func DotRows(dot, x, y []float32) {
	_, cols := checkRows(x, dot)
	checkFlat(len(x), len(y))
	done := dotRowsVector(dot, x, y, cols)
	for j := range dot {
		x, y := x[j*cols:][:cols], y[j*cols:][:cols]
		var s [4]float32 // four sums keep the adder busy
		for i := done; i < cols; i++ {
			s[i&3] += x[i] * y[i]
		}
		rest := (s[0] + s[1]) + (s[2] + s[3])
		if done > 0 {
			rest += dot[j]
		}
		dot[j] = rest
	}
}

// AddScaledRows computes y_ji += a_j x_ji of matrices [rows, cols], rows = len(a).
func AddScaledRows(y, x, a []float32) {
	_, cols := checkRows(x, a)
	checkFlat(len(x), len(y))
	done := addScaledRowsVector(y, x, a, cols)
	for j, a := range a {
		y, x := y[j*cols:][:cols], x[j*cols:][:cols]
		for i := done; i < cols; i++ {
			y[i] += a * x[i]
		}
	}
}

// checkRows returns the number of rows and columns of a matrix that has a number in by for each row; or, read
// the other way, for each column.
func checkRows(x, by []float32) (rows, cols int) {
	if len(by) == 0 || len(x) == 0 || len(x)%len(by) != 0 {
		panic("kernel: a matrix without rows or columns, or with part of one")
	}
	return len(by), len(x) / len(by)
}
