package recpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// appendRecord appends a record as MXNet writes it: cut where the magic number stands at a multiple of four.
func appendRecord(b []byte, flag uint32, label float32, labels []float32, image []byte) []byte {
	p := binary.LittleEndian.AppendUint32(nil, flag)
	p = binary.LittleEndian.AppendUint32(p, math.Float32bits(label))
	p = append(p, make([]byte, 16)...)
	for _, l := range labels {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(l))
	}
	p = append(p, image...)
	var parts [][]byte
	start := 0
	for i := 0; i+4 <= len(p); i += 4 {
		if binary.LittleEndian.Uint32(p[i:]) == magic {
			parts = append(parts, p[start:i])
			start = i + 4
		}
	}
	parts = append(parts, p[start:])
	for i, part := range parts {
		kind := uint32(2)
		switch {
		case len(parts) == 1:
			kind = 0
		case i == 0:
			kind = 1
		case i == len(parts)-1:
			kind = 3
		}
		b = binary.LittleEndian.AppendUint32(b, magic)
		b = binary.LittleEndian.AppendUint32(b, kind<<29|uint32(len(part)))
		b = append(b, part...)
		b = append(b, make([]byte, (4-len(part)%4)%4)...)
	}
	return b
}

func pack() []byte {
	evil := append([]byte("abcd"), 0x0a, 0x23, 0xd7, 0xce, 'x', 0x0a, 0x23, 0xd7, 0xce, 0, 0, 0, 0x0a, 0x23, 0xd7, 0xce)
	b := appendRecord(nil, 2, 0, []float32{4, 6}, nil)
	b = appendRecord(b, 0, 7, nil, []byte("one"))
	b = appendRecord(b, 1, 0, []float32{8}, evil)
	b = appendRecord(b, 0, 9, nil, nil)
	return appendRecord(b, 2, 0, []float32{1, 2}, nil) // an identity's range
}

func TestReader(t *testing.T) {
	r := NewReader(bytes.NewReader(pack()), "train.rec")
	for i, want := range []struct {
		label float32
		size  int
	}{{7, 3}, {8, 20}, {9, 0}} {
		got, err := r.Next()
		if err != nil || got.Index != i+1 || got.Label != want.label || len(got.Data) != want.size {
			t.Fatalf("image %d: %+v, %v", i+1, got, err)
		}
		if i == 1 && !bytes.Contains(got.Data, []byte{0x0a, 0x23, 0xd7, 0xce, 'x'}) {
			t.Errorf("the magic number in the data is lost: %x", got.Data)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the images: %v", err)
	}
	// A pack without InsightFace's first record has images from 0 to its end.
	r = NewReader(bytes.NewReader(appendRecord(nil, 0, 3, nil, []byte("x"))), "plain.rec")
	if got, err := r.Next(); err != nil || got.Index != 0 || got.Label != 3 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// A pack that is cut anywhere is an error, or has fewer images; it never panics.
func TestDamaged(t *testing.T) {
	whole := pack()
	for n := range len(whole) {
		r := NewReader(bytes.NewReader(whole[:n]), "train.rec")
		images := 0
		var err error
		for err == nil {
			if _, err = r.Next(); err == nil {
				images++
			}
		}
		if images > 3 || n > 0 && images < 3 && (errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "train.rec: byte ")) {
			t.Errorf("%d bytes: %d images, %v", n, images, err)
		}
	}
	for text, want := range map[string]string{
		"not a pack at all":                       "train.rec: byte 0: 0x20746f6e where a record should begin",
		"\x0a\x23\xd7\xce\xff\xff\xff\x1f":        "a record of more than",
		"\x0a\x23\xd7\xce\x00\x00\x00\x40":        "part 1 of a record has the kind 2",
		"\x0a\x23\xd7\xce\x04\x00\x00\x00abcd":    "record 0: 4 bytes; a header alone has 24",
		string(appendRecord(nil, 9, 0, nil, nil)): "9 labels do not fit in 0 bytes",
	} {
		if _, err := NewReader(strings.NewReader(text), "train.rec").Next(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(pack())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "x")
		for range 100 {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	})
}
