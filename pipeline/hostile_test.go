package pipeline

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/synth"
)

// hostileFile is a file that a folder of faces may hold.
type hostileFile struct {
	name string
	data []byte
	want string // part of the reason that it cannot be read; "" if it can
}

// hostile returns files of all kinds that have broken programs.
func hostile(t testing.TB) []hostileFile {
	t.Helper()
	face := image.NewPaletted(image.Rect(0, 0, 32, 32), nil)
	for i := range 256 {
		face.Palette = append(face.Palette, color.Gray{uint8(i)})
	}
	deep := image.NewNRGBA64(face.Rect)
	for i := range face.Pix {
		face.Pix[i] = uint8(7 * i)
		deep.Set(i%32, i/32, color.NRGBA64{uint16(60 * i), uint16(30 * i), 9, 0xffff})
	}
	encode := func(f func(b *bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	jpg := encode(func(b *bytes.Buffer) error { return jpeg.Encode(b, synth.Face(1, 1, 1, 32), nil) })
	pal := encode(func(b *bytes.Buffer) error { return png.Encode(b, face) })
	bitmap := encode(func(b *bytes.Buffer) error { return bmp.Encode(b, face) })
	moving := encode(func(b *bytes.Buffer) error {
		return gif.EncodeAll(b, &gif.GIF{Image: []*image.Paletted{face, face, face}, Delay: []int{1, 1, 1}})
	})
	stored := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("dataset", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	ycck := stored("cmyk.jpg")
	if at := bytes.Index(ycck, []byte("Adobe")); at < 0 {
		t.Fatal("cmyk.jpg has no Adobe marker")
	} else {
		ycck[at+11] = 2 // the four channels are YCCK
	}
	at := func(data []byte, offset int, bytes ...byte) []byte {
		data = slices.Clone(data)
		copy(data[offset:], bytes)
		return data
	}
	frame := bytes.Index(jpg, []byte{0xff, 0xc0})
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), 100_000), 100_000)
	ihdr = append(ihdr, 8, 6, 0, 0, 0)
	bomb := slices.Concat(pal[:12], ihdr, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(ihdr)), pal[33:])
	files := []hostileFile{
		{"empty.jpg", nil, "the file is empty"},
		{"truncated.jpg", jpg[:len(jpg)*2/3], "JPEG is cut short"},
		{"truncated.png", pal[:len(pal)/2], "PNG is cut short"},
		{"no image.png", []byte("GET / HTTP/1.1\r\n"), "not an image"},
		{"zeros.jpg", make([]byte, 4096), "not an image"},
		{"bomb.png", bomb, "100000x100000 pixels; at most 100 megapixels"},
		{"bomb.jpg", at(jpg, frame+5, 0xff, 0xff, 0xff, 0xff), "65535x65535 pixels; at most 100 megapixels"},
		{"bomb.gif", at(moving, 6, 0xff, 0xff, 0xff, 0xff), "65535x65535 pixels; at most 100 megapixels"},
		{"bomb.bmp", at(bitmap, 18, 0xa0, 0x86, 1, 0, 0xa0, 0x86, 1, 0), "100000x100000 pixels; at most 100 megapixels"},
		{"bomb.ppm", []byte("P6 100000 100000 255\n"), "100000x100000 pixels; at most 100 megapixels"},
		{"arithmetic.jpg", at(jpg, frame+1, 0xc9), "JPEG cannot be decoded"},
		{"two\nlines.jpg", []byte("x"), "not an image"},
		{"invalid \xff\xfe.jpg", []byte("x"), "not an image"},
		{"😀 and blanks .jpg", jpg, ""},
		{"a PNG file.jpg", pal, ""},
		{"palette.png", pal, ""},
		{"16 bits.png", encode(func(b *bytes.Buffer) error { return png.Encode(b, deep) }), ""},
		{"animated.gif", moving, ""},
		{"cmyk.jpg", stored("cmyk.jpg"), ""},
		{"ycck.jpg", ycck, ""},
		{"progressive.jpg", stored("progressive.jpg"), ""},
		{"-rf.jpg", jpg, ""},
	}
	// Colour profiles are not looked at, whatever they hold.
	app2 := func(seq, of byte, profile []byte) []byte {
		segment := append([]byte("ICC_PROFILE\x00"), seq, of)
		segment = append(segment, profile...)
		return append([]byte{0xff, 0xe2, byte((len(segment) + 2) >> 8), byte(len(segment) + 2)}, segment...)
	}
	huge := slices.Clone(jpg[:2])
	for i := range 64 { // 4 MB
		huge = append(huge, app2(byte(i+1), 64, bytes.Repeat([]byte{0xff}, 65519))...)
	}
	chunk := func(data []byte) []byte {
		c := append([]byte("iCCP"), data...)
		return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(data))), c, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(c)))
	}
	zeros := encode(func(b *bytes.Buffer) error {
		w := zlib.NewWriter(b)
		if _, err := w.Write(make([]byte, 64<<20)); err != nil {
			return err
		}
		return w.Close()
	})
	files = append(files,
		hostileFile{"broken profile.jpg", slices.Concat(jpg[:2], app2(7, 3, []byte("no profile")), jpg[2:]), ""},
		hostileFile{"huge profile.jpg", append(huge, jpg[2:]...), ""},
		hostileFile{"cut profile.jpg", slices.Concat(jpg[:2], []byte{0xff, 0xe2, 0xff, 0xff}, []byte("ICC_PROFILE\x00")), "JPEG"},
		hostileFile{"broken profile.png", slices.Concat(pal[:33], chunk([]byte("name\x00\x00no zlib")), pal[33:]), ""},
		hostileFile{"profile bomb.png", slices.Concat(pal[:33], chunk(append([]byte("name\x00\x00"), zeros...)), pal[33:]), ""},
	)
	for turn := 1; turn <= 8; turn++ {
		exif := fmt.Appendf(nil, "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00%c\x00\x00\x00\x00\x00\x00", turn)
		segment := append([]byte{0xff, 0xe1, 0, byte(2 + len(exif))}, exif...)
		files = append(files, hostileFile{fmt.Sprintf("exif %d.jpg", turn), slices.Concat(jpg[:2], segment, jpg[2:]), ""})
	}
	return files
}

// Each file costs one image at most: it is named in the quarantine with the reason, in the same order whatever the number of threads, and
// training goes on. Links in circles, links to nowhere and named pipes are no images.
func TestHostileFiles(t *testing.T) {
	data := drawFaces(t, 3)
	var files []hostileFile
	var want []string
	for _, f := range hostile(t) {
		path := filepath.Join(data, "zed", f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			t.Logf("%q cannot be a file here: %v", f.name, err)
			continue
		}
		files = append(files, f)
		if f.want != "" {
			want = append(want, f.want)
		}
	}
	for link, to := range map[string]string{"circle.jpg": "circle.jpg", "nowhere.jpg": "no such file", "ring1.jpg": "ring2.jpg", "ring2.jpg": "ring1.jpg"} {
		if err := os.Symlink(to, filepath.Join(data, "zed", link)); err != nil {
			t.Log(err)
		}
	}
	makePipe(t, filepath.Join(data, "zed", "pipe.jpg"))
	secret := filepath.Join(data, "zed", "secret.jpg")
	if err := os.WriteFile(secret, files[len(files)-1].data, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(secret); err != nil {
		want = append(want, "permission denied")
	} else { // root reads everything
		f.Close()
	}
	set, err := dataset.Open(data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for len(set.Samples)%4 != 0 { // so that a pass shows them all
		extra := filepath.Join(data, "zed", fmt.Sprintf("extra%d.jpg", len(set.Samples)))
		if err := os.WriteFile(extra, files[len(files)-1].data, 0o644); err != nil {
			t.Fatal(err)
		}
		if set, err = dataset.Open(data, dataset.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	var lists [2]string
	for i, threads := range []string{"threads=1", "threads=3"} {
		c := tiny(t, data, threads, "epochs=1")
		r := train(t, c, Events{})
		if r.BadImages != len(want) {
			t.Errorf("%d bad images, want %d", r.BadImages, len(want))
		}
		list, err := os.ReadFile(filepath.Join(c.Out, QuarantineFile))
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = string(list)
	}
	if lists[0] != lists[1] {
		t.Errorf("one thread finds\n%s\nthree find\n%s", lists[0], lists[1])
	}
	lines := strings.Split(strings.TrimSuffix(lists[0], "\n"), "\n")
	if len(lines) != len(want) || !slices.IsSorted(lines) {
		t.Fatalf("%d lines for %d images:\n%s", len(lines), len(want), lists[0])
	}
	for _, f := range files {
		n := 0
		name := strings.Trim(onOneLine(f.name), `"`)
		for _, line := range lines {
			if strings.Contains(line, name) && strings.Contains(line, ": ") {
				n++
				if f.want == "" || !strings.Contains(line, f.want) {
					t.Errorf("%s; want %q", line, f.want)
				}
			}
		}
		if f.want != "" && n != 1 {
			t.Errorf("%q stands in %d lines", f.name, n)
		}
	}
}

// What a file announces is not allocated before it is believed.
func TestHostileMemory(t *testing.T) {
	for _, f := range hostile(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		img, err := dataset.Decode(f.data, dataset.Limits{})
		runtime.ReadMemStats(&after)
		if (err == nil) != (f.want == "") {
			t.Errorf("%q: %v, %v", f.name, img != nil, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%q: %d bytes are allocated for a file of %d", f.name, n, len(f.data))
		}
	}
}
