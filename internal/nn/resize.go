package nn

import (
	"fmt"
	"math"
)

func init() {
	register(Resize, func(d *node, _ *resolved) (err error) {
		if err := d.inputs(1); err != nil {
			return err
		}
		if d.shape, err = d.to(); err != nil {
			return err
		}
		if d.shape.C != d.from.C {
			return fmt.Errorf("makes %v of %v; channels are not resized", d.shape, d.from)
		}
		for _, s := range []float64{d.ScaleH, d.ScaleW} {
			if !(s > 0 && s <= maxOut) {
				return fmt.Errorf("scales are %v and %v", d.ScaleH, d.ScaleW)
			}
		}
		if _, ok := coordinates[d.Coordinates]; !ok {
			return fmt.Errorf("there are no coordinates %q", d.Coordinates)
		}
		if _, ok := roundings[d.Rounding]; d.Function == "nearest" && !ok {
			return fmt.Errorf("there is no rounding %q", d.Rounding)
		}
		return d.oneOf("nearest", "linear", "cubic")
	}, func(d *node) operation {
		return &resize{rows: d.taps(d.from.H, d.shape.H, d.ScaleH), cols: d.taps(d.from.W, d.shape.W, d.ScaleW)}
	})
}

// coordinates say where pixel x of the result lies in the image: ONNX's coordinate_transformation_mode. in and out are
// sides, scale is about out/in.
var coordinates = map[string]func(x, in, out, scale float64) float64{
	"half_pixel": func(x, _, _, scale float64) float64 { return (x+0.5)/scale - 0.5 },
	"half_pixel_symmetric": func(x, in, out, scale float64) float64 {
		adjustment := out / (in * scale)
		return in/2*(1-adjustment) + (x+0.5)/scale - 0.5
	},
	"pytorch_half_pixel": func(x, _, out, scale float64) float64 {
		if out > 1 {
			return (x+0.5)/scale - 0.5
		}
		return 0
	},
	"align_corners": func(x, in, out, scale float64) float64 {
		if out == 1 {
			return 0
		}
		return x * (in - 1) / (in*scale - 1)
	},
	"asymmetric": func(x, _, _, scale float64) float64 { return x / scale },
}

// roundings are ONNX's nearest_mode.
var roundings = map[string]func(x float64) float64{
	"round_prefer_floor": func(x float64) float64 { return math.Ceil(x - 0.5) },
	"round_prefer_ceil":  func(x float64) float64 { return math.Floor(x + 0.5) },
	"floor":              math.Floor,
	"ceil":               math.Ceil,
}

// tap is a pixel and its weight.
type tap struct {
	at     int
	weight float32
}

// taps returns, for each pixel along a side of the result, those of the image that it is a sum of.
func (d *node) taps(in, out int, scale float64) [][]tap {
	all := make([][]tap, out)
	for i := range all {
		x := coordinates[d.Coordinates](float64(i), float64(in), float64(out), scale)
		add := func(at int, weight float64) {
			all[i] = append(all[i], tap{min(max(at, 0), in-1), float32(weight)})
		}
		low := int(math.Floor(x))
		t := x - math.Floor(x)
		switch d.Function {
		case "nearest":
			add(int(roundings[d.Rounding](x)), 1)
		case "linear":
			add(low, 1-t)
			add(low+1, t)
		case "cubic":
			// Keys' kernel with a = Alpha.
			a := d.Alpha
			add(low-1, ((a*(t+1)-5*a)*(t+1)+8*a)*(t+1)-4*a)
			add(low, ((a+2)*t-(a+3))*t*t+1)
			add(low+1, ((a+2)*(1-t)-(a+3))*(1-t)*(1-t)+1)
			add(low+2, ((a*(2-t)-5*a)*(2-t)+8*a)*(2-t)-4*a)
		}
	}
	return all
}

// resize sums up pixels of some rows and columns.
type resize struct{ rows, cols [][]tap }

func (o *resize) init(*engine, *general) {}

func (o *resize) forward(e *engine, u *general) {
	in, out := u.from, u.shape
	inRows(e.pool, e.n, out.H, func(n, oy int) {
		x, y := u.xs[0].image(n), u.y.image(n)[oy*out.W*out.C:][:out.W*out.C]
		for ox := range out.W {
			dst := y[ox*out.C:][:out.C]
			first := true
			for _, row := range o.rows[oy] {
				for _, col := range o.cols[ox] {
					src, w := x[(row.at*in.W+col.at)*in.C:][:len(dst)], row.weight*col.weight
					switch {
					case first && w == 1:
						copy(dst, src)
					case first:
						for c, v := range src {
							dst[c] = w * v
						}
					case w != 0:
						for c, v := range src {
							dst[c] += w * v
						}
					}
					first = false
				}
			}
		}
	})
}
