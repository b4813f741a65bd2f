package tensorfile

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *File {
	return &File{
		Metadata: map[string]string{"format": "pt", "note": "ünïcode \"quoted\"\n"},
		Tensors: []Tensor{
			{Name: "a.weight", Shape: []int{2, 3}, Data: []float32{1, -2, 3.5, 0, math.MaxFloat32, math.SmallestNonzeroFloat32}},
			{Name: "b", Shape: nil, Data: []float32{float32(math.Inf(-1))}},
			{Name: "c", Shape: []int{0, 4}, Data: []float32{}},
			{Name: "d", Shape: []int{5000}, Data: make([]float32, 5000)}, // more than one chunk
		},
	}
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	for i := range want.Tensors[3].Data {
		want.Tensors[3].Data[i] = float32(i)
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.Tensor("b") == nil || got.Tensor("nothing") != nil {
		t.Error("Tensor does not find by name")
	}
	first, _ := os.ReadFile(path)
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	second, _ := os.ReadFile(path)
	if !bytes.Equal(first, second) {
		t.Error("equal contents gave different bytes")
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("temporary files stay behind: %v", left)
	}
}

// What is written in stretches is the same file, and can be read in parts.
func TestStream(t *testing.T) {
	want := sample()
	for i := range want.Tensors[3].Data {
		want.Tensors[3].Data[i] = float32(i)
	}
	dir := t.TempDir()
	whole, streamed := filepath.Join(dir, "whole"), filepath.Join(dir, "streamed")
	if err := Write(whole, want); err != nil {
		t.Fatal(err)
	}
	f := sample()
	data := want.Tensors[3].Data
	f.Tensors[3].Data = nil
	stretches := func(sizes ...int) func(func([]float32) error) error {
		return func(write func([]float32) error) error {
			at := 0
			for _, n := range sizes {
				if err := write(data[at : at+n]); err != nil {
					return err
				}
				at += n
			}
			return nil
		}
	}
	f.Tensors[3].Stream = stretches(1, 0, 4998, 1)
	if err := Write(streamed, f); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(whole)
	b, _ := os.ReadFile(streamed)
	if !bytes.Equal(a, b) {
		t.Error("the files differ")
	}
	r, err := Open(streamed)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	part := make([]float32, 4500)
	if err := r.ReadAt(part, "d", 400); err != nil || !slices.Equal(part, data[400:4900]) {
		t.Errorf("error %v, or other numbers", err)
	}
	if d := cmp.Diff(want.Metadata, r.Metadata); d != "" || r.Tensors[3].Len() != 5000 {
		t.Error(d, r.Tensors)
	}
	f.Tensors[3].Stream = stretches(1, 4998)
	if err := Write(streamed, f); err == nil || !strings.Contains(err.Error(), `"d" of shape [5000] was given 4999`) {
		t.Errorf("error %v of a stream that is too short", err)
	}
}

// raw returns a file of the given header and data.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestHostileFiles(t *testing.T) {
	huge := binary.LittleEndian.AppendUint64(nil, 1<<40)
	tests := []struct {
		name string
		file []byte
		want string // in the error
	}{
		{"empty", nil, "too few"},
		{"text", []byte("this is no model"), "not a safetensors file"},
		{"huge header", huge, "at most"},
		{"short header", raw(`{}`, 0)[:9], "cut short"},
		{"no JSON", raw(`{"a":`, 0), "header is damaged"},
		{"array", raw(`[]`, 0), "header is damaged"},
		{"half", raw(`{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4), `"w" holds F16`},
		{"unknown type", raw(`{"w":{"dtype":"F7","shape":[2],"data_offsets":[0,4]}}`, 4), `"w"`},
		{"cut", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4), "cut short"},
		{"backwards", raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), `"w" ends at byte 0`},
		{"negative", raw(`{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), `"w"`},
		{"wrong shape", raw(`{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), `"w" of shape [3] needs 3 floats`},
		{"overflowing shape", raw(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "impossible shape"},
		{"overflowing product", raw(`{"w":{"dtype":"F32","shape":[2147483647,2147483647,2147483647,2],"data_offsets":[0,8]}}`, 8), "impossible shape"},
		{"half a float", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}}`, 5), `"w"`},
		{"gap", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), `before tensor "w" belong to no tensor`},
		{"rest", raw(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8), "after the last tensor"},
		{"overlap", raw(`{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), `"w" begins at byte 4, inside`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.safetensors")
			if err := os.WriteFile(path, tt.file, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("error is %v, want %s: ... %q", err, path, tt.want)
			}
		})
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := os.WriteFile(path, tt.file, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s, opened: error is %v, want %s: ... %q", tt.name, err, path, tt.want)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
}

// FuzzDecode holds that no file makes Decode panic, and that what it returns is
// no larger than the file.
func FuzzDecode(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x")
	if err := Write(path, sample()); err != nil {
		f.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	f.Add(b[:len(b)-5000*4])
	f.Add(raw(`{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"__metadata__":{"a":"b"}}`, 8))
	f.Add(raw(`{"v":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Decode(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		total := 0
		for _, x := range file.Tensors {
			n := 1
			for _, s := range x.Shape {
				n *= s
			}
			if n != len(x.Data) {
				t.Fatalf("tensor %q of shape %v has %d floats", x.Name, x.Shape, len(x.Data))
			}
			total += 4 * len(x.Data)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of tensors out of a file of %d", total, len(b))
		}
	})
}
