package onnx

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
)

// extended is the row 0 1 ... n-1 with before and after more at its ends, as each mode has it, -1 for the constant: written out
// longhand, one step at a time.
func extended(mode string, n, before, after int) []int {
	row := make([]int, n)
	for i := range row {
		row[i] = i
	}
	ahead, behind := []int{}, []int{} // what comes next on either side
	for i := range max(before, after, 0) {
		switch mode {
		case "constant":
			ahead, behind = append(ahead, -1), append(behind, -1)
		case "edge":
			ahead, behind = append(ahead, 0), append(behind, n-1)
		case "reflect":
			ahead, behind = append(ahead, row[i+1]), append(behind, row[n-2-i])
		case "wrap":
			ahead, behind = append(ahead, row[n-1-i%n]), append(behind, row[i%n])
		}
	}
	out := slices.Clone(ahead[:max(before, 0)])
	slices.Reverse(out)
	out = append(out, row[max(-before, 0):n-max(-after, 0)]...)
	return append(out, behind[:max(after, 0)]...)
}

// A Pad that is alone in its network, of an image and of a constant: every mode, as attributes have it up to opset 10, as inputs have
// it from 11 on, and with axes, which came with 18.
func TestPad(t *testing.T) {
	const c, h, w = 3, 4, 5
	x := make([]float32, c*h*w)
	for i := range x {
		x[i] = float32(i + 1)
	}
	pool := kernel.NewPool(1)
	defer pool.Close()
	for _, tt := range []struct {
		mode  string
		first int64 // opset of the mode
		pads  []int // before and after, along channels, height and width
	}{
		{"constant", 7, []int{0, 1, 2, 0, 3, 0}}, {"constant", 7, []int{0, -1, 2, 0, 1, -2}}, {"constant", 7, []int{1, 0, 2, 2, 0, 0}}, {"constant", 7, make([]int, 6)},
		{"edge", 7, []int{0, 1, 2, 0, 3, 0}}, {"edge", 7, []int{2, 0, 5, 1, 0, -1}},
		{"reflect", 7, []int{0, 3, 2, 0, 1, 4}}, {"reflect", 7, []int{2, 0, 1, 1, -2, 0}},
		{"wrap", 19, []int{0, 3, 2, 0, 1, 4}}, {"wrap", 19, []int{4, 6, 11, 1, 0, 7}},
	} {
		rows := [][]int{extended(tt.mode, c, tt.pads[0], tt.pads[3]), extended(tt.mode, h, tt.pads[1], tt.pads[4]), extended(tt.mode, w, tt.pads[2], tt.pads[5])}
		for opset := tt.first; opset <= 21; opset++ {
			value := float32(-3)
			if tt.mode != "constant" {
				value = 0 // which the mode does not read
			}
			var want []float32
			for _, i := range rows[0] {
				for _, j := range rows[1] {
					for _, k := range rows[2] {
						if min(i, j, k) < 0 {
							want = append(want, value)
						} else {
							want = append(want, x[(i*h+j)*w+k])
						}
					}
				}
			}
			all := slices.Concat([]int{0}, tt.pads[:3], []int{0}, tt.pads[3:])
			mode := attributeOf("mode", tt.mode)
			forms := map[string]func(in, y string) []func(*raw){}
			if opset < 11 {
				forms["attributes"] = func(in, y string) []func(*raw) {
					return []func(*raw){node("Pad", []string{in}, y, mode, attributeOf("pads", all), attributeOf("value", float64(value)))}
				}
			} else {
				forms["inputs"] = func(in, y string) []func(*raw) {
					return []func(*raw){intsOf("p", int64s(all)...), floatsOf("v", []float32{value}), node("Pad", []string{in, "p", "v"}, y, mode)}
				}
			}
			if opset >= 18 {
				forms["axes"] = func(in, y string) []func(*raw) {
					p := []int{tt.pads[2], tt.pads[0], tt.pads[1], tt.pads[5], tt.pads[3], tt.pads[4]}
					return []func(*raw){intsOf("p", int64s(p)...), floatsOf("v", []float32{value}), intsOf("a", -1, 1, 2), node("Pad", []string{in, "p", "v", "a"}, y, mode)}
				}
			}
			for name, form := range forms {
				for _, of := range []string{"an image", "a constant"} {
					t.Run(fmt.Sprintf("%s %v, opset %d, %s, of %s", tt.mode, tt.pads, opset, name, of), func(t *testing.T) {
						var b []byte
						if of == "an image" {
							b = modelOf(opset, append(form("x", "y"), images(0, c, h, w))...)
						} else {
							parts := append(form("k", "l"), images(0, len(rows[0]), len(rows[1]), len(rows[2])), floatsOf("k", x, 1, c, h, w))
							b = modelOf(opset, append(parts, node("Add", []string{"x", "l"}, "y"))...)
						}
						m, err := Decode(b, "", Options{})
						if err != nil {
							t.Fatal(err)
						}
						inf, err := nn.NewInference(m.Network, m.Theta, m.Buffers, 1, nn.FP32, pool)
						if err != nil {
							t.Fatal(err)
						}
						defer inf.Close()
						in := make([]float32, m.Network.Input.Len())
						if of == "an image" {
							planesToPixels(in, x, m.Network.Input)
						}
						inf.Forward(in, 1)
						y, s := inf.Output(0, 1)
						got := make([]float32, s.Len())
						pixelsToPlanes(got, y, s)
						if !slices.Equal(got, want) {
							t.Errorf("gives %v, %v\nwant %v", s, got, want)
						}
					})
				}
			}
		}
	}
}

func int64s(v []int) (out []int64) {
	for _, x := range v {
		out = append(out, int64(x))
	}
	return out
}

// What a Pad cannot do is said, with its node.
func TestPadMistakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		node func(*raw)
		want string
	}{
		{"mode", node("Pad", []string{"x", "p"}, "y", text(3, "border"), attributeOf("mode", "mirror")),
			`node "border" (Pad): operator Pad of opset 13 with mode "mirror" is not supported; want one of [constant edge reflect wrap]`},
		{"batch", node("Pad", []string{"x", "batch"}, "y"), "it pads axis 0; only channels, height and width can be padded"},
		{"too far", node("Pad", []string{"x", "far"}, "y", attributeOf("mode", "reflect")), "it reflects 4 and 0 numbers of the 4 along axis 3"},
		{"too much cut", node("Pad", []string{"x", "cut"}, "y"), "it pads axis 2 of an array of [1 3 4 4] by -2 before and -2 after"},
		{"huge", node("Pad", []string{"x", "huge"}, "y"), "it pads axis 3 of an array of [1 3 4 4] by 1152921504606846976 before and 0 after"},
		{"few", node("Pad", []string{"x", "few"}, "y"), "2 pads for 4 axes"},
		{"none", node("Pad", []string{"x"}, "y"), "0 pads for 4 axes"},
		{"constants", node("Pad", []string{"x", "p", "few"}, "y"), "it pads with a constant of [2]; want one number"},
		{"axes", node("Pad", []string{"x", "few", "", "axes"}, "y"), "axis 5 of an array of 4 sides"},
		{"twice", node("Pad", []string{"x", "p", "", "twice"}, "y"), "an axis of [3 3 3 2] is named twice"},
		{"of the images", node("Pad", []string{"x", "x"}, "y"), "depends on the images, which is not supported"},
	} {
		b := model(images(0, 3, 4, 4), intsOf("p", 0, 0, 1, 1, 0, 0, 1, 1), intsOf("batch", 1, 0, 0, 0, -1, 0, 0, 0), intsOf("far", 0, 0, 0, 4, 0, 0, 0, 0),
			intsOf("cut", 0, 0, -2, 0, 0, 0, -2, 0), intsOf("huge", 0, 0, 0, 1<<60, 0, 0, 0, 0), intsOf("few", 1, 1), intsOf("axes", 5), intsOf("twice", 3, 3, -1, 2), tt.node)
		if _, err := Decode(b, "", Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}
