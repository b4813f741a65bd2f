package onnx

import (
	"fmt"

	"github.com/faceverify/fv/internal/nn"
)

func init() {
	converters["Gemm"] = one(gemm)
	converters["MatMul"] = one(func(im *importer, in []*value) (*value, error) {
		w, err := im.constant(in, 1)
		if err != nil {
			return nil, err
		}
		if w == nil || len(w.dims) != 2 {
			return nil, fmt.Errorf("it multiplies with an array that is no matrix, which is not supported")
		}
		return im.product(in[0], transposeMatrix(w), nil)
	})
	converters["BatchNormalization"] = one(batchNorm)
	converters["PRelu"] = one(prelu)
}

// transposeMatrix returns the transpose of a matrix.
func transposeMatrix(a *array) *array {
	rows, cols := a.dims[0], a.dims[1]
	f := a.float()
	t := &array{dims: []int{cols, rows}, floats: make([]float32, len(f))}
	for i := range rows {
		for j := range cols {
			t.floats[j*rows+i] = f[i*cols+j]
		}
	}
	return t
}

// scaled returns an array times s.
func scaled(a *array, s float64) *array {
	if a == nil || s == 1 {
		return a
	}
	out := &array{dims: a.dims, floats: make([]float32, a.len())}
	for i := range out.floats {
		out.floats[i] = float32(a.at(i) * s)
	}
	return out
}

// gemm is alpha A B + beta C.
func gemm(im *importer, in []*value) (*value, error) {
	w, err := im.constant(in, 1)
	if err != nil {
		return nil, err
	}
	c, err := im.constant(in, 2)
	if err != nil {
		return nil, err
	}
	if w == nil || len(w.dims) != 2 || len(in[0].dims) != 2 {
		return nil, fmt.Errorf("it does not multiply two matrices")
	}
	if im.op.int("transB", 0) == 0 {
		w = transposeMatrix(w)
	}
	a := in[0]
	if im.op.int("transA", 0) != 0 {
		if a, err = im.transposed(a, []int{1, 0}); err != nil {
			return nil, err
		}
	}
	w, c = scaled(w, im.op.float("alpha", 1)), scaled(c, im.op.float("beta", 1))
	if c != nil && c.len() == w.dims[0] && len(c.dims) > 0 && c.dims[len(c.dims)-1] == w.dims[0] {
		return im.product(a, w, c)
	}
	y, err := im.product(a, w, nil)
	if err != nil || c == nil {
		return y, err
	}
	return im.binary("add", y, &value{dims: c.dims, c: c})
}

// product is x wᵀ [+ bias] for each row of x, its last side; w is [out, in].
func (im *importer) product(x *value, w, bias *array) (*value, error) {
	rank := len(x.dims)
	if rank < 1 || x.dims[rank-1] != w.dims[1] || w.len() == 0 {
		return nil, fmt.Errorf("it multiplies %v with %v", x.dims, []int{w.dims[1], w.dims[0]})
	}
	k, out := w.dims[1], w.dims[0]
	dims := append(append([]int(nil), x.dims[:rank-1]...), out)
	rows := count(x.dims) / k
	l := nn.Layer{Name: im.name(""), Out: out, Bias: bias != nil}
	im.weights[l.Name+".weight"] = w.float()
	if bias != nil {
		im.weights[l.Name+".bias"] = bias.float()
	}
	if rows == 1 {
		l.Kind = nn.Linear
		if x.perm == nil && x.layer != "" && (x.shape.H*x.shape.W > 1 || x.flatten != "") {
			// The layer reads an image in memory as it is.
			name := x.flatten
			if name == "" || im.taken[name] {
				name = im.name("/flatten")
			}
			im.taken[name] = true
			f, err := im.push(nn.Layer{Name: name, Kind: nn.Flatten, Inputs: []string{x.layer}}, []int{1, k})
			if err != nil {
				return nil, err
			}
			l.Inputs = []string{f.layer}
		} else {
			name, err := im.layer(x, []int{1, k}, 1)
			if err != nil {
				return nil, err
			}
			l.Inputs = []string{name}
		}
		return im.push(l, dims)
	}
	// Rows are pixels of an image with k channels.
	columns, err := im.transposed(reshaped(x, []int{rows, k}), []int{1, 0})
	if err != nil {
		return nil, err
	}
	name, err := im.layer(columns, []int{1, k, rows, 1}, 1)
	if err != nil {
		return nil, err
	}
	l.Kind, l.Kernel, l.Inputs = nn.Convolution, 1, []string{name}
	y, err := im.push(l, []int{out, rows})
	if err != nil {
		return nil, err
	}
	if y, err = im.transposed(y, []int{1, 0}); err != nil {
		return nil, err
	}
	return reshaped(y, dims), nil
}

// channels returns the layer of v whose channels are v's second side, as batch norms want it.
func (im *importer) channels(v *value) (string, int, error) {
	if len(v.dims) < 2 || v.dims[0] != 1 {
		return "", 0, fmt.Errorf("it reads an array of %v; want [1,C,...]", v.dims)
	}
	name, err := im.layer(v, v.dims, 1)
	return name, v.dims[1], err
}

func batchNorm(im *importer, in []*value) (*value, error) {
	if im.op.int("training_mode", 0) != 0 || im.op.int("spatial", 1) != 1 {
		return nil, fmt.Errorf("its training_mode or spatial is not supported")
	}
	x, n, err := im.channels(in[0])
	if err != nil {
		return nil, err
	}
	l := nn.Layer{Name: im.name(""), Kind: nn.BatchNorm, Inputs: []string{x}}
	epsilon := float32(im.op.float("epsilon", float64(float32(1e-5))))
	if epsilon != 1e-5 {
		l.Epsilon = float64(epsilon)
	}
	for i, part := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
		a, err := im.constant(in, i+1)
		if err != nil {
			return nil, err
		}
		if a == nil || a.len() != n {
			return nil, fmt.Errorf("its input %d does not have one number for each of %d channels", i+2, n)
		}
		im.weights[l.Name+part] = a.float()
	}
	if l.Epsilon == 0 && epsilon == 0 {
		l.Epsilon = 1e-30
	}
	return im.push(l, in[0].dims)
}

func prelu(im *importer, in []*value) (*value, error) {
	v := in[0]
	slope, err := im.constant(in, 1)
	if err != nil {
		return nil, err
	}
	if slope == nil {
		return nil, fmt.Errorf("it has no slope")
	}
	if per, k, ok := im.perChannel(slope, v.dims); ok {
		x, err := im.layer(v, v.dims, k)
		if err != nil {
			return nil, err
		}
		l := nn.Layer{Name: im.name(""), Kind: nn.PReLU, Inputs: []string{x}}
		im.weights[l.Name+".weight"] = per
		return im.push(l, v.dims)
	}
	// max(x, 0) + slope min(x, 0)
	above, err := im.apply(v, "clip", 0, unlimited)
	if err != nil {
		return nil, err
	}
	below, err := im.apply(v, "clip", -unlimited, 0)
	if err != nil {
		return nil, err
	}
	if below, err = im.binary("mul", below, &value{dims: slope.dims, c: slope}); err != nil {
		return nil, err
	}
	return im.binary("add", above, below)
}
