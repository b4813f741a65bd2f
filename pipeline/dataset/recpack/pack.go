package recpack

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Pack reads the images of a pack in any order, in place: it holds where each is and its label, 24 bytes an image. It is
// safe for concurrent use.
type Pack struct {
	name    string
	file    io.ReaderAt
	size    int64
	records []record // images, sorted by index
	closer  io.Closer
}

// record says where an image lies.
type record struct {
	at, limit int64 // it begins at the former and must end by the latter
	index     int32
	label     int32
}

// Open opens the pack at path. The .idx file beside it says where the records are; where there is none, all of
// the pack's headers are read once.
//
// Labels are those that the records of identities, behind the images, stand for, or else those in each image's own header.
func Open(path string) (*Pack, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := open(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	p.closer = f
	return p, nil
}

func open(f *os.File, path string) (*Pack, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	beside := IndexPath(path)
	text, err := os.Open(beside)
	if errors.Is(err, os.ErrNotExist) {
		return New(f, st.Size(), path, nil, "")
	} else if err != nil {
		return nil, err
	}
	defer text.Close()
	return New(f, st.Size(), path, text, beside)
}

// IndexPath returns the path of the index that goes with a pack: train.idx for train.rec.
func IndexPath(path string) string {
	if n := len(path) - len(".rec"); n > 0 && strings.EqualFold(path[n:], ".rec") {
		return path[:n] + ".idx"
	}
	return path + ".idx"
}

// New is Open of a pack of size bytes in r and of an index, which may be nil; their names are used in errors.
func New(r io.ReaderAt, size int64, name string, index io.Reader, indexName string) (*Pack, error) {
	p := &Pack{name: name, file: r, size: size}
	var err error
	if index == nil {
		err = p.scan()
	} else {
		err = p.readIndex(index, indexName)
	}
	if err != nil {
		return nil, err
	}
	if len(p.records) == 0 {
		return nil, fmt.Errorf("%s: no records", name)
	}
	if err := p.label(); err != nil {
		return nil, err
	}
	if len(p.records) == 0 {
		return nil, fmt.Errorf("%s: no images", name)
	}
	return p, nil
}

// Close closes the file.
func (p *Pack) Close() error {
	if p.closer == nil {
		return nil
	}
	return p.closer.Close()
}

// Len returns the number of images.
func (p *Pack) Len() int { return len(p.records) }

// Index returns the number of the record of image i.
func (p *Pack) Index(i int) int { return int(p.records[i].index) }

// Label returns the label of image i.
func (p *Pack) Label(i int) int { return int(p.records[i].label) }

// Find returns which image has the record of that number.
func (p *Pack) Find(index int) (i int, ok bool) {
	return slices.BinarySearchFunc(p.records, index, func(r record, index int) int { return cmp.Compare(int(r.index), index) })
}

// Read reads image i. A record that is damaged, overlaps the next one or has another label than the records of
// identities say is an error that names its place.
func (p *Pack) Read(i int) (*Image, error) {
	r := p.records[i]
	labels, data, err := p.read(r)
	if err != nil {
		return nil, err
	}
	if got, err := whole(labels[0]); err != nil || got != r.label {
		return nil, p.errorf(r, "its label is %v; the pack's list of identities says %d", labels[0], r.label)
	}
	if len(data) == 0 {
		return nil, p.errorf(r, "it has no image")
	}
	return &Image{int(r.index), labels[0], data}, nil
}

func (p *Pack) errorf(r record, format string, args ...any) error {
	return fmt.Errorf("%s: byte %d: record %d: %w", p.name, r.at, r.index, fmt.Errorf(format, args...))
}

// span returns where the record that begins at a byte ends: the pack's end at most.
func (p *Pack) span(r record) (end int64, err error) {
	for at := r.at; ; at = end {
		var head [8]byte
		if n, err := p.file.ReadAt(head[:], at); n < len(head) {
			return 0, p.errorf(r, "the pack is cut off: %w", cutOff(err))
		}
		if m := binary.LittleEndian.Uint32(head[:]); m != magic {
			return 0, p.errorf(r, "%#08x at byte %d where a record should begin with %#08x", m, at, uint32(magic))
		}
		word := binary.LittleEndian.Uint32(head[4:])
		kind := word >> 29
		if (at == r.at) != (kind < 2) || kind > 3 {
			return 0, p.errorf(r, "a part of the kind %d at byte %d", kind, at)
		}
		end = at + int64(len(head)) + (int64(word&(1<<29-1))+3)/4*4
		switch {
		case end > p.size:
			return 0, p.errorf(r, "the pack is cut off: it ends at byte %d, the record at byte %d", p.size, end)
		case end-r.at > MaxRecord:
			return 0, p.errorf(r, "more than %d bytes", MaxRecord)
		case kind == 0 || kind == 3:
			return end, nil
		}
	}
}

// cutOff is the error of a read that ended early.
func cutOff(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// read returns labels and data of a record.
func (p *Pack) read(r record) (labels []float32, data []byte, err error) {
	end, err := p.span(r)
	if err != nil {
		return nil, nil, err
	}
	if end > r.limit {
		return nil, nil, p.errorf(r, "it ends at byte %d and overlaps the record that begins at byte %d", end, r.limit)
	}
	text := make([]byte, end-r.at)
	if n, err := p.file.ReadAt(text, r.at); n < len(text) {
		return nil, nil, p.errorf(r, "%w", cutOff(err))
	}
	one := Reader{in: bufio.NewReaderSize(bytes.NewReader(text), 16), name: p.name, offset: r.at}
	payload, err := one.record()
	if err != nil {
		return nil, nil, err
	}
	if labels, data, err = header(payload); err != nil {
		return nil, nil, p.errorf(r, "%w", err)
	}
	return labels, data, nil
}

// labels reads no more of a record than its first label and, of those of identities, its second.
func (p *Pack) labels(r record) ([]float32, error) {
	var b [8 + 24 + 8]byte // the head of a part, flag, label and two numbers, two labels
	n, err := p.file.ReadAt(b[:min(int64(len(b)), r.limit-r.at)], r.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, p.errorf(r, "%w", err)
	}
	if n == len(b) && binary.LittleEndian.Uint32(b[:]) == magic {
		length := int(binary.LittleEndian.Uint32(b[4:]) & (1<<29 - 1)) // of a part
		flag := binary.LittleEndian.Uint32(b[8:])
		number := func(at int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b[at:])) }
		switch {
		case flag == 0 && length >= 24:
			return []float32{number(12)}, nil
		case flag == 2 && length >= 32:
			return []float32{number(32), number(36)}, nil
		}
	}
	all, _, err := p.read(r) // short, cut in parts, or damaged
	return all, err
}

// scan finds the records by going over the pack.
func (p *Pack) scan() error {
	for at := int64(0); at < p.size; {
		r := record{at: at, limit: p.size, index: int32(len(p.records))}
		end, err := p.span(r)
		if err != nil {
			return err
		}
		r.limit = end
		p.records = append(p.records, r)
		at = end
	}
	return nil
}

// readIndex takes the records' places from lines "index<tab>offset".
func (p *Pack) readIndex(in io.Reader, name string) error {
	scan := bufio.NewScanner(in)
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(scan.Text())
		if text == "" {
			continue
		}
		index, at, err := parseEntry(text)
		switch {
		case err != nil:
			return fmt.Errorf("%s:%d: %.40q: want a record's number, a tab and its first byte in the pack", name, line, text)
		case at >= p.size:
			return fmt.Errorf("%s:%d: record %d at byte %d of %s, which has %d: the pack is cut off, or the index is another pack's", name, line, index, at, p.name, p.size)
		}
		p.records = append(p.records, record{at: at, index: index})
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	slices.SortFunc(p.records, func(a, b record) int { return cmp.Compare(a.at, b.at) })
	for i := range p.records {
		r := &p.records[i]
		r.limit = p.size
		if i+1 < len(p.records) {
			if r.limit = p.records[i+1].at; r.limit == r.at {
				return fmt.Errorf("%s: records %d and %d both begin at byte %d", name, r.index, p.records[i+1].index, r.at)
			}
		}
	}
	slices.SortFunc(p.records, func(a, b record) int { return cmp.Compare(a.index, b.index) })
	for i := 1; i < len(p.records); i++ {
		if p.records[i].index == p.records[i-1].index {
			return fmt.Errorf("%s: record %d stands in it twice", name, p.records[i].index)
		}
	}
	return nil
}

// label keeps the records of images, and finds the labels of those.
func (p *Pack) label() error {
	if first := p.records[0]; first.index == 0 {
		labels, data, err := p.read(first)
		if err != nil {
			return err
		}
		if len(data) == 0 && len(labels) == 2 { // InsightFace's: where the images end, and where their identities
			return p.insightFace(labels)
		}
	}
	return p.labelEach()
}

// insightFace keeps the records 1 ... a-1, and takes their labels from the records a ... b-1 of identities, each of which has the
// range of its images.
func (p *Pack) insightFace(ends []float32) error {
	zero := p.records[0]
	a, err1 := whole(ends[0])
	b, err2 := whole(ends[1])
	if err := errors.Join(err1, err2); err != nil || a < 1 {
		return p.errorf(zero, "images end before record %v and identities before record %v; want whole numbers above 0", ends[0], ends[1])
	}
	images, ok := p.Find(int(a))
	if images != int(a) { // 0 ... a-1 are so many
		return p.errorf(zero, "it announces the images 1 to %d; %d of them are there", a-1, images-1)
	}
	var identities []record
	if ok && b > a {
		end, _ := p.Find(int(b))
		if end-images == int(b-a) {
			identities = slices.Clone(p.records[images:end])
		}
	}
	p.records = p.records[1:images]
	labelled := 0
	for _, r := range identities {
		ends, err := p.labels(r)
		if err != nil {
			return err
		}
		if len(ends) != 2 {
			return p.errorf(r, "%d labels; want the first of an identity's images and the one after the last", len(ends))
		}
		from, err1 := whole(ends[0])
		to, err2 := whole(ends[1])
		if errors.Join(err1, err2) != nil || from < 1 || from > to || to > a {
			return p.errorf(r, "an identity's images are %v to %v, exclusively; the pack's are 1 to %d", ends[0], ends[1], a-1)
		}
		if int(from)-1 != labelled { // in an order of their own, or not all of them
			return p.labelEach()
		}
		if from == to {
			continue
		}
		label, err := p.labelOf(p.records[from-1])
		if err != nil {
			return err
		}
		for i := from; i < to; i++ {
			p.records[i-1].label = label
		}
		labelled = int(to) - 1
	}
	if labelled < len(p.records) {
		return p.labelEach()
	}
	return nil
}

// labelEach reads the header of every image.
func (p *Pack) labelEach() error {
	for i, r := range p.records {
		label, err := p.labelOf(r)
		if err != nil {
			return err
		}
		p.records[i].label = label
	}
	return nil
}

func (p *Pack) labelOf(r record) (int32, error) {
	labels, err := p.labels(r)
	if err != nil {
		return 0, err
	}
	label, err := whole(labels[0])
	if err != nil {
		return 0, p.errorf(r, "its label is %w", err)
	}
	return label, nil
}

// whole returns a number that a float32 holds exactly.
func whole(x float32) (int32, error) {
	if !(x >= 0 && x <= 1<<24) || x != float32(int32(x)) {
		return 0, fmt.Errorf("%v; want a whole number from 0 on", x)
	}
	return int32(x), nil
}

// parseEntry reads a line of an index.
func parseEntry(text string) (index int32, at int64, err error) {
	number, place, ok := strings.Cut(text, "\t")
	if !ok {
		return 0, 0, errors.New("no tab")
	}
	n, err1 := strconv.ParseUint(number, 10, 31)
	o, err2 := strconv.ParseUint(place, 10, 63)
	return int32(n), int64(o), errors.Join(err1, err2)
}
