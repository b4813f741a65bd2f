package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
)

// picture is 24x16: red 10x, green 15y, blue 128. testdata/make.py draws the same.
func picture() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 24, 16))
	for y := range 16 {
		for x := range 24 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(10 * x), uint8(15 * y), 128, 255})
		}
	}
	return img
}

// isPicture checks an image's size, and that no channel differs from picture by more than tolerance.
func isPicture(t *testing.T, name string, img image.Image, tolerance int) {
	t.Helper()
	if s := img.Bounds().Size(); s != image.Pt(24, 16) {
		t.Fatalf("%s: %dx%d pixels", name, s.X, s.Y)
	}
	worst := 0
	want := picture()
	for y := range 16 {
		for x := range 24 {
			at := img.Bounds().Min.Add(image.Pt(x, y))
			r, g, b, _ := img.At(at.X, at.Y).RGBA()
			w := want.NRGBAAt(x, y)
			for _, d := range []int{int(r>>8) - int(w.R), int(g>>8) - int(w.G), int(b>>8) - int(w.B)} {
				worst = max(worst, d, -d)
			}
		}
	}
	if worst > tolerance {
		t.Errorf("%s: differs by %d; want at most %d", name, worst, tolerance)
	}
}

func encoded(t testing.TB, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, img image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 95}) })
}

func pngOf(t testing.TB, img image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) })
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// netpbmOf writes picture with the given magic number and maximum.
func netpbmOf(magic string, maximum int) []byte {
	img := picture()
	b := fmt.Appendf(nil, "%s # a comment\n#another\n24 16\t%d\n", magic, maximum)
	for i, v := range img.Pix {
		s := (int(v)*maximum + 127) / 255
		switch {
		case i%4 == 3:
		case magic == "P3":
			b = fmt.Appendf(b, "%d\n", s)
		case maximum > 255:
			b = append(b, byte(s>>8), byte(s))
		default:
			b = append(b, byte(s))
		}
	}
	return b
}

// Every kind of file gives the picture. Lossy kinds may differ by what the format loses on
// a gradient as steep as this.
func TestDecodeKinds(t *testing.T) {
	wide := image.NewNRGBA64(image.Rect(0, 0, 24, 16))
	for y := range 16 {
		for x := range 24 {
			wide.Set(x, y, picture().At(x, y))
		}
	}
	files := []struct {
		name      string
		data      []byte
		tolerance int
	}{
		{"baseline.jpg", jpegOf(t, picture()), 15},
		{"colour.png", pngOf(t, picture()), 0},
		{"16bit.png", pngOf(t, wide), 0},
		{"a.bmp", encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, picture()) }), 0},
		{"plain.ppm", netpbmOf("P3", 255), 0},
		{"binary.ppm", netpbmOf("P6", 255), 0},
		{"16bit.ppm", netpbmOf("P6", 65535), 0},
		{"16bit plain.ppm", netpbmOf("P3", 1000), 1},
		{"few greys.ppm", netpbmOf("P6", 15), 9}, // half a step of 17
		{"a PNG by another name.jpg", pngOf(t, picture()), 0},
	}
	for name, tolerance := range map[string]int{
		"progressive.jpg": 6, "cmyk.jpg": 2, "rgb.jpg": 2, "subsampled.jpg": 15, "restart.jpg": 6, "turned.jpg": 6,
		"turned.png": 0, "turned.webp": 0, "lossless.webp": 0, "lossy.webp": 25, "interlaced.gif": 10,
	} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, struct {
			name      string
			data      []byte
			tolerance int
		}{name, data, tolerance})
	}
	dir := t.TempDir()
	for _, f := range files {
		img, err := DecodeFile(write(t, filepath.Join(dir, f.name), f.data), Limits{})
		if err != nil {
			t.Error(err)
			continue
		}
		isPicture(t, f.name, img, f.tolerance)
		if size, err := frameOf(f.data); err != nil || size != image.Pt(24, 16) {
			t.Errorf("%s: the header says %v, %v", f.name, size, err)
		}
	}
}

// Grey kinds keep their greys; half of the maximum rounds up.
func TestDecodeGrey(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 2, 1))
	copy(grey.Pix, []byte{0, 200})
	grey16 := image.NewGray16(image.Rect(0, 0, 2, 1))
	grey16.SetGray16(1, 0, color.Gray16{200<<8 | 200})
	palette := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.Gray{0}, color.Gray{200}})
	palette.Pix[1] = 1
	for name, data := range map[string][]byte{
		"png":         pngOf(t, grey),
		"png 16":      pngOf(t, grey16),
		"png palette": pngOf(t, palette),
		"gif":         encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, palette, nil) }),
		"bmp":         encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, grey) }),
		"pgm":         []byte("P5 2 1 255\n\x00\xc8"),
		"pgm 16":      []byte("P5 2 1 65535\n\x00\x00\xc8\xc8"),
		"pgm plain":   []byte("P2\n2 1\n#max\n255\n0\n200"),
		"pgm of 10":   []byte("P5 2 1 51\n\x00\x28"),
	} {
		img, err := decode(data, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for x, want := range []uint32{0, 200} {
			if r, g, b, a := img.At(x, 0).RGBA(); r>>8 != want || g != r || b != r || a != 0xffff {
				t.Errorf("%s: pixel %d is %d %d %d %d", name, x, r, g, b, a)
			}
		}
	}
}

// withExif puts an orientation into a JPEG file, in either byte order.
func withExif(file []byte, order binary.AppendByteOrder, orientation int) []byte {
	tiff := []byte("MM\x00*")
	if order.String() == "LittleEndian" {
		tiff = []byte("II*\x00")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	tiff = order.AppendUint16(tiff, 0x010f) // maker, four letters
	tiff = order.AppendUint16(tiff, 2)
	tiff = order.AppendUint32(tiff, 4)
	tiff = append(tiff, "cam\x00"...)
	tiff = order.AppendUint16(tiff, 0x0112)
	tiff = order.AppendUint16(tiff, 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, uint16(orientation))
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, 0xff, 0xe2, 0, 4, 'x', 'y') // another segment, after a fill byte
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(exifMark)+len(tiff)))
	out = append(out, exifMark...)
	out = append(out, tiff...)
	return append(out, file[2:]...)
}

// The stored image of each orientation is made from where the standard puts its row 0 and
// column 0: row r and column c are counted from the named sides of the picture.
func TestOrientations(t *testing.T) {
	const w, h = 24, 16
	upright := picture()
	for orientation, at := range map[int]func(r, c int) (x, y int){
		0: func(r, c int) (int, int) { return c, r },                 // out of range: as it is
		1: func(r, c int) (int, int) { return c, r },                 // row 0 top, column 0 left
		2: func(r, c int) (int, int) { return w - 1 - c, r },         // top, right
		3: func(r, c int) (int, int) { return w - 1 - c, h - 1 - r }, // bottom, right
		4: func(r, c int) (int, int) { return c, h - 1 - r },         // bottom, left
		5: func(r, c int) (int, int) { return r, c },                 // left, top
		6: func(r, c int) (int, int) { return w - 1 - r, c },         // right, top
		7: func(r, c int) (int, int) { return w - 1 - r, h - 1 - c }, // right, bottom
		8: func(r, c int) (int, int) { return r, h - 1 - c },         // left, bottom
		9: func(r, c int) (int, int) { return c, r },
	} {
		size := image.Rect(0, 0, w, h)
		if orientation >= 5 && orientation <= 8 {
			size = image.Rect(0, 0, h, w)
		}
		stored := image.NewNRGBA(size)
		for r := range size.Dy() {
			for c := range size.Dx() {
				stored.Set(c, r, upright.At(at(r, c)))
			}
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			file := withExif(jpegOf(t, stored), order, orientation)
			img, err := decode(file, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			isPicture(t, fmt.Sprint("orientation ", orientation, order), img, 15)
			if size, err := frameOf(file); err != nil || size != image.Pt(w, h) {
				t.Errorf("orientation %d: the header says %v, %v", orientation, size, err)
			}
		}
	}
}

// headerPNG returns a PNG file that announces a size and has nothing more.
func headerPNG(width, height uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	return binary.BigEndian.AppendUint32(append(b, chunk...), crc32.ChecksumIEEE(chunk))
}

func TestDecodeMistakes(t *testing.T) {
	dir := t.TempDir()
	whole := jpegOf(t, picture())
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty.jpg":      {nil, "the file is empty"},
		"text.jpg":       {[]byte("hello"), "not an image; want JPEG"},
		"page.jpg":       {[]byte("<!DOCTYPE html>"), "a web page"},
		"heic.jpg":       {[]byte("\x00\x00\x00\x18ftypheic"), "a HEIC image"},
		"lfs.jpg":        {[]byte("version https://git-lfs.github.com/spec/v1\n"), "a Git LFS pointer"},
		"cut.jpg":        {whole[:len(whole)-20], "JPEG is cut short"},
		"cut.png":        {pngOf(t, picture())[:80], "PNG is cut short"},
		"cut.pgm":        {[]byte("P5 3 3 255 123"), "PGM is cut short"},
		"letters.pgm":    {[]byte("P2 3 3 255 1 2 x"), `byte 'x' where a number`},
		"bright.pgm":     {[]byte("P2 1 1 9 10"), "a sample is 10; the maximum is 9"},
		"max.pgm":        {[]byte("P2 1 1 70000 10"), "the maximum is 70000; want 1 to 65535"},
		"flat.pgm":       {[]byte("P5 0 1 255 "), "the width is 0"},
		"digits.ppm":     {[]byte("P3 99999999999999999999 1 255 "), "too many digits"},
		"negative.ppm":   {[]byte("P3 -1 1 255 "), `byte '-'`},
		"huge.png":       {headerPNG(60000, 60000), "PNG of 60000x60000 pixels; at most 100 megapixels"},
		"huge.ppm":       {[]byte("P6 1073741823 1073741823 255\n"), "1073741823x1073741823 pixels"},
		"scans.jpg":      {slices.Concat(whole, bytes.Repeat([]byte{0xff, 0xda}, maxScans)), "over 500 scans"},
		"arithmetic.jpg": {bytes.Replace(whole, []byte{0xff, 0xc0}, []byte{0xff, 0xc9}, 1), "JPEG cannot be decoded"},
	} {
		path := write(t, filepath.Join(dir, name), c.data)
		_, err := DecodeFile(path, Limits{})
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v; want %q", name, err, c.want)
		}
	}
	if _, err := DecodeFile(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "a folder") {
		t.Errorf("folder: %v", err)
	}
	if _, err := DecodeFile(os.DevNull, Limits{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("device: %v", err)
	}
	if _, err := DecodeFile(filepath.Join(dir, "none.jpg"), Limits{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Limits hold where they are reached, not before.
func TestLimits(t *testing.T) {
	data := pngOf(t, picture())
	path := write(t, filepath.Join(t.TempDir(), "a.png"), data)
	pixels, size := int64(24*16), int64(len(data))
	if _, err := DecodeFile(path, Limits{Pixels: pixels, Bytes: size}); err != nil {
		t.Error(err)
	}
	if _, err := DecodeFile(path, Limits{Pixels: pixels - 1}); err == nil || !strings.Contains(err.Error(), "24x16") {
		t.Errorf("pixels: %v", err)
	}
	if _, err := DecodeFile(path, Limits{Bytes: size - 1}); err == nil || !strings.Contains(err.Error(), "bytes; an image may have at most") {
		t.Errorf("bytes: %v", err)
	}
}

// Every beginning of a file is an error, unless only what follows the pixels is lacking.
func TestTruncated(t *testing.T) {
	for name, file := range map[string]struct {
		data []byte
		tail int // bytes that a decoder need not see
	}{
		"jpeg": {jpegOf(t, picture()), 0},
		"png":  {pngOf(t, picture()), 12},
		"bmp":  {encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, picture()) }), 0},
		"ppm":  {netpbmOf("P6", 255), 0},
		"gif":  {encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, picture(), nil) }), 3},
	} {
		for n := range len(file.data) - file.tail {
			if _, err := decode(file.data[:n], Limits{}); err == nil {
				t.Fatalf("%s: %d of %d bytes are taken for an image", name, n, len(file.data))
			}
		}
	}
}

// Whole or cut short or damaged, a JPEG file gives the image or the error that it gives without the faster decoder of usual ones.
func TestUsual(t *testing.T) {
	f := &formats[0]
	usual := f.usual
	if f.name != "JPEG" || usual == nil {
		t.Fatal("JPEG is not the first of the formats, or has no decoder of usual files")
	}
	defer func() { f.usual = usual }()
	decoded := 0
	check := func(file []byte) {
		f.usual = func(file []byte, pixels int64) image.Image {
			img := usual(file, pixels)
			if img != nil {
				decoded++
			}
			return img
		}
		got, gotErr := decode(file, Limits{})
		f.usual = nil
		want, wantErr := decode(file, Limits{})
		if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("error %v, want %v", gotErr, wantErr)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatal("another image")
		}
	}
	for _, whole := range [][]byte{jpegOf(t, picture()), withExif(jpegOf(t, picture()), binary.BigEndian, 7)} {
		check(whole)
		check(append(bytes.Clone(whole), bytes.Repeat([]byte{0xff, 0xda}, maxScans)...))
		for n := range whole {
			check(whole[:n])
			spoilt := bytes.Clone(whole)
			spoilt[n] ^= 0x24
			check(spoilt)
		}
	}
	if decoded == 0 {
		t.Error("no file is usual")
	}
}

// Whatever the bytes, decoding ends with an image within the limits or an error.
func FuzzDecode(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.*")
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Add(netpbmOf("P3", 255))
	f.Add(netpbmOf("P6", 65535))
	f.Add([]byte("P5 2 1 255\n\x00\xc8"))
	f.Add(withExif(jpegOf(f, picture()), binary.BigEndian, 7))
	f.Add(pngOf(f, picture()))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return gif.Encode(b, picture(), nil) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return bmp.Encode(b, picture()) }))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{Pixels: 1 << 14}
		img, err := decode(data, limits)
		size, headerErr := frameOf(data)
		if err != nil {
			return
		}
		got := img.Bounds().Size()
		if got.X < 1 || got.Y < 1 || int64(got.X)*int64(got.Y) > limits.Pixels {
			t.Fatalf("%v pixels pass", got)
		}
		if headerErr != nil {
			t.Fatalf("decoded, but its header is in error: %v", headerErr)
		}
		if kind, _ := formatOf(data); size != got && kind.name != "GIF" { // whose frames may be smaller
			t.Fatalf("%v pixels; the header says %v", got, size)
		}
	})
}

func BenchmarkDecodeFile(b *testing.B) {
	img := image.NewNRGBA(image.Rect(0, 0, 112, 112))
	for i := range img.Pix {
		img.Pix[i] = uint8(i>>8 + i*i>>7%16)
	}
	path := write(b, filepath.Join(b.TempDir(), "a.jpg"), jpegOf(b, img))
	for b.Loop() {
		if _, err := DecodeFile(path, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
