package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/faceverify/fv/pipeline/dataset/baseline"
)

// Limits bound what an image file may cost. They are checked before its pixels are decoded.
type Limits struct {
	Pixels int64 // width times height; 0 means 100 million
	Bytes  int64 // size of the file; 0 means 256 MiB
}

func (l Limits) pixels() int64 {
	if l.Pixels > 0 {
		return l.Pixels
	}
	return 100e6
}

func (l Limits) bytes() int64 {
	if l.Bytes > 0 {
		return l.Bytes
	}
	return 256 << 20
}

// DecodeFile decodes the image in the file at path and turns it upright as its EXIF
// orientation says. The content tells the format, not the name: JPEG (baseline and
// progressive; grey, colour and CMYK), PNG, GIF (the first frame), BMP, WebP, PGM and PPM.
// The colours are left as the format has them; embed.Contract.Resize makes 8-bit RGB of any.
//
// A file that is missing, is not such an image, is cut short or damaged, or exceeds the
// limits is an error that names path. No content makes DecodeFile panic.
func DecodeFile(path string, l Limits) (image.Image, error) {
	data, err := readFile(path, l)
	if err != nil {
		return nil, err
	}
	img, err := decode(data, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// Decode is DecodeFile of a file's content.
func Decode(data []byte, l Limits) (image.Image, error) {
	if int64(len(data)) > l.bytes() {
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", len(data), l.bytes())
	}
	return decode(data, l)
}

// readFile reads a regular file of bounded size.
func readFile(path string, l Limits) ([]byte, error) {
	// Before opening: to open a named pipe waits for its writer.
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case st.IsDir():
		return nil, fmt.Errorf("%s: a folder, not an image", path)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case st.Size() > l.bytes():
		return nil, fmt.Errorf("%s: %d bytes; an image may have at most %d", path, st.Size(), l.bytes())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, st.Size())
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return data[:n], nil // shorter if the file shrank: the decoder sees to that
}

// A format is a kind of image file. Formats are not taken from package image's registry:
// any package that is linked in adds to that, TIFF decoders that panic among them.
type format struct {
	name   string
	magic  string // a ? matches any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	exif   func(file []byte) []byte // the EXIF block in TIFF format; nil function: none

	// usual decodes the usual kind of such files faster, to the same image, and returns nil for any other and for whatever is
	// damaged or has more pixels; nil function: there is none.
	usual func(file []byte, pixels int64) image.Image
}

// What package baseline does not take for a whole and usual JPEG file goes to the standard library, which knows more kinds
// and says what is wrong with a file. Faster decoders of others read on where a file is cut short or damaged.
var formats = []format{
	{"JPEG", "\xff\xd8", jpeg.DecodeConfig, jpeg.Decode, exifOfJPEG, baseline.Decode},
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode, exifOfPNG, nil},
	{"WebP", "RIFF????WEBP", webp.DecodeConfig, webp.Decode, exifOfWebP, nil},
	{"GIF", "GIF8?a", gif.DecodeConfig, gif.Decode, nil, nil},
	{"BMP", "BM", bmp.DecodeConfig, bmp.Decode, nil, nil},
	{"PGM", "P2", netpbmConfig, decodeNetpbm, nil, nil},
	{"PPM", "P3", netpbmConfig, decodeNetpbm, nil, nil},
	{"PGM", "P5", netpbmConfig, decodeNetpbm, nil, nil},
	{"PPM", "P6", netpbmConfig, decodeNetpbm, nil, nil},
}

// foreign names what is often found under an image's name and is none that can be read.
var foreign = []struct{ magic, name string }{
	{"II*\x00", "a TIFF image"},
	{"MM\x00*", "a TIFF image"},
	{"????ftyphei", "a HEIC image"},
	{"????ftypmif1", "a HEIC image"},
	{"????ftypavi", "an AVIF image"},
	{"\xff\x0a", "a JPEG XL image"},
	{"\x00\x00\x00\x0cJXL ", "a JPEG XL image"},
	{"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"},
	{"P1", "a PBM image"},
	{"P4", "a PBM image"},
	{"<", "a web page or XML file"},
	{"%PDF", "a PDF file"},
	{"version https://git-lfs", "a Git LFS pointer, whose content has not been fetched"},
}

func matches(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

var errNoImage = errors.New("want JPEG, PNG, GIF, BMP, WebP, PGM or PPM")

func formatOf(data []byte) (*format, error) {
	if len(data) == 0 {
		return nil, errors.New("the file is empty")
	}
	for i := range formats {
		if matches(data, formats[i].magic) {
			return &formats[i], nil
		}
	}
	for _, f := range foreign {
		if matches(data, f.magic) {
			return nil, fmt.Errorf("%s; %w", f.name, errNoImage)
		}
	}
	return nil, fmt.Errorf("not an image; %w", errNoImage)
}

// maxScans bounds the scans of a progressive JPEG. Encoders write about ten; each makes the
// decoder go over the whole image, and a crafted file has room for millions.
const maxScans = 500

// decode is Decode of content of bounded size.
func decode(data []byte, l Limits) (img image.Image, err error) {
	f, err := formatOf(data)
	if err != nil {
		return nil, err
	}
	// The decoders are other people's work on other people's files: one bad
	// image must not end a run.
	defer func() {
		if r := recover(); r != nil {
			img, err = nil, fmt.Errorf("%s cannot be decoded: %v", f.name, r)
		}
	}()
	tooManyScans := f.name == "JPEG" && bytes.Count(data, []byte("\xff\xda")) > maxScans
	if f.usual != nil && !tooManyScans {
		if img := f.usual(data, l.pixels()); img != nil {
			return upright(img, f.orientation(data)), nil
		}
	}
	if _, err := f.frame(data, l); err != nil {
		return nil, err
	}
	if tooManyScans {
		return nil, fmt.Errorf("JPEG of over %d scans", maxScans)
	}
	img, err = f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, f.failed(err)
	}
	if img.Bounds().Empty() {
		return nil, fmt.Errorf("%s without pixels", f.name)
	}
	return upright(img, f.orientation(data)), nil
}

// frame returns width and height as stored, or an error if they exceed the limits.
func (f *format) frame(data []byte, l Limits) (image.Point, error) {
	c, err := f.config(bytes.NewReader(data))
	if err != nil {
		return image.Point{}, f.failed(err)
	}
	if c.Width < 1 || c.Height < 1 {
		return image.Point{}, fmt.Errorf("%s of %dx%d pixels", f.name, c.Width, c.Height)
	}
	if int64(c.Width) > l.pixels()/int64(c.Height) {
		return image.Point{}, fmt.Errorf("%s of %dx%d pixels; at most %d megapixels are decoded", f.name, c.Width, c.Height, l.pixels()/1e6)
	}
	return image.Pt(c.Width, c.Height), nil
}

func (f *format) failed(err error) error {
	// What package jpeg makes of an unexpected end within a scan.
	const shortJPEG = jpeg.FormatError("short Huffman data")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err == shortJPEG {
		return fmt.Errorf("%s is cut short", f.name)
	}
	return fmt.Errorf("%s cannot be decoded: %w", f.name, err)
}

// frameOf returns width and height of the upright image in a file's content.
func frameOf(data []byte) (size image.Point, err error) {
	f, err := formatOf(data)
	if err != nil {
		return size, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s cannot be decoded: %v", f.name, r)
		}
	}()
	if size, err = f.frame(data, Limits{}); err != nil {
		return size, err
	}
	if f.orientation(data) >= 5 { // a quarter turn
		size.X, size.Y = size.Y, size.X
	}
	return size, nil
}

// Format returns the name of the format of a file's content, such as JPEG; "" if it is none that is read.
func Format(data []byte) string {
	f, err := formatOf(data)
	if err != nil {
		return ""
	}
	return f.name
}
