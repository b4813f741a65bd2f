package kernel

import "math"

// winogradTile is the side of a tile of outputs of Winograd's convolution, and winogradPatch that of the patch
// of inputs that such a tile sees, and of all that is multiplied.
const (
	winogradTile  = 4
	winogradPatch = 6
)

// winogradPoints is the number of products that a tile takes: instead of 9 for each of 16 outputs.
const winogradPoints = winogradPatch * winogradPatch

// transform is one of the linear maps of Winograd's convolution
//
//	Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A
//
// of a patch d with a kernel g (Lavin and Gray 2016, eq. 12), or of its gradient
//
//	dg = Gᵀ [(Bᵀ d B) ∘ (A dY Aᵀ)] G
//
// each of the form L x Lᵀ.
type transform int

const (
	inputTransform transform = iota // L = Bᵀ
	outputTransform
	gradientTransform // A
	weightsTransform  // G
	weightsGradientTransform
)

// The matrices evaluate polynomials at 0, ±√½, ±√2 and infinity. Lavin and Gray's points, 0, ±1, ±2 and
// infinity, lose nearly three times as much to rounding.
const (
	sqrtHalf = math.Sqrt2 / 2
	sqrt2    = math.Sqrt2
)

var winogradMatrices = [...][][]float32{
	inputTransform: {
		{1, 0, -2.5, 0, 1, 0},
		{0, -sqrt2, -2, sqrtHalf, 1, 0},
		{0, sqrt2, -2, -sqrtHalf, 1, 0},
		{0, -sqrtHalf, -0.5, sqrt2, 1, 0},
		{0, sqrtHalf, -0.5, -sqrt2, 1, 0},
		{0, 1, 0, -2.5, 0, 1},
	},
	outputTransform: {
		{1, 1, 1, 1, 1, 0},
		{0, sqrtHalf, -sqrtHalf, sqrt2, -sqrt2, 0},
		{0, 0.5, 0.5, 2, 2, 0},
		{0, sqrtHalf / 2, -sqrtHalf / 2, 2 * sqrt2, -2 * sqrt2, 1},
	},
	gradientTransform: nil, // the transpose of the output's
	weightsTransform: {
		{1, 0, 0},
		{-2. / 3, -2. / 3 * sqrtHalf, -1. / 3},
		{-2. / 3, 2. / 3 * sqrtHalf, -1. / 3},
		{1. / 6, sqrt2 / 6, 1. / 3},
		{1. / 6, -sqrt2 / 6, 1. / 3},
		{0, 0, 1},
	},
	weightsGradientTransform: nil, // the transpose of the weights'
}

func init() {
	winogradMatrices[gradientTransform] = transposed(winogradMatrices[outputTransform])
	winogradMatrices[weightsGradientTransform] = transposed(winogradMatrices[weightsTransform])
}

func transposed(m [][]float32) [][]float32 {
	t := make([][]float32, len(m[0]))
	for i := range t {
		for j := range m {
			t[i] = append(t[i], m[j][i])
		}
	}
	return t
}

// transformCall is one call of a transform: for each of lanes lanes, and with x[i][j] = src[i*srcRow + j*srcCol + lane],
//
//	dst[i*dstRow + j*dstCol + lane] (= | +=) (L x Lᵀ)[i][j] + bias[lane]
//
// lanes is a multiple of 16. bias may be nil; it, and adding, are for outputTransform, one at a time. Where pairs is
// not nil, lanes 2k and 2k+1 go, rounded to bfloat16, to pairs[i*dstRow + j*dstCol + k] instead of to dst; that is for
// inputTransform and gradientTransform. A dstRow of 0 stands for as many dstCol as L has rows.
type transformCall struct {
	dst, src, bias                 []float32
	pairs                          []Pair
	dstRow, dstCol, srcRow, srcCol int
	lanes                          int
	add                            bool

	dstTile, srcTile int // how far the next tile's are
}

// next moves the destination to the next tile's.
func (c *transformCall) next() {
	if c.pairs != nil {
		c.pairs = c.pairs[min(len(c.pairs), c.dstTile):]
	} else {
		c.dst = c.dst[min(len(c.dst), c.dstTile):]
	}
}

// run applies t.
func (c *transformCall) run(t transform) {
	if c.lanes < 1 || c.lanes%16 != 0 || c.add && c.bias != nil {
		panic("kernel: bad lanes of a transform")
	}
	l := winogradMatrices[t]
	if c.dstRow == 0 {
		c.dstRow = len(l) * c.dstCol
	}
	_ = c.src[(len(l[0])-1)*(c.srcRow+c.srcCol)+c.lanes-1]
	last := (len(l) - 1) * (c.dstRow + c.dstCol)
	switch {
	case c.pairs == nil:
		_ = c.dst[last+c.lanes-1]
	case t == inputTransform || t == gradientTransform:
		_ = c.pairs[last+c.lanes/2-1]
	default:
		panic("kernel: no such transform to pairs")
	}
	if c.bias != nil {
		_ = c.bias[c.lanes-1]
	}
	c.dispatch(t)
}

// runGeneric is the definition of the transforms.
func (c *transformCall) runGeneric(t transform) {
	l := winogradMatrices[t]
	for lane := range c.lanes {
		var half, x [winogradPatch][winogradPatch]float32 // L x and then, row by row, L x Lᵀ
		for j := range l[0] {
			for k := range l[0] {
				x[k][j] = c.src[k*c.srcRow+j*c.srcCol+lane]
			}
		}
		for i, row := range l {
			for k, v := range row {
				if v != 0 {
					for j := range l[0] {
						half[i][j] += v * x[k][j]
					}
				}
			}
		}
		for i := range l {
			for j, row := range l {
				var sum float32
				for k, v := range row {
					sum += v * half[i][k]
				}
				c.store(i*c.dstRow+j*c.dstCol, lane, sum)
			}
		}
	}
}

// store puts one lane of a result to where it belongs.
func (c *transformCall) store(at, lane int, sum float32) {
	switch {
	case c.pairs == nil:
		if c.bias != nil {
			sum += c.bias[lane]
		}
		if c.add {
			sum += c.dst[at+lane]
		}
		c.dst[at+lane] = sum
	case lane%2 == 0:
		c.pairs[at+lane/2] = roundPair(sum, 0)
	default:
		c.pairs[at+lane/2] |= roundPair(0, sum)
	}
}
