//go:build !amd64 || purego

package kernel

// Each returns how many of the columns it has done.

func scaleRowsVector(_, _, _, _ []float32, _ int) int { return 0 }

func maxRowsVector(_, _ []float32, _ int) int { return 0 }

func sumExpRowsVector(_ []float64, _, _ []float32, _ int) int { return 0 }

func softmaxRowsVector(_, _, _, _, _ []float32, _ float32) int { return 0 }

func dotRowsVector(_, _, _ []float32, _ int) int { return 0 }

func addScaledRowsVector(_, _, _ []float32, _ int) int { return 0 }
