package blufr

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Lists of the images that a seed draws measure what the seed does.
func TestLists(t *testing.T) {
	m := people(120, 0.5)
	o := Options{Trials: 3, Train: 20, Gallery: 30, Seed: 3}
	want, err := Measure(context.Background(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]int{}
	var names []string
	for i, who := range m.Identities {
		if rows[who] == nil {
			names = append(names, who)
		}
		rows[who] = append(rows[who], i)
	}
	text := "\ufeffname,Set,trial\r\n"
	for k := range o.Trials {
		d, err := draw(names, rows, k, o)
		if err != nil {
			t.Fatal(err)
		}
		for set, rows := range map[string][]int{"test": d.test, "gallery": d.gallery, "probe": slices.Concat(d.mated, d.unknown), "train": d.test[:2]} {
			for _, row := range rows {
				text += fmt.Sprintf("%s,%s,%d\r\n", m.Names[row], set, k+1)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "lists.csv")
	read := func(text string) (*Lists, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadLists(file)
	}
	lists, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Measure(context.Background(), m, Options{Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Trials, want.Trials) || got.VR != want.VR || got.DIR != want.DIR {
		t.Errorf("%+v, want %+v", got, want)
	}
	// An image without an embedding is named, or left out.
	if lists, err = read(text + "nobody,test,1\r\nnobody,probe,2\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := Measure(context.Background(), m, Options{Lists: lists}); err == nil || !strings.Contains(err.Error(), "lists.csv in people: 1 of") || !strings.Contains(err.Error(), "\n  nobody: no embedding") {
		t.Error(err)
	}
	if got, err = Measure(context.Background(), m, Options{Lists: lists, SkipMissing: true}); err != nil || got.Missing != 1 || got.VR != want.VR {
		t.Errorf("%v %+v", err, got)
	}
	for text, want := range map[string]string{
		"":                                   "no header",
		"trial,name\n":                       `lists.csv:1: the header has no column "set"`,
		"trial,set,name\nx,test,a\n":         `lists.csv:2: trial "x": want a number from 1`,
		"trial,set,name\n1,test,\n":          `lists.csv:2: "" is no image`,
		"trial,set,name\n1,test,a\n":         "1 trials: want 2 or more",
		"trial,set,name\n1,test,a\n2,test,b": "trial 1 has 1 images in test, 0 in gallery and 0 in probe",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever the text, it is an error, or two trials and more with images in each set.
func FuzzLists(f *testing.F) {
	const whole = "trial,set,name\n1,test,a\n1,gallery,b\n1,probe,c\n2,test,a\n2,gallery,b\n2,probe,c\n"
	for _, s := range []string{whole, "\ufeffname,Set,trial\r\nx\\y,TEST, 2\r\n", "trial,set,name\n1000,test,a\n", "trial,set,name\n-1,test,a\n", "trial,set,name\n1,\"te\nst\",a\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLists(strings.NewReader(text), "f.csv")
		if err != nil {
			return
		}
		n := 0
		for k, trial := range l.Trials {
			for _, names := range trial.sets() {
				if n += len(names); len(names) == 0 || slices.Contains(names, ".") {
					t.Fatalf("trial %d has %q", k+1, names)
				}
			}
		}
		if len(l.Trials) < 2 || n > strings.Count(text, "\n") {
			t.Fatalf("%d trials with %d images of %q", len(l.Trials), n, text)
		}
	})
}
