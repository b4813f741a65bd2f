package augment

import (
	"image"
	"image/color"
	"image/draw"
)

// gap is the space around the tiles of a contact sheet, in pixels.
const gap = 4

// ground is the colour of that space: neither the black that transforms leave nor
// the white of an overexposed face.
var ground = color.NRGBA{R: 64, G: 68, B: 76, A: 255}

// Sheet returns a contact sheet: the images in rows of so many columns, each in
// a tile as large as the largest of them, with a small gap around. It panics if columns is less than 1.
func Sheet(images []*image.NRGBA, columns int) *image.NRGBA {
	if columns < 1 {
		panic("augment: a sheet of no columns")
	}
	columns = min(columns, max(1, len(images)))
	rows := (len(images) + columns - 1) / columns
	var w, h int
	for _, img := range images {
		w, h = max(w, img.Rect.Dx()), max(h, img.Rect.Dy())
	}
	sheet := image.NewNRGBA(image.Rect(0, 0, gap+columns*(w+gap), gap+rows*(h+gap)))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(ground), image.Point{}, draw.Src)
	for i, img := range images {
		corner := image.Pt(gap+i%columns*(w+gap), gap+i/columns*(h+gap))
		draw.Draw(sheet, image.Rectangle{Min: corner, Max: corner.Add(img.Rect.Size())}, img, img.Rect.Min, draw.Src)
	}
	return sheet
}
