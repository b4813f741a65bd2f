package eval

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseView2(t *testing.T) {
	text := "2\t2\r\nAda\t1\t2\r\nBob 1 3 \r\nAda\t1\tBob\t2\r\nÉva_Ö\t4\tBob\t12\r\n" +
		"\nCy 1 2\nCy 1 3\nCy\t1\tAda\t1\nCy\t2\tAda\t1\n\n"
	p, err := ParsePairs(strings.NewReader("\ufeff"+text), "pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	if p.Folds != 2 || len(p.Pairs) != 8 {
		t.Fatalf("%d folds, %d pairs", p.Folds, len(p.Pairs))
	}
	for i, want := range map[int]Pair{
		0: {A: "Ada/Ada_0001.jpg", B: "Ada/Ada_0002.jpg", Same: true, Line: 2},
		3: {A: "Éva_Ö/Éva_Ö_0004.jpg", B: "Bob/Bob_0012.jpg", Line: 5},
		4: {A: "Cy/Cy_0001.jpg", B: "Cy/Cy_0002.jpg", Same: true, Fold: 1, Line: 7},
		7: {A: "Cy/Cy_0002.jpg", B: "Ada/Ada_0001.jpg", Fold: 1, Line: 10},
	} {
		if p.Pairs[i] != want {
			t.Errorf("pair %d: %+v, want %+v", i, p.Pairs[i], want)
		}
	}
	if n := len(p.Images()); n != 10 {
		t.Errorf("%d images, want 10", n)
	}
}

// The k-th tenth of each kind is fold k.
func TestParseView1(t *testing.T) {
	var b strings.Builder
	const n = 25
	fmt.Fprintln(&b, n)
	for i := range n {
		fmt.Fprintf(&b, "A%d\t1\t2\n", i)
	}
	for i := range n {
		fmt.Fprintf(&b, "A%d\t1\tB%d\t2\n", i, i)
	}
	p, err := ParsePairs(strings.NewReader(b.String()), "pairsDevTest.txt")
	if err != nil {
		t.Fatal(err)
	}
	if p.Folds != 10 {
		t.Fatalf("%d folds", p.Folds)
	}
	var counts [10][2]int
	last := [2]int{}
	for i, pair := range p.Pairs {
		if pair.Same != (i < n) {
			t.Errorf("pair %d: same %v", i, pair.Same)
		}
		k := kind(pair.Same)
		if pair.Fold < last[k] {
			t.Errorf("pair %d: fold %d after %d", i, pair.Fold, last[k])
		}
		last[k] = pair.Fold
		counts[pair.Fold][k]++
	}
	for f, c := range counts {
		if c[0] != c[1] || c[0] < 2 || c[0] > 3 {
			t.Errorf("fold %d: %d impostor and %d genuine pairs", f, c[0], c[1])
		}
	}
}

func TestParsePairsMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "p.txt: empty"},
		{"ten 300\n", `p.txt:1: header "ten 300"`},
		{"1 2 3\n", `p.txt:1: header "1 2 3"`},
		{"0\n", `p.txt:1: header "0"`},
		{"-3 2\n", `p.txt:1: header "-3 2"`},
		{"1\nAda 1 2\n", "p.txt: ends after line 2, in fold 1, where the header announces 1 more impostor pairs"},
		{"2\nAda 1 2\nAda 1 Bob 1\n", `p.txt:3: 4 fields; line 2 of 2 genuine pairs of fold 1 has 3: "name i j"`},
		{"1\nAda 1 2\nAda 1 2\n", `p.txt:3: 3 fields; line 1 of 1 impostor pairs of fold 1 has 4: "name1 i name2 j"`},
		{"1\nAda 1 x\nAda 1 Bob 2\n", `p.txt:2: image number "x" of Ada: want a whole number`},
		{"1\nAda 1 -2\nAda 1 Bob 2\n", `p.txt:2: image number "-2"`},
		{"1\nAda 1 1\nAda 1 Bob 2\n", "p.txt:2: pairs Ada/Ada_0001.jpg with itself"},
		{"1\nAda 1 2\nAda 1 Ada 2\n", "p.txt:3: an impostor pair names Ada twice"},
		{"1\n../Ada 1 2\nAda 1 Bob 2\n", `p.txt:2: name "../Ada"`},
		{"1\nAda 1 2\nAda 1 Bob 2\nAda 1 3\n", `p.txt:4: more lines than the header "1" announces`},
		{"\xff\xfe1\n", "p.txt:1: not UTF-8"},
		{"1\n" + strings.Repeat("x", 2<<20), "p.txt:2: line longer than 1 MiB"},
	} {
		_, err := ParsePairs(strings.NewReader(c.text), "p.txt")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: error %v, want %q", c.text, err, c.want)
		}
	}
}

func FuzzParsePairs(f *testing.F) {
	for _, s := range []string{"1\nA 1 2\nA 1 B 2\n", "2 1\r\nA\t1\t2\r\nA 1 B 2\nC 1 2\nC 1 D 1", "10 300\n", "\ufeff1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePairs(bytes.NewReader(text), "p")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p:") {
				t.Errorf("error %q does not name the file", err)
			}
			return
		}
		for i, pair := range p.Pairs {
			if pair.Fold < 0 || pair.Fold >= p.Folds || pair.A == pair.B || !filepath.IsLocal(pair.A) && !strings.ContainsRune(pair.A, 0) {
				t.Errorf("pair %d of %d folds: %+v", i, p.Folds, pair)
			}
		}
	})
}

func TestResolve(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"Ada/Ada_0001.jpg", "Ada/Ada_0002.PNG", "Bob/Bob_0001.webp"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	p := &Pairs{Pairs: []Pair{{A: "Ada/Ada_0001.jpg", B: "Ada/Ada_0002.jpg"}, {A: "Ada/Ada_0001.jpg", B: "Bob/Bob_0001.jpg"}}}
	files, err := p.Resolve(root)
	if err != nil {
		t.Fatal(err)
	}
	if got := filepath.Base(files["Ada/Ada_0002.jpg"]); got != "Ada_0002.PNG" {
		t.Errorf("Ada_0002 is %s", got)
	}
	if got := filepath.Base(files["Bob/Bob_0001.jpg"]); got != "Bob_0001.webp" {
		t.Errorf("Bob_0001 is %s", got)
	}

	p.Pairs = append(p.Pairs, Pair{A: "Ada/Ada_0003.jpg", B: "Cy/Cy_0001.jpg"}, Pair{A: "../x/x_0001.jpg", B: "Ada/Ada_0001.jpg"})
	files, err = p.Resolve(root)
	var missing *ImagesError
	if !errors.As(err, &missing) || len(missing.Names) != 3 || missing.Total != 6 || len(files) != 3 {
		t.Fatalf("error %v, %d files", err, len(files))
	}
	for _, want := range []string{"3 of 6 images", "Ada/Ada_0003.jpg: no such file", "Cy/Cy_0001.jpg: no such folder", "../x/x_0001.jpg: the path leaves"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if _, err := p.Resolve(filepath.Join(root, "Ada/Ada_0001.jpg")); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file for a root: %v", err)
	}
	if _, err := p.Resolve(filepath.Join(root, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no root: %v", err)
	}
}
