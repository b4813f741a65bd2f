package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"github.com/disintegration/imaging"

	"github.com/faceverify/fv/eval"
)

// Sizes of the figure, in pixels.
const (
	cellWidth = 280
	gap       = 6
)

// writeFigure draws a row of spheres and one of histograms for each source. The histograms of a
// source share their axis.
func writeFigure(w io.Writer, sources []source, rows [][]*measured) error {
	var lines [][]image.Image
	for i, row := range rows {
		top := 0.0
		for _, m := range row {
			top = math.Max(top, m.Angles.Top())
		}
		var spheres, angles []image.Image
		for k, m := range row {
			a, err := picture(m.Picture(fmt.Sprintf("%s: %s", sources[i].name, variants()[k].name), false))
			if err != nil {
				return err
			}
			b, err := picture(eval.PlotAngles(m.Angles, "", math.NaN(), top))
			if err != nil {
				return err
			}
			spheres, angles = append(spheres, a), append(angles, b)
		}
		lines = append(lines, spheres, angles)
	}
	width, height := 0, 0
	for _, line := range lines {
		width, height = max(width, len(line)*(cellWidth+gap)), height+line[0].Bounds().Dy()+gap
	}
	all := imaging.New(width, height, color.White)
	y := 0
	for _, line := range lines {
		for k, img := range line {
			all = imaging.Paste(all, img, image.Pt(k*(cellWidth+gap), y))
		}
		y += line[0].Bounds().Dy() + gap
	}
	small := image.NewPaletted(all.Rect, shades())
	draw.Draw(small, small.Rect, all, image.Point{}, draw.Src)
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, small)
}

func picture(p *eval.Picture) (image.Image, error) {
	var b bytes.Buffer
	if err := p.WritePNG(&b); err != nil {
		return nil, err
	}
	img, err := png.Decode(&b)
	if err != nil {
		return nil, err
	}
	return imaging.Resize(img, cellWidth, 0, imaging.Lanczos), nil
}

// shades is a palette of six levels of each colour, and grey ones between: it makes the file small.
func shades() color.Palette {
	var p color.Palette
	const levels = 6
	for i := range levels * levels * levels {
		level := func(k int) uint8 { return uint8(k % levels * 255 / (levels - 1)) }
		p = append(p, color.RGBA{level(i), level(i / levels), level(i / levels / levels), 255})
	}
	for v := 8; v < 255; v += 16 {
		p = append(p, color.Gray{uint8(v)})
	}
	return p
}
