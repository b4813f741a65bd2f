package recpack

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/faceverify/fv/pipeline/dataset/recpack/rectest"
)

func pack() []byte {
	evil := append([]byte("abcd"), 0x0a, 0x23, 0xd7, 0xce, 'x', 0x0a, 0x23, 0xd7, 0xce, 0, 0, 0, 0x0a, 0x23, 0xd7, 0xce)
	b := rectest.Append(nil, 2, 0, []float32{4, 6}, nil)
	b = rectest.Append(b, 0, 7, nil, []byte("one"))
	b = rectest.Append(b, 1, 0, []float32{8}, evil)
	b = rectest.Append(b, 0, 9, nil, nil)
	return rectest.Append(b, 2, 0, []float32{1, 2}, nil) // an identity's range
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
	r = NewReader(bytes.NewReader(rectest.Append(nil, 0, 3, nil, []byte("x"))), "plain.rec")
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
		"not a pack at all":                         "train.rec: byte 0: 0x20746f6e where a record should begin",
		"\x0a\x23\xd7\xce\xff\xff\xff\x1f":          "a record of more than",
		"\x0a\x23\xd7\xce\x00\x00\x00\x40":          "part 1 of a record has the kind 2",
		"\x0a\x23\xd7\xce\x04\x00\x00\x00abcd":      "record 0: 4 bytes; a header alone has 24",
		string(rectest.Append(nil, 9, 0, nil, nil)): "9 labels do not fit in 0 bytes",
	} {
		if _, err := NewReader(strings.NewReader(text), "train.rec").Next(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// What a record claims to hold is not allocated before it is there.
func TestReaderMemory(t *testing.T) {
	claim := "\x0a\x23\xd7\xce\x00\x00\x00\x0f" // 240 MiB
	var before, after runtime.MemStats
	r := NewReader(strings.NewReader(claim+"abcd"), "train.rec")
	runtime.ReadMemStats(&before)
	_, err := r.Next()
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "a record of 251658240 bytes has 4") {
		t.Error(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes are allocated for a file of 12", n)
	}
	// A record of several chunks comes out whole.
	large := bytes.Repeat([]byte("face"), 700_000)
	img, err := NewReader(bytes.NewReader(rectest.Append(nil, 0, 3, nil, large)), "train.rec").Next()
	if err != nil || !bytes.Equal(img.Data, large) {
		t.Errorf("%v", err)
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
