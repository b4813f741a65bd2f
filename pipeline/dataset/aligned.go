package dataset

import (
	"fmt"
	"image"
	"slices"
)

const (
	// lookedAt is how many images LookAligned opens.
	lookedAt = 64
	// An aligned face is cut tight, at about the size that networks take.
	largeFrame = 2
	// Frames within a tenth of the median are alike; crops of a face detector, or
	// photographs, differ by more.
	alikeFrame = 0.1
)

// LookAligned looks at the frames of up to 64 images spread over the set and returns a
// warning if they do not look like aligned face crops for a network whose input has the given
// size: if most are over twice as high and wide, or more than a tenth of them differ in
// height or width from the median by more than a tenth. It returns "" otherwise.
func (s *Set) LookAligned(height, width int) string {
	n := min(lookedAt, len(s.Samples))
	var heights, widths []int
	for i := range n {
		frame, err := s.frame(i * len(s.Samples) / n)
		if err != nil {
			continue // it is reported when it is used
		}
		heights, widths = append(heights, frame.Y), append(widths, frame.X)
	}
	if len(heights) == 0 {
		return ""
	}
	h, w := median(heights), median(widths)
	const advice = "; faces that are not cropped and aligned alike make a worse model"
	if h > largeFrame*height && w > largeFrame*width {
		return fmt.Sprintf("%s may hold whole photographs: its images are about %dx%d pixels (height x width), the network takes %dx%d"+advice, s.Root, h, w, height, width)
	}
	odd := 0
	for i := range heights {
		if differs(heights[i], h) || differs(widths[i], w) {
			odd++
		}
	}
	if 10*odd > len(heights) {
		return fmt.Sprintf("%s may hold unaligned faces: its images have %d to %d pixels across and %d to %d down"+advice,
			s.Root, slices.Min(widths), slices.Max(widths), slices.Min(heights), slices.Max(heights))
	}
	return ""
}

func differs(v, median int) bool {
	d := float64(v - median)
	return max(d, -d) > alikeFrame*float64(median)
}

func median(v []int) int {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// frame returns width and height of an image, upright, from its header.
func (s *Set) frame(sample int) (image.Point, error) {
	if s.decode != nil {
		img, err := s.decode(s.File(sample))
		if err != nil {
			return image.Point{}, err
		}
		return img.Bounds().Size(), nil
	}
	data, err := readFile(s.File(sample), Limits{})
	if err != nil {
		return image.Point{}, err
	}
	return frameOf(data)
}
