//go:build !amd64 || purego

package kernel

// run computes the tile's first rows rows.
func (t *tile) run(rows int) { t.runGeneric(rows) }

// PeakGFLOPS returns 0: the generic variant has no peak to compare with.
func PeakGFLOPS(*Pool) float64 { return 0 }
