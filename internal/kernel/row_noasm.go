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
