package doctor

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"image"
	"math"
	"slices"

	"github.com/disintegration/imaging"

	"github.com/faceverify/fv/pipeline/dataset"
)

// Facts are what an image's file tells by itself.
type Facts struct {
	Err           error // why it cannot be read; nothing below but Sum holds then
	Format        string
	Width, Height int // upright
	Sum           [sha256.Size]byte
	Grey          bool    // no colour
	Mean          float64 // of the grey levels, 0 to 255
	Sharpness     float64 // deviation of the Laplacian at 112 pixels' width, in grey levels
	hash          hash
	mirrored      hash // of the mirror image
}

// seen is the width at which sharpness is measured, so that images of all sizes compare.
const seen = 112

// examine reads image i of a set.
func examine(set *dataset.Set, i int) (Facts, image.Image) {
	data, err := set.Content(set.File(i))
	if err != nil {
		return Facts{Err: err}, nil
	}
	f := Facts{Sum: sha256.Sum256(data), Format: dataset.Format(data)}
	img, err := dataset.Decode(data, dataset.Limits{})
	if err != nil {
		f.Err = err
		return f, nil
	}
	f.Width, f.Height = img.Bounds().Dx(), img.Bounds().Dy()
	small := imaging.Resize(img, seen, max(1, (f.Height*seen+f.Width/2)/f.Width), imaging.Linear)
	if small.Rect.Dy() > 8*seen { // a strip
		small = imaging.Resize(img, seen, 8*seen, imaging.Linear)
	}
	f.Grey = !coloured(small)
	grey := levels(small)
	f.Mean, f.Sharpness = exposure(grey), sharpness(grey, small.Rect.Dx(), small.Rect.Dy())
	f.hash = hashOf(small)
	f.mirrored = hashOf(imaging.FlipH(small))
	return f, img
}

// coloured reports whether more than one pixel of a hundred has channels that differ by more than JPEG makes of grey.
func coloured(img *image.NRGBA) bool {
	const slack = 12
	n := 0
	for p := img.Pix; len(p) >= 4; p = p[4:] {
		if max(p[0], p[1], p[2])-min(p[0], p[1], p[2]) > slack {
			n++
		}
	}
	return 100*n > len(img.Pix)/4
}

// levels returns the grey levels of an image.
func levels(img *image.NRGBA) []float64 {
	grey := make([]float64, 0, len(img.Pix)/4)
	for p := img.Pix; len(p) >= 4; p = p[4:] {
		grey = append(grey, 0.299*float64(p[0])+0.587*float64(p[1])+0.114*float64(p[2]))
	}
	return grey
}

func exposure(grey []float64) float64 {
	var sum float64
	for _, v := range grey {
		sum += v
	}
	return sum / float64(len(grey))
}

// sharpness returns the root mean square of the Laplacian.
func sharpness(grey []float64, w, h int) float64 {
	var sum float64
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*w + x
			d := grey[i-1] + grey[i+1] + grey[i-w] + grey[i+w] - 4*grey[i]
			sum += d * d
		}
	}
	return math.Sqrt(sum / float64(max(1, (w-2)*(h-2))))
}

// outlying is how many robust standard deviations from the median an outlier is.
const outlying = 3.5

// Mean grey levels beyond which an image is black or white, whatever the others are.
const black, white = 20, 235

// sort finds what cannot be read, and the outliers.
func (f *Findings) sort() {
	var good []int
	for i, x := range f.Images {
		if x.Err != nil {
			f.Unreadable = append(f.Unreadable, i)
		} else {
			good = append(good, i)
		}
	}
	sharp := deviations(good, func(i int) float64 { return math.Log(f.Images[i].Sharpness + 0.1) })
	mean := deviations(good, func(i int) float64 { return f.Images[i].Mean })
	for _, i := range good {
		if sharp[i] < -outlying {
			f.Blurred = append(f.Blurred, i)
		}
		if m := f.Images[i].Mean; math.Abs(mean[i]) > outlying || m < black || m > white {
			f.Exposure = append(f.Exposure, i)
		}
	}
	slices.SortStableFunc(f.Blurred, func(a, b int) int { return cmp.Compare(sharp[a], sharp[b]) })
	slices.SortStableFunc(f.Exposure, func(a, b int) int { return -cmp.Compare(math.Abs(mean[a]), math.Abs(mean[b])) })
}

// deviations returns (v - median) / (1.4826 median |v - median|), which is the standard score where values are normal.
func deviations(of []int, value func(i int) float64) map[int]float64 {
	if len(of) == 0 {
		return nil
	}
	values := make([]float64, len(of))
	for k, i := range of {
		values[k] = value(i)
	}
	middle := median(values)
	spread := make([]float64, len(of))
	for k, v := range values {
		spread[k] = math.Abs(v - middle)
	}
	scale := 1.4826 * median(spread)
	scores := make(map[int]float64, len(of))
	for k, i := range of {
		if scale > 0 {
			scores[i] = (values[k] - middle) / scale
		}
	}
	return scores
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// Problem returns why image i cannot be read, without its name.
func (f *Findings) Problem(i int) string { return reason(f.Images[i].Err, f.Set.File(i)) }

// reason returns an error's text without the file's name.
func reason(err error, file string) string {
	text := err.Error()
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		text = inner.Error()
	}
	if len(text) > len(file)+2 && text[:len(file)] == file {
		text = text[len(file)+2:]
	}
	return text
}
