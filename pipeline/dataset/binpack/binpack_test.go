package binpack

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is written by scripts/golden/binpack.py.
type golden struct {
	Images [][]byte          `json:"images"`
	Good   map[string][]byte `json:"good"`
	Bad    map[string][]byte `json:"bad"`
}

func readGolden(t testing.TB) *golden {
	t.Helper()
	text, err := os.ReadFile("testdata/packs.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	return g
}

// Every way in which Python writes a pack is read.
func TestGood(t *testing.T) {
	g := readGolden(t)
	if len(g.Good) < 10 {
		t.Fatalf("%d packs", len(g.Good))
	}
	for name, data := range g.Good {
		p, err := Parse(data, name)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(p.Images) != 4 || len(p.Same) != 2 || !p.Same[0] || p.Same[1] {
			t.Errorf("%s: %d images, flags %v", name, len(p.Images), p.Same)
		}
		for i, want := range g.Images {
			if !bytes.Equal(p.Images[i], want) {
				t.Errorf("%s: image %d is %q", name, i, p.Images[i])
			}
		}
	}
}

// Code is not run but named, and other files are told from packs.
func TestBad(t *testing.T) {
	g := readGolden(t)
	marker := filepath.Join(os.TempDir(), "executed")
	os.Remove(marker)
	for name, want := range map[string]string{
		"os.system":       `"posix.system": images and flags need no such function; the file is not trusted and is not run`,
		"builtins.eval":   `"__builtin__.eval": images and flags need no such function`,
		"one image short": "3 images and 2 flags: want a pair of lists",
		"no pairs":        "0 images and 0 flags",
		"a dictionary":    "opcode '}' has no place in a list of images",
		"text":            "image 1 of 4 is neither bytes nor an array of uint8",
		"float array":     "image 1 of 4 is neither bytes nor an array of uint8",
		"flags of two":    "flag 1 of 2 is neither true nor false",
		"cut off":         "bytes are wanted",
	} {
		data, ok := g.Bad[name]
		if !ok {
			t.Fatalf("no pack %q", name)
		}
		if _, err := Parse(data, "x.bin"); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.bin: not a pack") {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("the pickle was executed")
	}
	for _, text := range []string{"", "\xff\xd8\xff\xe0 a photograph", "10 300\n", "."} {
		if _, err := Parse([]byte(text), "x.bin"); err == nil || !strings.Contains(err.Error(), "not a pack") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPairs(t *testing.T) {
	p := &Pack{Name: "p.bin", Images: make([][]byte, 46), Same: make([]bool, 23)}
	pairs := p.Pairs()
	counts := make([]int, pairs.Folds)
	for i, pair := range pairs.Pairs {
		counts[pair.Fold]++
		if i > 0 && pair.Fold < pairs.Pairs[i-1].Fold {
			t.Fatal("folds are not runs")
		}
	}
	// As scikit-learn's KFold(10).split cuts 23.
	for k, n := range counts {
		want := 2
		if k < 3 {
			want = 3
		}
		if n != want {
			t.Errorf("fold %d has %d pairs, want %d", k, n, want)
		}
	}
	if pairs.Pairs[22].A != "44" || pairs.Pairs[22].B != "45" {
		t.Errorf("the last pair is %+v", pairs.Pairs[22])
	}
}

func TestLoad(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 5, 4)), nil); err != nil {
		t.Fatal(err)
	}
	p := &Pack{Name: "p.bin", Images: [][]byte{b.Bytes(), []byte("no image")}, Same: []bool{true}}
	if img, err := p.Load("0"); err != nil || img.Bounds().Dx() != 5 {
		t.Errorf("%v", err)
	}
	for name, want := range map[string]string{"1": "p.bin: image 1: ", "2": `no image "2"`, "x": `no image "x"`} {
		if _, err := p.Load(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
}

// No bytes make the machine panic, hang, or make something of nothing.
func FuzzParse(f *testing.F) {
	g := readGolden(f)
	for _, packs := range []map[string][]byte{g.Good, g.Bad} {
		for _, data := range packs {
			f.Add(data)
		}
	}
	b, _ := base64.StdEncoding.DecodeString("gASVDwAAAA==")
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data, "f.bin")
		if err != nil {
			return
		}
		if len(p.Images) != 2*len(p.Same) || len(p.Same) == 0 {
			t.Fatalf("%d images, %d flags", len(p.Images), len(p.Same))
		}
	})
}
