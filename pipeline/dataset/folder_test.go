package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// realData returns the path of a file of real data below $FV_DATA, by default
// ../shared/data beside the module; the test is skipped where it is absent.
func realData(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("FV_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(root, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s: set FV_DATA to the folder that has it", path)
	}
	return path
}

// tree makes empty files in a new folder. A name that ends in / is a folder, "a -> b" a link to b.
func tree(t testing.TB, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(root, filepath.FromSlash(name))
		switch {
		case isLink:
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.FromSlash(target), path); err != nil {
				t.Skipf("no symbolic links here: %v", err)
			}
		case strings.HasSuffix(name, "/"):
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		default:
			write(t, path, nil)
		}
	}
	return root
}

// paths returns the set's samples as "class path".
func paths(s *Set) []string {
	var out []string
	for _, x := range s.Samples {
		out = append(out, fmt.Sprint(x.Identity, " ", x.Path))
	}
	return out
}

func TestOpen(t *testing.T) {
	root := tree(t, "bob/2.jpg", "bob/10.PNG", "bob/1.jpeg", "Ann B/x.pgm", "Ann B/Thumbs.db", "Ann B/.x.jpg",
		"cat/a.webp", "cat/b.gif", "cat/c.bmp", "cat/d.ppm", "faces.csv", "align.json", "contact-sheet.html", ".git/a.jpg", "__MACOSX/ann/a.jpg", "empty/", "README.txt")
	all := []string{"0 Ann B/x.pgm", "1 bob/1.jpeg", "1 bob/10.PNG", "1 bob/2.jpg",
		"2 cat/a.webp", "2 cat/b.gif", "2 cat/c.bmp", "2 cat/d.ppm"}
	people := write(t, filepath.Join(t.TempDir(), "people.txt"), []byte("cat\nAnn B\n"))
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{}, all},
		{Options{MinImages: 3}, []string{"0 bob/1.jpeg", "0 bob/10.PNG", "0 bob/2.jpg", "1 cat/a.webp", "1 cat/b.gif", "1 cat/c.bmp", "1 cat/d.ppm"}},
		{Options{MaxImages: 2}, []string{"0 Ann B/x.pgm", "1 bob/1.jpeg", "1 bob/10.PNG", "2 cat/a.webp", "2 cat/c.bmp"}},
		{Options{MinImages: 4, MaxImages: 3}, []string{"0 cat/a.webp", "0 cat/b.gif", "0 cat/c.bmp"}},
		{Options{People: people}, []string{"0 Ann B/x.pgm", "1 cat/a.webp", "1 cat/b.gif", "1 cat/c.bmp", "1 cat/d.ppm"}},
		{Options{People: people, MinImages: 2}, []string{"0 cat/a.webp", "0 cat/b.gif", "0 cat/c.bmp", "0 cat/d.ppm"}},
	} {
		s, err := Open(root, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths(s); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
	s, err := Open(root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Identities, []string{"Ann B", "bob", "cat"}) || !slices.Equal(s.Counts(), []int{1, 3, 4}) {
		t.Errorf("identities %q, counts %v", s.Identities, s.Counts())
	}
	if want := filepath.Join(root, "Ann B", "x.pgm"); s.File(0) != want {
		t.Errorf("file %s, want %s", s.File(0), want)
	}
	want := []string{
		"2 files that are no images are ignored, such as " + filepath.Join(root, "README.txt"),
		"3 hidden files or folders are ignored, such as " + filepath.Join(root, ".git"),
		"1 folder without images is ignored: " + filepath.Join(root, "empty"),
	}
	if !slices.Equal(s.Warnings, want) {
		t.Errorf("warnings %q, want %q", s.Warnings, want)
	}
}

func TestOpenMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		tree []string
		o    Options
		want []string
	}{
		"images in root": {[]string{"a.jpg", "b.jpg", "c/1.jpg"}, Options{}, []string{"has 2 images directly in it, such as a.jpg", "want one sub-folder for each identity"}},
		"nested":         {[]string{"a/1.jpg", "a/more/2.jpg"}, Options{}, []string{filepath.Join("a", "more") + " is a folder inside an identity's folder", "instead of"}},
		"no folders":     {[]string{"a.txt"}, Options{}, []string{"has no sub-folders; want one for each identity"}},
		"no images":      {[]string{"a/1.txt", "b/"}, Options{}, []string{"no images in its 2 folders; images end in .jpg"}},
		"too few images": {[]string{"a/1.jpg", "b/1.jpg", "b/2.jpg"}, Options{MinImages: 3}, []string{"none of 2 identities has the 3 images wanted; the most are 2, of b"}},
		"no people file": {[]string{"a/1.jpg"}, Options{People: "no such file"}, []string{"no such file"}},
		"circle":         {[]string{"a/1.jpg", "b -> ."}, Options{}, []string{"b is a link to ", "which holds it: a circle"}},
		"circle upwards": {[]string{"a/1.jpg", "b -> ../"}, Options{}, []string{"a circle"}},
		"nested circle":  {[]string{"a/1.jpg", "a/b -> .."}, Options{}, []string{"is a folder inside an identity's folder"}},
		"two names":      {[]string{"a/1.jpg", "b -> a"}, Options{}, []string{"a and ", "b are the same folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(tree(t, c.tree...), c.o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is %v; want %q", err, want)
				}
			}
		})
	}
	file := write(t, filepath.Join(t.TempDir(), "f"), nil)
	if _, err := Open(file, Options{}); err == nil || !strings.Contains(err.Error(), "is a file; want the folder") {
		t.Errorf("file: %v", err)
	}
	if _, err := Open(file+"x", Options{}); err == nil {
		t.Error("no error where there is no folder")
	}
}

// Links to folders and images elsewhere are followed; those that lead nowhere or to one another
// are not.
func TestOpenLinks(t *testing.T) {
	elsewhere := tree(t, "1.jpg", "2.jpg")
	root := tree(t, "a/1.jpg", "b -> "+elsewhere, "a/2.jpg -> "+filepath.Join(elsewhere, "1.jpg"),
		"a/3.jpg -> nowhere", "x -> y", "y -> x")
	s, err := Open(root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"0 a/1.jpg", "0 a/2.jpg", "1 b/1.jpg", "1 b/2.jpg"}; !slices.Equal(paths(s), want) {
		t.Errorf("%q, want %q", paths(s), want)
	}
	if want := []string{"3 links that lead nowhere are ignored, such as " + filepath.Join(root, "x")}; !slices.Equal(s.Warnings, want) {
		t.Errorf("warnings %q, want %q", s.Warnings, want)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	if through, err := Open(link, Options{}); err != nil || !slices.Equal(paths(through), paths(s)) {
		t.Errorf("through a link: %v, %v", through, err)
	}
}

// LFW's View 1, as the peers' training script reads it.
func TestOpenLFW(t *testing.T) {
	root := realData(t, "lfw112/images")
	for file, want := range map[string][3]int{ // people, images, people with two or more images
		"peopleDevTrain.txt": {4038, 9525, 1184},
		"peopleDevTest.txt":  {1711, 3708, 496},
		"people.txt":         {5749, 13233, 1680},
		"lfw-names.txt":      {5749, 13233, 1680},
	} {
		s, err := Open(root, Options{People: realData(t, "lfw112/"+file)})
		if err != nil {
			t.Fatal(err)
		}
		several := 0
		for _, n := range s.Counts() {
			if n >= 2 {
				several++
			}
		}
		if got := [3]int{len(s.Identities), len(s.Samples), several}; got != want || len(s.Warnings) > 0 {
			t.Errorf("%s: %v, want %v; warnings %q", file, got, want, s.Warnings)
		}
	}
	s, err := Open(root, Options{People: realData(t, "lfw112/peopleDevTrain.txt"), MinImages: 2})
	if err != nil || len(s.Identities) != 1184 || len(s.Samples) != 6671 {
		t.Errorf("View 1: %d people, %d images, %v; want 1184 and 6671", len(s.Identities), len(s.Samples), err)
	}
}

// ORL's PGM files decode.
func TestOpenORL(t *testing.T) {
	s, err := Open(realData(t, "orl/orl_faces"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Identities) != 40 || len(s.Samples) != 400 {
		t.Fatalf("%d people, %d images; want 40 and 400", len(s.Identities), len(s.Samples))
	}
	for i := 0; i < len(s.Samples); i += 37 {
		img, err := DecodeFile(s.File(i), Limits{})
		if err != nil {
			t.Error(err)
		} else if size := img.Bounds().Size(); size.X != 92 || size.Y != 112 {
			t.Errorf("%s has %v pixels", s.File(i), size)
		}
	}
}
