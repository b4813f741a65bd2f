package eval

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// CALFW and CPLFW: two lines a pair; the label 0 says two people, any other one.
func TestPairLines(t *testing.T) {
	p, err := ParsePairs(strings.NewReader("\ufeffAda_Moe_0001.jpg 1\r\nAda_Moe_0002.jpg 1\r\n\r\nAda_Moe_0001.jpg 0\nBob_0001.jpg 0\nBob_0001.jpg\t7\nBob_0003.jpg\t7\nCleo_0001.jpg 0\nBob_0003.jpg 0\n"), "pairs_CALFW.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{
		{A: "Ada_Moe_0001.jpg", B: "Ada_Moe_0002.jpg", Same: true, Line: 1},
		{A: "Ada_Moe_0001.jpg", B: "Bob_0001.jpg", Line: 4},
		{A: "Bob_0001.jpg", B: "Bob_0003.jpg", Same: true, Fold: 1, Line: 6},
		{A: "Cleo_0001.jpg", B: "Bob_0003.jpg", Fold: 1, Line: 8},
	}
	if len(p.Pairs) != len(want) || p.Folds != 2 {
		t.Fatalf("%+v", p)
	}
	for i, w := range want {
		w.Line = p.Pairs[i].Line // of the first image; blank lines count
		if p.Pairs[i] != w {
			t.Errorf("pair %d is %+v, want %+v", i+1, p.Pairs[i], w)
		}
	}
	if _, err := newBootstrap(p, 1); err != nil || p.identity("Ada_Moe_0002.jpg") != "Ada_Moe" {
		t.Errorf("the names do not say who is who: %v", p.Identities)
	}
	for text, want := range map[string]string{
		"a_1.jpg 1\n":                        "p:1: a_1.jpg has no partner",
		"a_1.jpg 1\nb_1.jpg 0\n":             "p:2: label 0, but the line before, of the same pair, has 1",
		"a_1.jpg 1\na_1.jpg 1\n":             "p:2: pairs a_1.jpg with itself",
		"a_1.jpg 1\na_2.jpg one\n":           `p:2: "a_2.jpg one": want two lines "image label"`,
		"a_1.jpg 1\na_2.jpg 1\nb_1.jpg 0 0 ": `p:3: "b_1.jpg 0 0": want two lines`,
	} {
		if _, err := ParsePairs(strings.NewReader(text), "p"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// writeFiles writes files below a new folder.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCFP(t *testing.T) {
	files := map[string]string{
		"Protocol/Pair_list_F.txt":       "1 ../Data/Images/001/frontal/01.jpg\r\n2 ../Data/Images/001/frontal/02.jpg\r\n11 ../Data/Images/002/frontal/01.jpg\r\n",
		"Protocol/Pair_list_P.txt":       "1 ../Data/Images/001/profile/01.jpg\n5 ../Data/Images/002/profile/01.jpg\n",
		"Protocol/Split/FP/01/same.txt":  "1,1\n2,1\n",
		"Protocol/Split/FP/01/diff.txt":  "1,5\n",
		"Protocol/Split/FP/02/same.txt":  "11,5\n",
		"Protocol/Split/FP/02/diff.txt":  "11,1\n",
		"Protocol/Split/FF/01/same.txt":  "1,2\n",
		"Protocol/Split/FF/01/diff.txt":  "1,11\n",
		"Protocol/Split/BAD/01/same.txt": "1,11\n",
		"Protocol/Split/e/FF/.keep":      "",
	}
	dir := writeFiles(t, files)
	p, err := ReadPairs(filepath.Join(dir, "Protocol", "Split", "FP"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{
		{A: "001/frontal/01.jpg", B: "001/profile/01.jpg", Same: true, Line: 1},
		{A: "001/frontal/02.jpg", B: "001/profile/01.jpg", Same: true, Line: 2},
		{A: "001/frontal/01.jpg", B: "002/profile/01.jpg", Line: 1},
		{A: "002/frontal/01.jpg", B: "002/profile/01.jpg", Same: true, Fold: 1, Line: 1},
		{A: "002/frontal/01.jpg", B: "001/profile/01.jpg", Fold: 1, Line: 1},
	}
	if _, err := newBootstrap(p, 1); err != nil || len(p.Pairs) != len(want) || p.Folds != 2 {
		t.Fatalf("%+v", p)
	}
	for i, w := range want {
		if p.Pairs[i] != w {
			t.Errorf("pair %d is %+v, want %+v", i+1, p.Pairs[i], w)
		}
	}
	if p, err = ReadPairs(filepath.Join(dir, "Protocol", "Split", "FF")); err != nil || p.Pairs[0].B != "001/frontal/02.jpg" {
		t.Errorf("%v %+v", err, p)
	}
	for _, c := range []struct{ file, text, at, want string }{
		{"Protocol/Split/FP/01/diff.txt", "1,77\n", "FP", `diff.txt:1: "1,77": the list of images has no such number`},
		{"Protocol/Split/FP/01/diff.txt", "1;5\n", "FP", `diff.txt:1: "1;5": want "i,j"`},
		{"Protocol/Pair_list_P.txt", "../Data/x.jpg\n", "FP", "Pair_list_P.txt:1: \"../Data/x.jpg\": want a number and a path"},
		{"x", "", "BAD", "a pairs file is wanted, or CFP's folder Split/FF or Split/FP"},
		{"x", "", "absent", "no such file"},
	} {
		changed := map[string]string{}
		for name, text := range files {
			changed[name] = text
		}
		changed[c.file] = c.text
		if _, err := ReadPairs(filepath.Join(writeFiles(t, changed), "Protocol", "Split", c.at)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.at, err, c.want)
		}
	}
}

// Whatever CFP's lists hold, they are an error or pairs of images with names.
func FuzzCFP(f *testing.F) {
	f.Add("1 ../Data/Images/001/frontal/01.jpg\r\n2 b.jpg\n", "1 ../Data/Images/001/profile/01.jpg\n", "1,1\n", "2,1\n")
	f.Add("\ufeff1 a\n\n1 b\n", "-1 /\n", " 1 , -1 \n", "")
	f.Add("1 Images/\n", "99999999999999999999 x\n", "1,1", "1;1")
	f.Fuzz(func(t *testing.T, first, second, same, diff string) {
		dir := writeFiles(t, map[string]string{"Pair_list_F.txt": first, "Pair_list_P.txt": second, "Split/FP/01/same.txt": same, "Split/FP/01/diff.txt": diff})
		p, err := ReadPairs(filepath.Join(dir, "Split", "FP"))
		if err != nil {
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		for _, pair := range p.Pairs {
			for _, image := range []string{pair.A, pair.B} {
				if _, ok := p.Identities[image]; image == "" || !ok || strings.ContainsAny(image, "\r\n") {
					t.Errorf("%+v: image %q", pair, image)
				}
			}
			if pair.Fold != 0 || p.Folds != 1 {
				t.Errorf("%+v of %d folds", pair, p.Folds)
			}
		}
	})
}
