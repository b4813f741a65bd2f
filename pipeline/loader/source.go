package loader

import (
	"encoding/binary"
	"fmt"
	"image"
	"sync"

	"github.com/faceverify/fv/internal/offheap"
)

// source gives the images of a set in the contract's size. It remembers which ones cannot be
// read, and keeps the pixels of those that can while there is room.
type source struct {
	o      Options
	pixels []byte // [slots, Height, Width, 3], off the Go heap
	size   int    // of a slot, in bytes

	mu    sync.Mutex
	state []int32 // [samples]: the slot of its pixels, or one of the below
	used  int     // slots
	bad   int     // samples
	first error   // of the first of them

	reporting sync.Mutex // held while OnBad runs
}

// States of a sample that has no slot.
const (
	unread   = -1 - iota // not read yet, or no slot was left
	storing              // a worker is writing to its slot
	unusable             // cannot be read
)

func newSource(o Options) (*source, error) {
	s := &source{o: o, size: o.Contract.Len(), state: make([]int32, len(o.Set.Samples))}
	for i := range s.state {
		s.state[i] = unread
	}
	slots := int(min(o.Cache/int64(s.size), int64(len(s.state))))
	var err error
	if s.pixels, err = offheap.Bytes(slots * s.size); err != nil {
		return nil, fmt.Errorf("loader: a cache of %d images: %w; make the cache smaller", slots, err)
	}
	return s, nil
}

func (s *source) close() {
	offheap.Free(s.pixels)
	s.pixels = nil
}

// readable returns the first readable image from sample i on, cyclically, and which sample
// that is. The image is scratch or one that nobody else has. The error says that there is none.
func (s *source) readable(i int, scratch *image.NRGBA) (*image.NRGBA, int, error) {
	n := len(s.state)
	for range n {
		state, all := s.lookup(i)
		if all {
			break
		}
		switch {
		case state >= 0:
			unpack(scratch, s.slot(state))
			return scratch, i, nil
		case state != unusable:
			img, err := s.read(i, scratch)
			if err == nil {
				s.store(i, img)
				return img, i, nil
			}
			s.setAside(i, err)
		}
		i = (i + 1) % n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, 0, fmt.Errorf("loader: none of the %d images in %s can be read; one of them: %w", n, s.o.Set.Root, s.first)
}

// lookup returns the state of sample i, and whether all samples are unusable.
func (s *source) lookup(i int) (state int32, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state[i], s.bad == len(s.state)
}

// read decodes sample i and brings it to the contract's size, in scratch or in a new image.
func (s *source) read(i int, scratch *image.NRGBA) (*image.NRGBA, error) {
	img, err := s.o.Decode(s.o.Set.File(i))
	if err != nil {
		return nil, err
	}
	if img.Bounds().Empty() {
		return nil, fmt.Errorf("%s: an image without pixels", s.o.Set.File(i))
	}
	return s.o.Contract.ResizeInto(scratch, img), nil
}

// slot returns the pixels of a slot.
func (s *source) slot(i int32) []byte { return s.pixels[int(i)*s.size:][:s.size] }

// store keeps the pixels of sample i if there is room. First come is first kept: what is
// decoded again gives the same image.
func (s *source) store(i int, img *image.NRGBA) {
	s.mu.Lock()
	if s.state[i] != unread || (s.used+1)*s.size > len(s.pixels) {
		s.mu.Unlock()
		return
	}
	slot := int32(s.used)
	s.used++
	s.state[i] = storing
	s.mu.Unlock()

	pack(s.slot(slot), img)

	s.mu.Lock()
	s.state[i] = slot
	s.mu.Unlock()
}

// setAside marks sample i as unusable and reports it, once.
func (s *source) setAside(i int, err error) {
	s.mu.Lock()
	known := s.state[i] == unusable
	if !known {
		s.state[i] = unusable
		s.bad++
		if s.first == nil {
			s.first = err
		}
	}
	s.mu.Unlock()
	if !known && s.o.OnBad != nil {
		s.reporting.Lock()
		defer s.reporting.Unlock()
		s.o.OnBad(s.o.Set.File(i), err)
	}
}

// pack writes the colours of an opaque image into dst, three bytes a pixel.
func pack(dst []byte, img *image.NRGBA) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		row := img.Pix[y*img.Stride:][:4*w]
		for len(row) >= 16 && len(dst) >= 12 { // four pixels at a time
			a, b := binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(row[8:])
			binary.LittleEndian.PutUint64(dst, a&0xffffff|a>>8&0xffffff000000|b<<48)
			binary.LittleEndian.PutUint32(dst[8:], uint32(b>>16&0xff|b>>24&0xffffff00))
			row, dst = row[16:], dst[12:]
		}
		for len(row) >= 4 && len(dst) >= 3 {
			dst[0], dst[1], dst[2] = row[0], row[1], row[2]
			row, dst = row[4:], dst[3:]
		}
	}
}

// unpack is the inverse of pack.
func unpack(img *image.NRGBA, src []byte) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	const opaque = 0xff<<24 | 0xff<<56
	for y := range h {
		row := img.Pix[y*img.Stride:][:4*w]
		for len(row) >= 16 && len(src) >= 12 { // four pixels at a time
			a, b := binary.LittleEndian.Uint64(src), uint64(binary.LittleEndian.Uint32(src[8:]))
			binary.LittleEndian.PutUint64(row, a&0xffffff|a<<8&0xffffff00000000|opaque)
			binary.LittleEndian.PutUint64(row[8:], a>>48|b&0xff<<16|b<<24&0xffffff00000000|opaque)
			row, src = row[16:], src[12:]
		}
		for len(row) >= 4 && len(src) >= 3 {
			row[0], row[1], row[2], row[3] = src[0], src[1], src[2], 255
			row, src = row[4:], src[3:]
		}
	}
}
