package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

func TestOpenList(t *testing.T) {
	root := tree(t, "x/1.jpg", "x/2.jpg", "y/odd, name.png", "lists/")
	abs := filepath.Join(root, "x", "2.jpg")
	for name, text := range map[string]string{
		"a.csv":         "\ufeffIdentity,note,path\nbob,,x/1.jpg\nada,\"\",\"y/odd, name.png\"\nbob,seen twice," + abs + "\n",
		"mxnet.lst":     "3\t7\tx/1.jpg\r\n4\t0.0\ty/odd, name.png\n\n5\t7.000\t" + abs + "\n",
		"insight.LST":   "1\tx/1.jpg\t7\n1\ty/odd, name.png\t0\n0\t" + abs + "\t7\t10\t20\n",
		"sub/deep.lst":  "3\t7\t../x/1.jpg\n4\t0\t../y/odd, name.png\n5\t7\t" + abs + "\n",
		"lists/far.csv": "name,label\nx/1.jpg,7\n\"y/odd, name.png\",0\n" + abs + ",7\n",
	} {
		var o Options
		if name == "lists/far.csv" {
			o.Images = root
		}
		set, err := Open(write(t, filepath.Join(root, name), []byte(text)), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(set.Identities) != 2 || len(set.Samples) != 3 {
			t.Fatalf("%s: %v", name, set)
		}
		for i, want := range []string{"y/odd, name.png", "x/2.jpg", "x/1.jpg"} { // an absolute path sorts before others
			if strings.HasPrefix(set.Samples[1].Path, ".") && i > 0 {
				want = []string{"x/1.jpg", "x/2.jpg"}[i-1]
			}
			if got := set.File(i); got != filepath.Join(root, want) {
				t.Errorf("%s: sample %d is %s, want %s", name, i, got, want)
			}
		}
	}
	set, err := Open(filepath.Join(root, "mxnet.lst"), Options{MinImages: 2})
	if err != nil || !slices.Equal(set.Identities, []string{"0000007"}) {
		t.Errorf("%v, %v", set, err)
	}
}

func TestOpenParquet(t *testing.T) {
	root := tree(t, "x/1.jpg", "x/2.jpg")
	type row struct {
		Other    float64 `parquet:"other"`
		Identity string  `parquet:"identity"`
		Path     string  `parquet:"path"`
	}
	path := filepath.Join(root, "list.parquet")
	if err := parquet.WriteFile(path, []row{{1, "bob", "x/1.jpg"}, {2, "ada", "x/2.jpg"}}); err != nil {
		t.Fatal(err)
	}
	set, err := Open(path, Options{})
	if err != nil || !slices.Equal(paths(set), []string{"0 x/2.jpg", "1 x/1.jpg"}) {
		t.Fatalf("%v, %v", set, err)
	}
	type numbered struct {
		Label int64  `parquet:"label"`
		Name  string `parquet:"name"`
	}
	if err := parquet.WriteFile(path, []numbered{{10, "x/1.jpg"}, {9, "x/2.jpg"}}); err != nil {
		t.Fatal(err)
	}
	if set, err = Open(path, Options{}); err != nil || !slices.Equal(set.Identities, []string{"0000009", "0000010"}) {
		t.Fatalf("%v, %v", set, err)
	}
	// A float64 does not tell these apart.
	if err := parquet.WriteFile(path, []numbered{{1<<60 + 1, "x/1.jpg"}, {1 << 60, "x/2.jpg"}}); err != nil {
		t.Fatal(err)
	}
	if set, err = Open(path, Options{}); err != nil || !slices.Equal(set.Identities, []string{"1152921504606846976", "1152921504606846977"}) {
		t.Fatalf("%v, %v", set, err)
	}
	// Written by pandas, which makes numbers beside a missing one float64: see scripts/golden/parquet.py.
	if set, err = Open(filepath.Join("testdata", "list.parquet"), Options{Images: root}); err != nil || !slices.Equal(set.Identities, []string{"0000009", "0000010"}) {
		t.Fatalf("%v, %v", set, err)
	}
	type gaps struct {
		Path     *string `parquet:"path"`
		Identity *string `parquet:"identity"`
	}
	one, bob := "x/1.jpg", "bob"
	for want, row := range map[string]gaps{"2: x/1.jpg has no identity": {&one, nil}, "2: no path": {nil, &bob}} {
		two := "x/2.jpg"
		gap := filepath.Join(root, "gap.parquet")
		if err := parquet.WriteFile(gap, []gaps{{&two, &bob}, row}); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(gap, Options{}); err == nil || !strings.Contains(err.Error(), "gap.parquet:"+want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, len(data) / 2, len(data) - 9} {
		write(t, path, data[:n])
		if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := parquet.WriteFile(path, []struct{ X int }{{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), `the columns are "X"; want the columns path and identity`) {
		t.Error(err)
	}
}

func TestListMistakes(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"empty csv":   {"a.csv", "", "a.csv: no header; want the columns path and identity"},
		"header":      {"a.csv", "x,y\n", `a.csv:1: the header is "x,y"; want the columns path and identity`},
		"no rows":     {"a.csv", "path,identity\n", "a.csv: no images; it names none"},
		"fields":      {"a.csv", "path,identity\na\n", "a.csv: record on line 2: wrong number of fields"},
		"no identity": {"a.csv", "path,identity\nx/1.jpg, \n", "a.csv:2: x/1.jpg has no identity"},
		"no path":     {"a.csv", "path,identity\n,a\n", "a.csv:2: no path"},
		"zero":        {"a.csv", "path,identity\nx\x00,a\n", `a.csv:2: "x\x00" is no path`},
		"twice":       {"a.csv", "path,identity\nx/1.jpg,a\nx/./1.jpg,b\n", "a.csv:3: x/1.jpg stands on line 2 already"},
		"elsewhere":   {"a.csv", "path,identity\n1.jpg,a\n", "say with --images which folder the paths start from"},
		"beside pack": {"p.lst", "1\t0\t1.jpg\n", "the images are in the pack beside the list: give "},
		"blanks":      {"a.lst", "1 0 x/1.jpg\n", "a.lst:1: 1 fields between tabs; want a number, a label and a path"},
		"label":       {"a.lst", "1\t0.5\tx/1.jpg\n", `a.lst:1: the label is "0.5"; want a whole number`},
		"two paths":   {"a.lst", "1\tx/1.jpg\tx/2.jpg\n", `a.lst:1: the label is "x/2.jpg"; want a whole number`},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, "x/1.jpg", "p.rec")
			if _, err := Open(write(t, filepath.Join(root, c.file), []byte(c.text)), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; want %q", err, c.want)
			}
		})
	}
	root := tree(t, "x/1.jpg")
	list := write(t, filepath.Join(root, "a.csv"), []byte("path,identity\nx/1.jpg,a\n"))
	for _, c := range []struct{ path, images, want string }{
		{list, list, "is a file; want the folder that the paths in"},
		{list, filepath.Join(root, "none"), "none"},
		{root, root, "goes with a list of them"},
		{filepath.Join(root, "x", "1.jpg"), root, "is no list"},
	} {
		if _, err := Open(c.path, Options{Images: c.images}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, --images %s: error %v; want %q", c.path, c.images, err, c.want)
		}
	}
}

// Whatever a list holds, it is a set or an error.
func FuzzList(f *testing.F) {
	f.Add("path,identity\nx,1\n", true)
	f.Add("1\t2\tx\n", false)
	f.Add("1\tx\t2\t3\n", false)
	f.Fuzz(func(t *testing.T, text string, table bool) {
		l := &list{file: "x", index: newIndex()}
		var err error
		if table {
			err = l.readCSV(strings.NewReader(text))
		} else {
			err = l.readLST(strings.NewReader(text))
		}
		n := 0
		for k, images := range l.grouped() {
			if l.names[k] == "" {
				t.Error("an identity without a name")
			}
			n += len(images)
		}
		if n != len(l.paths) {
			t.Errorf("%d images of identities, %d rows: %v", n, len(l.paths), err)
		}
	})
}

// Whatever the bytes of a Parquet file are, they are a set or an error.
func FuzzParquetList(f *testing.F) {
	whole, err := os.ReadFile("testdata/list.parquet")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := os.Open(write(t, filepath.Join(t.TempDir(), "l.parquet"), b))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		l := &list{file: file.Name(), index: newIndex()}
		if err := l.readParquet(file); err != nil && !strings.Contains(err.Error(), "l.parquet") {
			t.Errorf("the error does not name the list: %v", err)
		}
		for k, name := range l.paths {
			if name == "" || l.names[l.identity[k]] == "" {
				t.Errorf("image %q of %q", name, l.names[l.identity[k]])
			}
		}
	})
}
