//go:build !amd64 || purego

package kernel

func windowRun(t *window, y, x, w []float32, w0 int, from []float32) {
	windowGeneric(t, y, x, w, w0, from)
}

func windowGradRun(t *window, y, x, w []float32, w0 int) {
	windowGradGeneric(t, y, x, w, w0)
}
