package doctor

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// files returns the paths of all files below a folder.
func files(t *testing.T, root string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPlan(t *testing.T) {
	root := ward(t)
	f, err := Examine(context.Background(), open(t, root), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	plan := f.Plan()
	if err := WritePlan(&b, plan); err != nil {
		t.Fatal(err)
	}
	read, err := ParsePlan(bytes.NewReader(b.Bytes()), "plan.csv")
	if err != nil || len(read) != len(plan) {
		t.Fatalf("%d of %d steps, %v", len(read), len(plan), err)
	}
	var moves []string
	for i, s := range read {
		if s.Action != plan[i].Action || s.Path != plan[i].Path {
			t.Errorf("%+v, was %+v", s, plan[i])
		}
		if s.Action == Move {
			moves = append(moves, s.Path)
		}
	}
	// What is not certain is for a person to decide.
	if want := []string{"person_0005/broken.jpg", "person_0000/copy.png"}; !reflect.DeepEqual(moves, want) {
		t.Errorf("moves %v", moves)
	}
	before := files(t, root)
	quarantine := root + ".quarantine"
	defer os.RemoveAll(quarantine)
	n, err := Fix(read, "plan.csv", root, quarantine)
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	after := append(files(t, root), moves...)
	slices.Sort(after)
	if !slices.Equal(after, before) {
		t.Errorf("left %v", after)
	}
	if got := files(t, quarantine); !slices.Equal(got, []string{"moved.csv", "person_0000/copy.png", "person_0005/broken.jpg"}) {
		t.Errorf("quarantine has %v", got)
	}
	if list, err := os.ReadFile(filepath.Join(quarantine, MovedFile)); err != nil || strings.Count(string(list), "\n") != 2 || !strings.Contains(string(list), "copy.png,") {
		t.Errorf("%s %v", list, err)
	}
	// Again: the images are gone, which is said before anything else moves.
	if _, err := Fix(read, "plan.csv", root, quarantine); err == nil || !strings.Contains(err.Error(), "nothing was moved: plan.csv:2: ") {
		t.Error(err)
	}
}

func TestParsePlan(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "p.csv: no header",
		"path,reason\n":                   `p.csv:1: the header is "path,reason"; want the columns action and path`,
		"action,path\ndelete,a/b.jpg\n":   `p.csv:2: the action is "delete"; want move or keep`,
		"action,path\nmove\n":             "p.csv:2: 1 fields; want an action and a path",
		"action,path\nmove,\"a\nkeep,b\n": "p.csv: ",
	} {
		if _, err := ParsePlan(strings.NewReader(text), "p.csv"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %q", text, err, want)
		}
	}
	// As a spreadsheet leaves it: another order, capitals, lines that are shorter.
	plan, err := ParsePlan(strings.NewReader("\ufeffPath,Action,reason\na/b.jpg, Move ,x\nc.jpg,keep\n"), "p.csv")
	if err != nil || len(plan) != 2 || plan[0] != (Step{Action: Move, Path: "a/b.jpg", Reason: "x", Line: 2}) {
		t.Errorf("%+v %v", plan, err)
	}
}

func TestFixRefuses(t *testing.T) {
	base := t.TempDir()
	root, out := filepath.Join(base, "faces"), filepath.Join(base, "out")
	write(t, filepath.Join(root, "ada", "1.jpg"), []byte("x"))
	write(t, filepath.Join(root, "ada", "2.jpg"), []byte("x"))
	write(t, filepath.Join(base, "secret", "1.jpg"), []byte("x"))
	write(t, filepath.Join(out, "ada", "2.jpg"), []byte("older"))
	for link, to := range map[string]string{"eve": filepath.Join(base, "secret"), "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Skip(err)
		}
	}
	before := files(t, base)
	for path, want := range map[string]string{
		"../secret/1.jpg":                   `p.csv:3: "../secret/1.jpg" is not below`,
		filepath.Join(base, "secret/1.jpg"): "is not below",
		"ada/../../secret/1.jpg":            "is not below",
		".":                                 "is not below",
		"":                                  "is not below",
		"eve/1.jpg":                         "outside",
		"loop/1.jpg":                        "loop",
		"ada":                               "is a folder",
		"ada/3.jpg":                         "no such file",
		"ada/2.jpg":                         "is there already, and nothing is overwritten",
	} {
		plan := []Step{{Action: Move, Path: "ada/1.jpg", Line: 2}, {Action: Move, Path: path, Line: 3}, {Action: Keep, Path: "../..", Line: 4}}
		n, err := Fix(plan, "p.csv", root, out)
		if n != 0 || err == nil || !strings.Contains(err.Error(), "nothing was moved: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d moved, error %v; want %q", path, n, err, want)
		}
	}
	plan := []Step{{Action: Move, Path: "ada/1.jpg"}}
	for quarantine, want := range map[string]string{
		filepath.Join(root, "q"):              "must not be in each other",
		root:                                  "must not be in each other",
		base:                                  "must not be in each other",
		filepath.Join(root, "eve", "..", "q"): "must not be in each other",
		filepath.Join(base, "none", "q"):      "the quarantine folder: ",
	} {
		if n, err := Fix(plan, "p.csv", root, quarantine); n != 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("into %s: %d moved, error %v; want %q", quarantine, n, err, want)
		}
	}
	if after := files(t, base); !slices.Equal(after, before) {
		t.Errorf("files were %v and are %v", before, after)
	}
	if n, err := Fix(plan, "p.csv", filepath.Join(root, "ada", "1.jpg"), out); n != 0 || err == nil || !strings.Contains(err.Error(), "is no folder of images") {
		t.Error(n, err)
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add("action,path,reason\nmove,a/b.jpg,copy\nkeep,c,\n")
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := ParsePlan(strings.NewReader(text), "x")
		for _, s := range plan {
			if err != nil || s.Action != Move && s.Action != Keep {
				t.Errorf("%+v, %v", s, err)
			}
		}
	})
}
