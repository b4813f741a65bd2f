package matrix

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/faceverify/fv/eval"
)

// Two frames of a video count as one photograph does.
func TestTemplates(t *testing.T) {
	m := &Matrix{Path: "m.npy", Dim: 2, Data: []float32{1, 0, 0, 1, 0, 3, 1, 1}, Names: []string{"a.jpg", "b.jpg", "c.jpg", "d.jpg"}, Identities: []string{"ada", "ada", "ada", "bob"}}
	read := func(text string) *Templates {
		x, err := parseTemplates(strings.NewReader(text), "t.txt")
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	got, missing, err := read("\ufeffname,template,media,weight\r\na.jpg 7 1 2\r\nb.png 7 2\r\nc.jpg 7 2\r\n\r\na.jpg 8 1\r\nd.jpg 8 1\r\n").Pool(m, false)
	if err != nil || missing != 0 {
		t.Fatal(err)
	}
	// 7: 2(1,0) + ((0,1)+(0,3))/2 = (2,2); 8: ((1,0)+(1,1))/2 = (1,0.5).
	want := []float64{math.Sqrt2 / 2, math.Sqrt2 / 2, 1 / math.Sqrt(1.25), 0.5 / math.Sqrt(1.25)}
	for i, w := range want {
		if math.Abs(float64(got.Data[i])-w) > 1e-7 {
			t.Fatalf("%v, want %v", got.Data, want)
		}
	}
	if got.Names[0] != "7" || got.Identities[0] != "ada" || got.Names[1] != "8" || got.Identities[1] != "" {
		t.Errorf("%v %v", got.Names, got.Identities)
	}
	lacking := read("a.jpg 1 1\nx.jpg 1 2\ny.jpg 2 1\n")
	if _, _, err := lacking.Pool(m, false); !errors.Is(err, ErrNoEmbedding) || err.Error() != "t.txt in m.npy: 2 of 3 images cannot be read:\n  x.jpg: no embedding of this name, with any extension\n  y.jpg: no embedding of this name, with any extension" {
		t.Error(err)
	}
	// Of many, the text shows the first 20, the error holds all, each once.
	var many strings.Builder
	for k := range 50 {
		fmt.Fprintf(&many, "z%02d.jpg 1 1\n", k%25)
	}
	var images *eval.ImagesError
	if _, _, err := read(many.String()).Pool(m, false); !errors.As(err, &images) || len(images.Names) != 25 || images.Total != 25 || !strings.HasSuffix(err.Error(), "\n  ... and 5 more") {
		t.Error(err)
	}
	if got, missing, err := lacking.Pool(m, true); err != nil || missing != 2 || got.Len() != 1 {
		t.Errorf("%v %d %v", got, missing, err)
	}
	if _, _, err := read("a.jpg 1 1 0\n").Pool(m, false); err == nil || !strings.Contains(err.Error(), "template 1 cancel out") {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"":                 "t.txt: no templates",
		"a.jpg 1\n":        "t.txt:1: 2 fields",
		"a.jpg 1 1 -2\n":   `t.txt:1: weight "-2"`,
		"a.jpg 1 1 much\n": `t.txt:1: weight "much"`,
	} {
		if _, err := parseTemplates(strings.NewReader(text), "t.txt"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever the text, it is an error, or templates of images with weights that can be added up.
func FuzzTemplates(f *testing.F) {
	for _, s := range []string{"a.jpg 7 1\n", "\ufeffname,template,media,weight\r\na.jpg,7,1,0.5\r\n\r\nb\\c.jpg;7;2\n", "a 1 1 1e309\n", "a 1 1 NaN", "x template y\n", strings.Repeat("a", 1<<16)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := parseTemplates(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		n := 0
		for _, id := range x.ids {
			if len(x.of[id]) == 0 {
				t.Fatalf("template %q has no images", id)
			}
			for _, m := range x.of[id] {
				if n++; m.name == "" || m.media == "" || !(m.weight >= 0) || math.IsInf(m.weight, 0) {
					t.Fatalf("template %q has %+v", id, m)
				}
			}
		}
		if len(x.ids) == 0 || len(x.ids) != len(x.of) || n > strings.Count(text, "\n")+1 {
			t.Fatalf("%d templates, %d with images, %d images in %q", len(x.ids), len(x.of), n, text)
		}
	})
}
