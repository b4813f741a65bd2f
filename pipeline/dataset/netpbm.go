package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
)

// A netpbm is a PGM or PPM image: a header of numbers separated by blanks and comments,
// then width * height samples, or thrice as many, of 0 ... max. In the binary kinds P5 and
// P6 a sample has one byte, or two in big-endian order if max > 255; in P2 and P3 it is a
// decimal number. (Netpbm's pgm(5) and ppm(5).)
type netpbm struct {
	r             *bufio.Reader
	plain         bool // P2, P3
	channels      int  // 1 or 3
	width, height int
	max           int // 1 ... 65535
}

func newNetpbm(r io.Reader) (*netpbm, error) {
	p := &netpbm{r: bufio.NewReader(r)}
	var magic [2]byte
	if _, err := io.ReadFull(p.r, magic[:]); err != nil {
		return nil, err
	}
	switch string(magic[:]) {
	case "P2":
		p.plain, p.channels = true, 1
	case "P3":
		p.plain, p.channels = true, 3
	case "P5":
		p.channels = 1
	case "P6":
		p.channels = 3
	default:
		return nil, errors.New("the magic number is none of P2, P3, P5 and P6")
	}
	for _, field := range []struct {
		name string
		dst  *int
		max  int
	}{{"width", &p.width, 1 << 30}, {"height", &p.height, 1 << 30}, {"maximum", &p.max, 65535}} {
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		if v < 1 || v > field.max {
			return nil, fmt.Errorf("the %s is %d; want 1 to %d", field.name, v, field.max)
		}
		*field.dst = v
	}
	return p, nil
}

// number reads a decimal number and the one byte that ends it.
func (p *netpbm) number() (int, error) {
	const most = 1 << 30
	digits, v := 0, 0
	for {
		c, err := p.r.ReadByte()
		if err == io.EOF && digits > 0 {
			return v, nil // the last sample of a plain file
		}
		if err != nil {
			return 0, err
		}
		switch {
		case c >= '0' && c <= '9':
			digits++
			if v = 10*v + int(c-'0'); v > most {
				return 0, errors.New("a number has too many digits")
			}
			continue
		case c == '#':
			for c != '\n' {
				if c, err = p.r.ReadByte(); err != nil {
					return 0, err
				}
			}
		case c != ' ' && (c < '\t' || c > '\r'):
			return 0, fmt.Errorf("byte %q where a number is wanted", c)
		}
		if digits > 0 {
			return v, nil
		}
	}
}

func netpbmConfig(r io.Reader) (image.Config, error) {
	p, err := newNetpbm(r)
	if err != nil {
		return image.Config{}, err
	}
	model := color.Model(color.GrayModel)
	switch {
	case p.channels == 3 && p.max > 255:
		model = color.NRGBA64Model
	case p.channels == 3:
		model = color.NRGBAModel
	case p.max > 255:
		model = color.Gray16Model
	}
	return image.Config{ColorModel: model, Width: p.width, Height: p.height}, nil
}

// decodeNetpbm returns an *image.Gray, Gray16, NRGBA or NRGBA64, in which max is white.
func decodeNetpbm(r io.Reader) (image.Image, error) {
	p, err := newNetpbm(r)
	if err != nil {
		return nil, err
	}
	rect := image.Rect(0, 0, p.width, p.height)
	// The samples lie in pix as they do in the file, but with room for alpha.
	var img image.Image
	var pix []byte
	wide := p.max > 255
	switch {
	case p.channels == 1 && wide:
		m := image.NewGray16(rect)
		img, pix = m, m.Pix
	case p.channels == 1:
		m := image.NewGray(rect)
		img, pix = m, m.Pix
	case wide:
		m := image.NewNRGBA64(rect)
		img, pix = m, m.Pix
	default:
		m := image.NewNRGBA(rect)
		img, pix = m, m.Pix
	}
	white := 255
	if wide {
		white = 65535
	}
	row := make([]int, p.channels*p.width)
	for range p.height {
		if err := p.row(row); err != nil {
			return nil, err
		}
		for i, v := range row {
			if v > p.max {
				return nil, fmt.Errorf("a sample is %d; the maximum is %d", v, p.max)
			}
			pix = put(pix, wide, (v*white+p.max/2)/p.max)
			if p.channels == 3 && i%3 == 2 {
				pix = put(pix, wide, white)
			}
		}
	}
	return img, nil
}

// put stores a sample and returns what follows it.
func put(pix []byte, wide bool, v int) []byte {
	if wide {
		pix[0], pix[1] = byte(v>>8), byte(v)
		return pix[2:]
	}
	pix[0] = byte(v)
	return pix[1:]
}

// row reads the samples of a row.
func (p *netpbm) row(dst []int) error {
	if p.plain {
		for i := range dst {
			v, err := p.number()
			if err != nil {
				return err
			}
			dst[i] = v
		}
		return nil
	}
	for i := range dst {
		c, err := p.r.ReadByte()
		if err != nil {
			return err
		}
		dst[i] = int(c)
		if p.max > 255 {
			if c, err = p.r.ReadByte(); err != nil {
				return err
			}
			dst[i] = dst[i]<<8 | int(c)
		}
	}
	return nil
}
