package detect

import (
	"cmp"
	"math"
	"slices"
)

// maxCandidates bounds what suppress looks at, which takes time with the square of it: a detector gives more only for hostile pictures.
const maxCandidates = 4000

// suppress returns, with high scores first, the candidates that no better one overlaps by more than threshold (non-maximum suppression). The overlap of
// two is given by measure.
func suppress[T any](list []T, score func(*T) float64, threshold float64, measure func(a, b *T) float64) []T {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(score(&b), score(&a)) })
	var kept []T
next:
	for i := range list[:min(len(list), maxCandidates)] {
		for k := range kept {
			if measure(&kept[k], &list[i]) > threshold {
				continue next
			}
		}
		kept = append(kept, list[i])
	}
	return kept
}

// intersection returns the area that two boxes share; each side counts by more pixels, 0 or 1.
func intersection(a, b Box, more float64) float64 {
	w := math.Min(a.Right, b.Right) - math.Max(a.Left, b.Left) + more
	h := math.Min(a.Bottom, b.Bottom) - math.Max(a.Top, b.Top) + more
	return math.Max(0, w) * math.Max(0, h)
}

// iou returns the intersection of two boxes over their union.
func iou(a, b Box) float64 {
	both := intersection(a, b, 0)
	return both / (a.Width()*a.Height() + b.Width()*b.Height() - both)
}
