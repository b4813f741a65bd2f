package recpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faceverify/fv/pipeline/dataset/recpack/rectest"
)

// people are two identities: one image holds the magic number.
func people() [][][]byte {
	split := binary.LittleEndian.AppendUint32([]byte("abcd"), magic)
	return [][][]byte{{[]byte("one"), append(split, "tail"...)}, {[]byte("three")}}
}

func check(t *testing.T, p *Pack) {
	t.Helper()
	if p.Len() != 3 {
		t.Fatalf("%d images", p.Len())
	}
	order := people()
	for _, i := range []int{2, 0, 1, 2} { // any order, and again
		img, err := p.Read(i)
		if err != nil {
			t.Fatal(err)
		}
		label := i / 2
		if want := order[label][i%2]; !bytes.Equal(img.Data, want) || p.Label(i) != label || p.Index(i) != i+1 {
			t.Errorf("image %d is %q of %d, record %d; want %q of %d", i, img.Data, p.Label(i), p.Index(i), want, label)
		}
	}
	if i, ok := p.Find(2); !ok || i != 1 {
		t.Errorf("record 2 is image %d, %v", i, ok)
	}
}

func TestPack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "train.rec")
	rec, idx := rectest.Pack(people())
	for name, data := range map[string][]byte{"train.rec": rec, "train.idx": []byte(idx), "alone.REC": rec} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{path, filepath.Join(dir, "alone.REC")} {
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		check(t, p)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if _, err := p.Read(0); err == nil {
			t.Error("a closed pack is read")
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "absent.rec")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent pack: %v", err)
	}
}

// Without records of identities, labels come from the images.
func TestLabelsOfImages(t *testing.T) {
	rec := rectest.Append(nil, 0, 5, nil, []byte("x"))
	rec = rectest.Append(rec, 2, 0, []float32{6, 1}, []byte("y"))
	p, err := New(bytes.NewReader(rec), int64(len(rec)), "plain.rec", nil, "")
	if err != nil || p.Len() != 2 || p.Index(0) != 0 || p.Label(0) != 5 || p.Label(1) != 6 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := p.Read(1); err != nil {
		t.Error(err)
	}
	// The reader's pack announces two identities and has one.
	b := pack()
	if p, err = New(bytes.NewReader(b), int64(len(b)), "train.rec", nil, ""); err != nil || p.Len() != 3 || p.Label(2) != 9 {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := p.Read(2); err == nil || err.Error() != fmt.Sprintf("train.rec: byte %d: record 3: it has no image", p.records[2].at) {
		t.Error(err)
	}
}

func TestPackMistakes(t *testing.T) {
	rec, idx := rectest.Pack(people())
	huge := bytes.Clone(rec)
	binary.LittleEndian.PutUint32(huge[4:], 1<<29-1)
	swap := func(old, new string) string { return strings.Replace(idx, old, new, 1) }
	begin := func(ends ...float32) []byte { return rectest.Append(nil, 2, 0, ends, nil) }
	plain := func(label float32) []byte { return rectest.Append(nil, 0, label, nil, []byte("x")) }
	second := len(begin(4, 6))
	for name, c := range map[string]struct {
		rec       []byte
		idx, want string
	}{
		"empty":              {nil, "", "train.rec: no records"},
		"text":               {[]byte("not a pack"), "", "train.rec: byte 0: record 0: 0x20746f6e at byte 0 where a record should begin"},
		"cut":                {rec[:len(rec)-3], "", "the pack is cut off"},
		"cut, with an index": {rec[:60], idx, "train.idx:3: record 2 at byte 76 of train.rec, which has 60: the pack is cut off"},
		"long record":        {huge, "", "the pack is cut off: it ends at byte"},
		"letters":            {rec, "one\t0\n", `train.idx:1: "one\t0": want a record's number, a tab and its first byte`},
		"no tab":             {rec, "0 0\n", `train.idx:1: "0 0"`},
		"negative":           {rec, "0\t-4\n", `train.idx:1`},
		"twice":              {rec, swap("1\t", "2\t"), "train.idx: record 2 stands in it twice"},
		"same place":         {rec, swap(fmt.Sprintf("1\t%d", second), "1\t0"), "records 0 and 1 both begin at byte 0"},
		"amid a record":      {rec, swap("0\t0", "0\t4"), "record 0: 0x00000020 at byte 4 where a record should begin"},
		"image missing":      {rec, swap(fmt.Sprintf("1\t%d\n", second), ""), "record 0: it announces the images 1 to 3; 2 of them are there"},
		"more images":        {begin(1e6, 1e6), "", "it announces the images 1 to 999999; 0 of them are there"},
		"no end":             {begin(float32(math.NaN()), 3), "", "images end before record NaN"},
		"no images":          {begin(1, 1), "", "train.rec: no images"},
		"half a label":       {plain(0.5), "", "record 0: its label is 0.5; want a whole number"},
		"label below 0":      {plain(-1), "", "its label is -1"},
		"identity of four":   {append(append(begin(2, 3), plain(0)...), begin(1, 5)...), "", "record 2: an identity's images are 1 to 5, exclusively; the pack's are 1 to 1"},
	} {
		var err error
		if c.idx == "" {
			_, err = New(bytes.NewReader(c.rec), int64(len(c.rec)), "train.rec", nil, "")
		} else {
			_, err = New(bytes.NewReader(c.rec), int64(len(c.rec)), "train.rec", strings.NewReader(c.idx), "train.idx")
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v; want %q", name, err, c.want)
		}
	}
}

// A damaged record costs its image only.
func TestDamagedRecord(t *testing.T) {
	rec, idx := rectest.Pack(people())
	whole, err := New(bytes.NewReader(rec), int64(len(rec)), "train.rec", strings.NewReader(idx), "train.idx")
	if err != nil {
		t.Fatal(err)
	}
	at := whole.records[1].at
	for name, c := range map[string]struct {
		write func(b []byte)
		want  string
	}{
		"overlap":       {func(b []byte) { b[at+4] += 8 }, "where a record should begin"},
		"magic":         {func(b []byte) { b[at] = 'x' }, fmt.Sprintf("train.rec: byte %d: record 2: 0xced72378 at byte", at)},
		"kind":          {func(b []byte) { b[at+7] = 3 << 5 }, "a part of the kind 3"},
		"another label": {func(b []byte) { b[at+8+7] = 0x40 }, "its label is 2; the pack's list of identities says 0"},
		"labels":        {func(b []byte) { b[at+8] = 99 }, "99 labels do not fit"},
	} {
		b := bytes.Clone(rec)
		c.write(b)
		p, err := New(bytes.NewReader(b), int64(len(b)), "train.rec", strings.NewReader(idx), "train.idx")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := p.Read(1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v; want %q", name, err, c.want)
		}
		for _, i := range []int{0, 2} {
			if _, err := p.Read(i); err != nil {
				t.Errorf("%s: image %d: %v", name, i, err)
			}
		}
	}
	// A record that runs over the beginning of the next one, which is hidden in it.
	inner := rectest.Append(nil, 0, 1, nil, []byte("inner"))
	outer := rectest.Append(nil, 0, 0, nil, make([]byte, len(inner)))
	begin := len(outer) - len(inner)
	copy(outer[begin:], inner) // no writer would leave the magic number there
	if _, err := New(bytes.NewReader(outer), int64(len(outer)), "x.rec", strings.NewReader(fmt.Sprintf("1\t0\n2\t%d\n", begin)), "x.idx"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("record 1: it ends at byte %d and overlaps the record that begins at byte %d", len(outer), begin)) {
		t.Errorf("overlap: %v", err)
	}
}

func FuzzPack(f *testing.F) {
	rec, idx := rectest.Pack(people())
	f.Add(rec, idx)
	f.Add(rec, "")
	f.Add(pack(), "0\t0\n")
	f.Fuzz(func(t *testing.T, rec []byte, idx string) {
		var p *Pack
		var err error
		if idx == "" {
			p, err = New(bytes.NewReader(rec), int64(len(rec)), "x.rec", nil, "")
		} else {
			p, err = New(bytes.NewReader(rec), int64(len(rec)), "x.rec", strings.NewReader(idx), "x.idx")
		}
		if err != nil {
			return
		}
		for i := range p.Len() {
			if img, err := p.Read(i); err == nil && (len(img.Data) == 0 || len(img.Data) > len(rec) || int(img.Label) != p.Label(i)) {
				t.Errorf("image %d of %d bytes, label %v, in a pack of %d", i, len(img.Data), img.Label, len(rec))
			}
		}
	})
}

// The pack was written by MXNet: see scripts/golden/recpack.py.
func TestPackOfMXNet(t *testing.T) {
	p, err := Open("testdata/mxnet.rec")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	raw, err := os.ReadFile("testdata/mxnet.rec")
	if err != nil {
		t.Fatal(err)
	}
	alone, err := New(bytes.NewReader(raw), int64(len(raw)), "alone.rec", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	inTurn := NewReader(bytes.NewReader(raw), "inturn.rec")
	people := []int{0, 0, 1, 2, 2, 2}
	if p.Len() != len(people) || alone.Len() != len(people) {
		t.Fatalf("%d images, %d without the index", p.Len(), alone.Len())
	}
	for i, k := range people {
		who := []byte{byte(k)}
		want := append(bytes.Repeat(who, 4-k), bytes.Repeat(binary.LittleEndian.AppendUint32(nil, magic), i+1)...)
		want = append(want, who...)
		for how, read := range map[string]func() (*Image, error){
			"indexed": func() (*Image, error) { return p.Read(i) }, "alone": func() (*Image, error) { return alone.Read(i) }, "in turn": inTurn.Next,
		} {
			if img, err := read(); err != nil || !bytes.Equal(img.Data, want) || img.Label != float32(k) {
				t.Errorf("%s: image %d: %+v, %v", how, i+1, img, err)
			}
		}
		if p.Label(i) != k || p.Index(i) != i+1 {
			t.Errorf("image %d is %d of %d", i+1, p.Index(i), p.Label(i))
		}
	}
}
