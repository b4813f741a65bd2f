package dataset

import (
	"bytes"
	"encoding/binary"
	"image"

	"github.com/disintegration/imaging"
)

// orientation returns the EXIF orientation of a file, 1 to 8; 1, upright, if there is none.
func (f *format) orientation(file []byte) int {
	if f.exif == nil {
		return 1
	}
	return tiffOrientation(f.exif(file))
}

// upright undoes an EXIF orientation (Exif 2.32, 4.6.4 A: where row 0 and column 0 of the
// stored image belong).
func upright(img image.Image, orientation int) image.Image {
	switch orientation {
	case 2: // top right
		return imaging.FlipH(img)
	case 3: // bottom right
		return imaging.Rotate180(img)
	case 4: // bottom left
		return imaging.FlipV(img)
	case 5: // left top
		return imaging.Transpose(img)
	case 6: // right top: stored a quarter turn anticlockwise
		return imaging.Rotate270(img)
	case 7: // right bottom
		return imaging.Transverse(img)
	case 8: // left bottom: stored a quarter turn clockwise
		return imaging.Rotate90(img)
	}
	return img
}

// tiffOrientation reads the orientation from the first directory of a TIFF block.
func tiffOrientation(b []byte) int {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return 1
	}
	const (
		header         = 8  // byte order, 42, offset of the directory
		entry          = 12 // tag, type, count, value
		tagOrientation = 0x0112
		typeShort      = 3
	)
	if len(b) < header {
		return 1
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < entry {
			return 1
		}
		if order.Uint16(entries) == tagOrientation {
			v := int(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) != typeShort || v < 1 || v > 8 {
				return 1
			}
			return v
		}
		entries = entries[entry:]
	}
	return 1
}

const exifMark = "Exif\x00\x00"

// exifOfJPEG returns the content of the first APP1 segment that holds EXIF.
func exifOfJPEG(file []byte) []byte {
	const app1, startOfScan = 0xe1, 0xda
	for b := file[2:]; len(b) >= 4 && b[0] == 0xff; {
		if b[1] == 0xff { // fill byte
			b = b[1:]
			continue
		}
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == startOfScan || size < 2 || len(b) < 2+size {
			return nil
		}
		if exif, ok := bytes.CutPrefix(b[4:2+size], []byte(exifMark)); ok && marker == app1 {
			return exif
		}
		b = b[2+size:]
	}
	return nil
}

// exifOfPNG returns the content of chunk eXIf (PNG, third edition, 11.3.4.5).
func exifOfPNG(file []byte) []byte {
	return findChunk(file[8:], binary.BigEndian, 4, 0, "eXIf", 12, 1)
}

// exifOfWebP returns the content of chunk EXIF (WebP container, 2.7), which some
// writers begin as in a JPEG.
func exifOfWebP(file []byte) []byte {
	exif := findChunk(file[12:], binary.LittleEndian, 0, 4, "EXIF", 8, 2)
	return bytes.TrimPrefix(exif, []byte(exifMark))
}

// findChunk returns the content of the first chunk with the given name. A chunk is its name and
// the length of its content, four bytes each in either order, then the content. It takes overhead
// bytes more than its content, rounded up to a multiple of align.
func findChunk(b []byte, order binary.ByteOrder, nameAt, sizeAt int, name string, overhead, align uint64) []byte {
	for len(b) >= 8 {
		size := uint64(order.Uint32(b[sizeAt:]))
		if string(b[nameAt:][:4]) == name {
			return b[8:][:min(size, uint64(len(b)-8))]
		}
		next := (size + overhead + align - 1) / align * align
		if next > uint64(len(b)) {
			return nil
		}
		b = b[next:]
	}
	return nil
}
