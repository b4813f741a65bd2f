package nn

import "math"

// reference computes a network in float64, layer by layer and as plainly as it can be
// written, on images [n,H,W,C]; activations are [n][C*H*W] in PyTorch's order. With
// training set, batch norms use the batch's statistics and note them in stats.
type reference struct {
	net      *Network
	theta    []float64
	buffers  []float32
	training bool
	stats    map[string][2][]float64 // mean and biased variance of each batch norm
}

func (f *reference) forward(images []float32, n int) []float64 {
	r := f.net.must()
	f.stats = map[string][2][]float64{}
	out := make([][]float64, len(r.nodes))
	in := f.net.Input
	out[0] = make([]float64, n*in.Len())
	for i := range n {
		for y := range in.H {
			for x := range in.W {
				for c := range in.C {
					out[0][((i*in.C+c)*in.H+y)*in.W+x] = float64(images[((i*in.H+y)*in.W+x)*in.C+c])
				}
			}
		}
	}
	for i, d := range r.nodes[1:] {
		param := func(k int) []float64 {
			p := r.params[d.params[k]]
			return f.theta[p.Offset:][:p.Len]
		}
		x := out[d.in[0]]
		y := make([]float64, n*d.shape.Len())
		out[i+1] = y
		s, t := d.from, d.shape
		area := s.H * s.W
		switch d.Kind {
		case Convolution:
			w := param(0)
			cg, og := s.C/d.Groups, t.C/d.Groups
			for b := range n {
				for o := range t.C {
					for oy := range t.H {
						for ox := range t.W {
							sum := 0.0
							if d.Bias {
								sum = param(1)[o]
							}
							for c := range cg {
								for ky := range d.Kernel {
									for kx := range d.KernelWidth {
										iy, ix := oy*d.win.strideH+ky-d.win.pads[0], ox*d.win.strideW+kx-d.win.pads[1]
										if iy < 0 || ix < 0 || iy >= s.H || ix >= s.W {
											continue
										}
										sum += w[((o*cg+c)*d.Kernel+ky)*d.KernelWidth+kx] * x[((b*s.C+o/og*cg+c)*s.H+iy)*s.W+ix]
									}
								}
							}
							y[((b*t.C+o)*t.H+oy)*t.W+ox] = sum
						}
					}
				}
			}
		case Linear:
			for b := range n {
				for o := range t.C {
					if d.Bias {
						y[b*t.C+o] = param(1)[o]
					}
					for c := range s.C {
						y[b*t.C+o] += param(0)[o*s.C+c] * x[b*s.C+c]
					}
				}
			}
		case BatchNorm:
			mean, variance := make([]float64, s.C), make([]float64, s.C)
			for c := range s.C {
				if !f.training {
					mean[c] = float64(f.buffers[r.buffers[d.stats[0]].Offset+c])
					variance[c] = float64(f.buffers[r.buffers[d.stats[1]].Offset+c])
					continue
				}
				for b := range n {
					for k := range area {
						mean[c] += x[(b*s.C+c)*area+k] / float64(n*area)
					}
				}
				for b := range n {
					for k := range area {
						variance[c] += math.Pow(x[(b*s.C+c)*area+k]-mean[c], 2) / float64(n*area)
					}
				}
			}
			f.stats[d.Name] = [2][]float64{mean, variance}
			for k := range y {
				c := k / area % s.C
				y[k] = param(0)[c]*(x[k]-mean[c])/math.Sqrt(variance[c]+d.Epsilon) + param(1)[c]
			}
		case PReLU, ReLU:
			for k, v := range x {
				switch {
				case v > 0:
					y[k] = v
				case d.Kind == PReLU:
					y[k] = v * param(0)[k/area%s.C]
				}
			}
		case Add:
			for k := range y {
				y[k] = x[k] + out[d.in[1]][k]
			}
		case Flatten:
			copy(y, x)
		default:
			ins := [][]float64{}
			var shapes []Shape
			for _, k := range d.in {
				ins, shapes = append(ins, out[k]), append(shapes, r.nodes[k].shape)
			}
			for b := range n {
				var images [][]float64
				for i, in := range ins {
					images = append(images, in[b*shapes[i].Len():][:shapes[i].Len()])
				}
				f.more(&d, param, images, shapes, y[b*t.Len():][:t.Len()])
			}
		}
	}
	return out[len(out)-1]
}
