// Package recpack reads InsightFace's training packs (train.rec): records of MXNet's RecordIO, each an image
// with its label. [Reader] reads them one after the other, so that a pack of any size needs the memory of one image, and
// needs no .idx file; [Pack] reads them in any order.
package recpack

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// magic begins every record, and every part of one.
const magic = 0xced7230a

// MaxRecord is the most bytes of a record.
const MaxRecord = 256 << 20

// chunk is how many bytes are read at once.
const chunk = 1 << 20

// Image is an encoded image of a pack.
type Image struct {
	Index int // of its record, from 0; InsightFace's first image is 1
	Label float32
	Data  []byte // JPEG, usually
}

// Reader reads the images of a pack.
type Reader struct {
	in     *bufio.Reader
	name   string
	offset int64
	index  int
	end    int // index after the last image; 0 if the pack does not say
}

// NewReader returns a reader; name is used in errors.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 1<<20), name: name}
}

// Next returns the next image, io.EOF after the last one. The headers of identities that InsightFace puts
// behind the images are no images, and end them.
func (r *Reader) Next() (*Image, error) {
	for r.end == 0 || r.index < r.end {
		at := r.offset
		payload, err := r.record()
		if errors.Is(err, io.EOF) && r.end > 0 {
			return nil, r.errorf(at, "ends after %d records; the first announces %d images", r.index, r.end-1)
		}
		if err != nil {
			return nil, err
		}
		index := r.index
		r.index++
		labels, data, err := header(payload)
		if err != nil {
			return nil, r.errorf(at, "record %d: %w", index, err)
		}
		if index == 0 && len(data) == 0 && len(labels) == 2 { // where the images end, and their identities
			if !(labels[0] >= 1 && labels[0] <= math.MaxInt32) {
				return nil, r.errorf(at, "record 0 says that images end before record %v", labels[0])
			}
			r.end = int(labels[0])
			continue
		}
		return &Image{index, labels[0], data}, nil
	}
	return nil, io.EOF
}

func (r *Reader) errorf(at int64, format string, args ...any) error {
	return fmt.Errorf("%s: byte %d: "+format, append([]any{r.name, at}, args...)...)
}

// record returns the payload of the next record: one part, or several between which the magic number stood
// in the data.
func (r *Reader) record() ([]byte, error) {
	var payload []byte
	for part := 0; ; part++ {
		at := r.offset
		var head [8]byte
		n, err := io.ReadFull(r.in, head[:])
		r.offset += int64(n)
		if part == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, r.errorf(at, "the pack is cut off: %w", io.ErrUnexpectedEOF)
		}
		if m := binary.LittleEndian.Uint32(head[:]); m != magic {
			return nil, r.errorf(at, "%#08x where a record should begin with %#08x; is this a .rec file?", m, uint32(magic))
		}
		// The upper 3 bits tell a whole record (0) from the first (1), a middle (2) or the last part (3) of one.
		word := binary.LittleEndian.Uint32(head[4:])
		kind, length := word>>29, int(word&(1<<29-1))
		if (part == 0) != (kind == 0 || kind == 1) || kind > 3 {
			return nil, r.errorf(at, "part %d of a record has the kind %d", part+1, kind)
		}
		if len(payload)+length > MaxRecord {
			return nil, r.errorf(at, "a record of more than %d bytes", MaxRecord)
		}
		if part > 0 {
			payload = binary.LittleEndian.AppendUint32(payload, magic)
		}
		start := len(payload)
		padded := (length + 3) / 4 * 4
		// Memory grows with what is there, not with what is claimed.
		for len(payload) < start+padded {
			from := len(payload)
			payload = append(payload, make([]byte, min(start+padded-from, chunk))...)
			n, err = io.ReadFull(r.in, payload[from:])
			r.offset += int64(n)
			if err != nil {
				return nil, r.errorf(at, "the pack is cut off: a record of %d bytes has %d", length, from-start+n)
			}
		}
		payload = payload[:start+length]
		if kind == 0 || kind == 3 {
			return payload, nil
		}
	}
}

// header takes a payload apart: u32 flag, f32 label, two u64, then flag labels if it is not 0, then the image.
func header(payload []byte) (labels []float32, data []byte, err error) {
	const size = 24
	if len(payload) < size {
		return nil, nil, fmt.Errorf("%d bytes; a header alone has %d", len(payload), size)
	}
	flag := int64(binary.LittleEndian.Uint32(payload))
	number := func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	if flag == 0 {
		return []float32{number(payload[4:])}, payload[size:], nil
	}
	if int64(len(payload)-size) < 4*flag {
		return nil, nil, fmt.Errorf("%d labels do not fit in %d bytes", flag, len(payload)-size)
	}
	for i := range int(flag) {
		labels = append(labels, number(payload[size+4*i:]))
	}
	return labels, payload[size+4*int(flag):], nil
}
