//go:build !amd64 || purego

package kernel

func affineRun(y, x, res []float32, p *affineParams) { affineGeneric(y, x, res, p) }

func momentsRun(sums, x, pivot []float32) { momentsGeneric(sums, x, pivot) }

func affineSumsRun(sums, x, dy []float32, p *affineParams, a, b []float32) {
	affineSumsGeneric(sums, x, dy, p, a, b)
}

func affineGradRun(dx, x, dy []float32, p *affineParams, a, b, c []float32, add bool) {
	affineGradGeneric(dx, x, dy, p, a, b, c, add)
}

func tapsRun(y []float32, ys int, x []float32, x0, xs int, w []float32, off, _ []int, pixels, channels int, add bool) {
	tapsGeneric(y, ys, x, x0, xs, w, off, pixels, channels, add)
}

func tapsGradRun(w []float32, y []float32, ys int, x []float32, x0, xs int, off, _ []int, pixels, channels int) {
	tapsGradGeneric(w, y, ys, x, x0, xs, off, pixels, channels)
}
