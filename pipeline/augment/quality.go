package augment

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/disintegration/imaging"
)

// What jitter changes at most, in the percent of package imaging.
const (
	maxBrightness = 20 // added: 20 % of 255
	maxContrast   = 33 // about mid-grey: a factor of 0.67 to 1.5
	maxSaturation = 50 // of hue, saturation, lightness: a factor of 0.5 to 1.5
)

// jitter changes brightness, contrast and saturation, in that order, each by an amount uniform
// up to its maximum, more or less.
func jitter(_ *Memory, rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	img = imaging.AdjustBrightness(img, uniform(rng, -maxBrightness, maxBrightness))
	img = imaging.AdjustContrast(img, uniform(rng, -maxContrast, maxContrast))
	return imaging.AdjustSaturation(img, uniform(rng, -maxSaturation, maxSaturation))
}

// grey takes the colour away: all channels become the luma of ITU-R BT.601,
// 0.299 R + 0.587 G + 0.114 B. It draws nothing.
func grey(_ *Memory, _ *rand.Rand, img *image.NRGBA) *image.NRGBA { return imaging.Grayscale(img) }

// filters are the interpolations of downscale.
var filters = []imaging.ResampleFilter{
	imaging.NearestNeighbor, imaging.Box, imaging.Linear, imaging.CatmullRom, imaging.Lanczos,
}

// downscale makes a face from far away: it scales both sides by a factor uniform
// in 0.2 ... 1 and back, each way with a random interpolation (Kim et al., AdaFace, 2022).
func downscale(_ *Memory, rng *rand.Rand, img *image.NRGBA) *image.NRGBA {
	factor := uniform(rng, 0.2, 1)
	down, up := filters[rng.IntN(len(filters))], filters[rng.IntN(len(filters))]
	w, h := img.Rect.Dx(), img.Rect.Dy()
	side := func(n int) int { return max(1, int(math.Round(factor*float64(n)))) }
	return imaging.Resize(imaging.Resize(img, side(w), side(h), down), w, h, up)
}
