//go:build !amd64 || purego

package kernel

func clipRun(y, x []float32, lo, hi float32) { clipGeneric(y, x, lo, hi) }

func hardSwishRun(y, x []float32, a, b float32) { hardSwishGeneric(y, x, a, b) }

func largerRun(y, x []float32) { largerGeneric(y, x) }
