package main

import (
	"archive/tar"
	"bytes"
	"runtime"
	"strings"
	"testing"
)

// archive returns a tar file with the header and as many bytes of its data as are given.
func archive(t testing.TB, h tar.Header, data string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes() // not closed: it is cut off where the data end
}

// Archives that are damaged are an error, or have images that cannot be read; they take the memory of what is there.
func TestHostileTar(t *testing.T) {
	image := func(size int64) tar.Header { return tar.Header{Name: "ann/1.jpg", Mode: 0o644, Size: size} }
	whole := archive(t, image(4), "abcd")
	for _, c := range []struct {
		name, want string // "" if the archive itself is in order
		file       []byte
		images     int
	}{
		{"cut in the header", "unexpected EOF", whole[:100], 0},
		{"cut in the data", "unexpected EOF", archive(t, image(1000), "abc"), 0},
		{"200 MB that are not there", "unexpected EOF", archive(t, image(200<<20), "abc"), 0},
		{"4 EB", "unexpected EOF", archive(t, image(1<<62), ""), 1},
		{"no archive", "invalid tar header", bytes.Repeat([]byte("text"), 300), 0},
		{"wrong checksum", "invalid tar header", append(append([]byte("x"), whole[1:]...), make([]byte, 1024)...), 0},
		{"twice", "holds ann/1.jpg twice", append(append(bytes.Clone(whole), make([]byte, 508)...), whole...), 1},
		{"empty", "", make([]byte, 1024), 0},
		{"a link", "", archive(t, tar.Header{Name: "a.jpg", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""), 0},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		images := 0
		err := eachEntry(bytes.NewReader(c.file), "x.tar", func(sourceImage, int) error { images++; return nil })
		runtime.ReadMemStats(&after)
		if images != c.images || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d images, %v; want %d, %q", c.name, images, err, c.images, c.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes are allocated for %d", c.name, n, len(c.file))
		}
	}
}

func FuzzTar(f *testing.F) {
	f.Add(archive(f, tar.Header{Name: "ann/1.jpg", Mode: 0o644, Size: 4}, "abcd"))
	f.Add(make([]byte, 1024))
	f.Fuzz(func(t *testing.T, file []byte) {
		eachEntry(bytes.NewReader(file), "x.tar", func(x sourceImage, _ int) error {
			if x.name == "" {
				t.Fatal("an image without a name")
			}
			if _, err := x.load(); err != nil && !strings.HasPrefix(err.Error(), "x.tar: ") {
				t.Fatal(err)
			}
			return nil
		})
	})
}
