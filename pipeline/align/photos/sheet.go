package photos

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"path/filepath"
	"slices"

	"golang.org/x/image/draw"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/align/detect"
	"github.com/faceverify/fv/pipeline/dataset"
)

const (
	shown     = 24  // photographs in a section: the table has all
	thumbSide = 224 // pixels: twice what the page shows, as marks are fine
)

// Page makes the contact sheet: photographs with box and landmarks beside their crops, the doubtful ones first. It reads the photographs that it shows.
func (r *Result) Page(command, version string) *page.Page {
	s := r.Summary()
	p := &page.Page{
		Title: "Aligned faces", Subtitle: fmt.Sprintf("%s to %s", r.o.Photos, r.o.Out), Footer: version + "; " + command,
		Style: ".thumbs { padding: .5rem; }", // four in a row
		Lead: []page.Block{
			page.Cards{
				{Label: "Faces", Value: fmt.Sprint(s.Faces), Detail: fmt.Sprintf("of %d photographs", s.Photographs)},
				{Label: "No face", Value: fmt.Sprint(s.None), Detail: "photographs"},
				{Label: "Several faces", Value: fmt.Sprint(s.Several), Detail: "photographs"},
				{Label: "From the side", Value: fmt.Sprint(s.Profile), Detail: "faces"},
				{Label: "Too small", Value: fmt.Sprint(s.Small), Detail: fmt.Sprintf("left out; %d enlarged", s.Enlarged)},
				{Label: "Unreadable", Value: fmt.Sprint(s.Unreadable), Detail: "photographs"},
			},
			page.Text("In each photograph the box and the landmarks of the face that was cut out are drawn green, other faces red; beside it stands the crop. What looks doubtful comes first. `" + Table +
				"` lists every photograph; its landmarks can be corrected and the file given to `--landmarks`."),
		},
	}
	seen := map[*Row]bool{}
	pick := func(wanted func(*Row) bool, order func(a, b *Row) int) (list []*Row, total int) {
		for i := range r.Rows {
			if row := &r.Rows[i]; !seen[row] && wanted(row) {
				list = append(list, row)
			}
		}
		slices.SortStableFunc(list, order)
		total = len(list)
		list = list[:min(total, shown)]
		for _, row := range list {
			seen[row] = true
		}
		return list, total
	}
	section := func(id, title, text string, wanted func(*Row) bool, order func(a, b *Row) int) {
		if list, total := pick(wanted, order); total > 0 {
			if total > len(list) {
				text += fmt.Sprintf(" %d of %d are shown.", len(list), total)
			}
			p.Sections = append(p.Sections, page.Section{ID: id, Title: title, Blocks: []page.Block{page.Text(text), r.gallery(list)}})
		}
	}
	worse := func(a, b *Row) int { return cmp.Compare(a.Score, b.Score) }
	smaller := func(a, b *Row) int { return cmp.Compare(a.Side, b.Side) }
	given := func(a, b *Row) int { return 0 }
	section("none", "No face", "In these photographs there is none, or its landmarks are those of no face.", func(x *Row) bool { return x.Outcome == None }, given)
	if r.o.Detector != nil {
		section("score", "Lowest scores", fmt.Sprintf("The detector is least sure of these faces. From %g on a face counts.", r.o.Detector.MinScore()),
			func(x *Row) bool { return x.Crop != "" && x.Score < r.low() }, worse)
	}
	section("several", "Several faces", "More than one face in the photograph.", func(x *Row) bool { return x.Faces > 1 }, worse)
	section("profile", "From the side", "The nose is not between the eyes, or the landmarks fit the template badly.", func(x *Row) bool { return x.Outcome == Profile }, worse)
	section("small", "Small", fmt.Sprintf("Left out, below %g pixels, or enlarged to over twice their size.", r.o.MinSide), func(x *Row) bool { return x.Outcome == Small || x.Crop != "" && r.enlarged(x) }, smaller)
	r.unreadable(p)
	rest, n := 0, len(r.Rows)
	section("rest", "Some of the rest", "Spread over the whole list.", func(x *Row) bool {
		rest++
		return x.Crop != "" && (n <= shown || rest%((n+shown-1)/shown) == 0)
	}, given)
	return p
}

// low returns the score below which one in twenty faces, and at most so many as are shown, lie.
func (r *Result) low() float64 {
	var scores []float64
	for _, row := range r.Rows {
		if row.Crop != "" {
			scores = append(scores, row.Score)
		}
	}
	if len(scores) == 0 {
		return 0
	}
	slices.Sort(scores)
	return scores[min(shown, (len(scores)+19)/20, len(scores)-1)]
}

// unreadable lists photographs that are no images.
func (r *Result) unreadable(p *page.Page) {
	t := page.Table{Head: []string{"photograph", "what is wrong"}, Text: 2}
	total := 0
	for _, row := range r.Rows {
		if row.Outcome == Unreadable {
			if total++; total <= shown {
				t.Rows = append(t.Rows, []string{row.Path, row.Problem})
			}
		}
	}
	if total > 0 {
		text := ""
		if total > shown {
			text = fmt.Sprintf("The first %d of %d.", shown, total)
		}
		p.Sections = append(p.Sections, page.Section{ID: "unreadable", Title: "Cannot be read", Blocks: []page.Block{page.Text(text), t}})
	}
}

// gallery shows rows.
func (r *Result) gallery(rows []*Row) page.Gallery {
	var g page.Gallery
	for _, row := range rows {
		t := page.Thumbs{Images: []page.Thumb{{Name: row.Path, JPEG: r.frame(row)}}}
		if row.Score > 0 {
			t.Images[0].Detail = fmt.Sprintf("score %.3f", row.Score)
		}
		if row.Faces > 1 {
			t.Images[0].Detail += fmt.Sprintf(", %d faces", row.Faces)
		}
		if row.Crop != "" {
			name := "crop"
			if row.Crop != jpegName(row.Path) {
				name = row.Crop
			}
			t.Images = append(t.Images, page.Thumb{Name: name, JPEG: r.cropped(row), Detail: fmt.Sprintf("%.0f pixels", row.Side)})
		} else if row.Side > 0 {
			t.Images[0].Detail += fmt.Sprintf(", %.0f pixels: left out", row.Side)
		}
		g = append(g, t)
	}
	return g
}

// cropped returns the crop's JPEG, nil if it cannot be shown.
func (r *Result) cropped(row *Row) []byte {
	img, err := dataset.DecodeFile(filepath.Join(r.o.Out, filepath.FromSlash(row.Crop)), dataset.Limits{})
	if err != nil {
		return nil
	}
	return encode(img)
}

func encode(img image.Image) []byte {
	var b bytes.Buffer
	if jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}) != nil {
		return nil
	}
	return b.Bytes()
}

var (
	chosenColor = color.RGBA{0x30, 0xe0, 0x60, 255}
	otherColor  = color.RGBA{0xf0, 0x40, 0x30, 255}
)

// frame returns the photograph with its marks, small; nil if it cannot be shown.
func (r *Result) frame(row *Row) []byte {
	img, err := dataset.DecodeFile(filepath.Join(r.o.Photos, filepath.FromSlash(row.Path)), dataset.Limits{})
	if err != nil {
		return nil
	}
	b := img.Bounds()
	s := float64(thumbSide) / float64(max(b.Dx(), b.Dy()))
	dst := image.NewRGBA(image.Rect(0, 0, max(1, int(s*float64(b.Dx()))), max(1, int(s*float64(b.Dy())))))
	draw.Draw(dst, dst.Rect, image.Black, image.Point{}, draw.Src)
	draw.BiLinear.Scale(dst, dst.Rect, img, b, draw.Over, nil)
	for _, o := range row.Others {
		outline(dst, o, s, otherColor)
	}
	if row.Box != (detect.Box{}) {
		outline(dst, row.Box, s, chosenColor)
	}
	if row.hasFace() {
		for _, p := range row.Landmarks {
			x, y := place(p.X, s), place(p.Y, s)
			fill(dst, image.Rect(x-4, y-4, x+4, y+4), color.RGBA{A: 255})
			fill(dst, image.Rect(x-3, y-3, x+3, y+3), chosenColor)
		}
	}
	return encode(dst)
}

// place returns where a coordinate of the photograph lies in a picture scaled by s. Landmarks from a file may be anywhere.
func place(v, s float64) int {
	return int(math.Round(math.Min(math.Max((v+0.5)*s-0.5, -1e6), 1e6)))
}

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// outline draws a box with lines of two pixels.
func outline(dst *image.RGBA, b detect.Box, s float64, c color.RGBA) {
	l, t, r, bottom := place(b.Left, s), place(b.Top, s), place(b.Right, s), place(b.Bottom, s)
	for _, side := range []image.Rectangle{{image.Pt(l, t), image.Pt(r, t+2)}, {image.Pt(l, bottom-2), image.Pt(r, bottom)}, {image.Pt(l, t), image.Pt(l+2, bottom)}, {image.Pt(r-2, t), image.Pt(r, bottom)}} {
		fill(dst, side, c)
	}
}
