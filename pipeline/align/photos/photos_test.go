package photos

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/pipeline/align"
	"github.com/faceverify/fv/pipeline/align/detect"
)

// write writes photographs of noise in which the small MTCNN of package detect's tests finds some faces, and other files.
func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		img := image.NewGray(image.Rect(0, 0, 150, 110))
		for k := range img.Pix {
			x, y := k%150, k/150
			img.Pix[k] = uint8((x*x+3*y*y+(5+i)*x*y)>>6 + (x/9+y/7)%2*90)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func mtcnn(t *testing.T, minScore float64) *detect.Model {
	t.Helper()
	m, err := detect.Open("../detect/testdata", detect.Options{MinScore: minScore})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// files returns what is in a folder, with the contents.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var b []byte
			b, err = os.ReadFile(p)
			rel, _ := filepath.Rel(dir, p)
			all[filepath.ToSlash(rel)] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func run1(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A folder is aligned; a second run makes nothing; the table, given back as landmarks, makes the same crops to the byte, on any number of threads.
func TestRun(t *testing.T) {
	photos, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	write(t, photos, "ann/1.jpg", "ann/1.jpeg", "ann/2, with comma.jpg", "deep/er/3.jpg", "4.jpg", ".hidden/5.jpg")
	for name, text := range map[string]string{"ann/broken.jpg": "no image", "notes.txt": ""} {
		if err := os.WriteFile(filepath.Join(photos, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Photos: photos, Out: out, Template: align.Templates[0], Detector: mtcnn(t, 0), Faces: All, Threads: 2}
	r := run1(t, o)
	s := r.Summary()
	if s.Photographs != 6 || s.Unreadable != 1 || s.Kept != 0 || s.Faces < 6 || s.Several == 0 {
		t.Fatalf("%+v", s)
	}
	made := files(t, out)
	crops := 0
	for name := range made {
		if strings.HasSuffix(name, ".jpg") {
			crops++
		}
	}
	if crops != s.Faces {
		t.Errorf("%d crops; the summary says %d", crops, s.Faces)
	}
	for _, name := range []string{"ann/1.jpg", "ann/1.jpg.jpg", "ann/2, with comma.jpg", "deep/er/3.jpg", "4.jpg"} {
		if _, ok := made[name]; !ok && slices.ContainsFunc(r.Rows, func(x Row) bool { return x.Crop == name }) {
			t.Errorf("no %s", name)
		}
	}
	back, err := readRows(filepath.Join(out, Table))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, r.Rows) {
		t.Errorf("the table is read as\n%+v\nwant\n%+v", back, r.Rows)
	}

	again := run1(t, o)
	withFaces := map[string]bool{}
	for _, row := range r.Rows {
		if row.Crop != "" {
			withFaces[row.Path] = true
		}
	}
	if again.Kept != len(withFaces) || !reflect.DeepEqual(again.Rows, r.Rows) {
		t.Errorf("a second run keeps %d of %d", again.Kept, len(withFaces))
	}

	entries, err := align.Read(filepath.Join(out, Table))
	if err != nil {
		t.Fatal(err)
	}
	fed := filepath.Join(t.TempDir(), "fed")
	run1(t, Options{Photos: photos, Out: fed, Template: align.Templates[0], Entries: entries, EntriesFile: Table, Threads: 1})
	fromTable := files(t, fed)
	for name, text := range made {
		if strings.HasSuffix(name, ".jpg") && fromTable[name] != text {
			t.Errorf("%s differs when made of the table", name)
		}
	}

	// Another template, in the same folder, is a mistake; with Again all is made anew.
	o.Template = align.Templates[1]
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrOtherSettings) || !strings.Contains(err.Error(), `size was "112x112" and is "112x96"`) {
		t.Errorf("error %v", err)
	}
	// A score that no face reaches, too: what was made before goes.
	o.Again, o.Detector = true, mtcnn(t, 0.99999)
	r = run1(t, o)
	for name := range files(t, out) {
		if strings.HasSuffix(name, ".jpg") && !slices.ContainsFunc(r.Rows, func(x Row) bool { return x.Crop == name }) {
			t.Errorf("%s is left over", name)
		}
	}
}

// A photograph that changed is looked at again, and one whose crop is gone.
func TestChanged(t *testing.T) {
	photos, out := t.TempDir(), t.TempDir()
	write(t, photos, "a.jpg", "b.jpg", "c.jpg")
	marks := align.Landmarks{{X: 40, Y: 40}, {X: 70, Y: 40}, {X: 55, Y: 57}, {X: 43, Y: 75}, {X: 67, Y: 75}}
	o := Options{Photos: photos, Out: out, Template: align.Templates[0]}
	for _, name := range []string{"a.jpg", "b.jpg", "c.jpg"} {
		o.Entries = append(o.Entries, align.Entry{Path: name, Landmarks: marks})
	}
	run1(t, o)
	if r := run1(t, o); r.Kept != 3 {
		t.Errorf("%d kept; want 3", r.Kept)
	}
	if err := os.Remove(filepath.Join(out, "a.jpg")); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(photos, "b.jpg"), later, later); err != nil {
		t.Fatal(err)
	}
	o.Entries[2].Landmarks[0].X++
	if r := run1(t, o); r.Kept != 0 || r.Summary().Faces != 3 {
		t.Errorf("%+v; want all made again", r.Summary())
	}
}

// Faces from the side and small ones.
func TestOutcomes(t *testing.T) {
	photos := t.TempDir()
	write(t, photos, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
	good := align.Landmarks{{X: 40, Y: 40}, {X: 70, Y: 40}, {X: 55, Y: 57}, {X: 43, Y: 75}, {X: 67, Y: 75}}
	side, small := good, align.Landmarks{}
	side[2].X = 75
	for i, p := range good {
		small[i] = align.Point{X: p.X / 4, Y: p.Y / 4}
	}
	o := Options{Photos: photos, Template: align.Templates[0], MinSide: 40, Entries: []align.Entry{
		{Path: "a.jpg", Landmarks: good}, {Path: "b.jpg", Landmarks: side}, {Path: "c.jpg", Landmarks: small}, {Path: "d.jpg"}, {Path: "e.jpg", Landmarks: good}}}
	for _, skip := range []bool{false, true} {
		o.Out, o.NoProfiles = t.TempDir(), skip
		want := Summary{Photographs: 5, Faces: 2, Profile: 1, None: 1, Small: 1, Unreadable: 1}
		if skip {
			want.Faces = 1
		}
		r := run1(t, o)
		if s := r.Summary(); s != want {
			t.Errorf("%+v; want %+v", s, want)
		}
		var b bytes.Buffer
		if err := r.Page("command", "version").Write(&b); err != nil {
			t.Fatal(err)
		}
		for _, heading := range []string{"No face", "From the side", "Small", "Cannot be read"} {
			if !strings.Contains(b.String(), "<h2>"+heading+"</h2>") {
				t.Errorf("the contact sheet has no section %q", heading)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	box := func(x, y, side float64) detect.Face {
		return detect.Face{Box: detect.Box{Left: x, Top: y, Right: x + side, Bottom: y + side}}
	}
	faces := []detect.Face{box(0, 0, 40), box(45, 45, 10), box(40, 30, 30)} // in a corner, in the middle, near it
	for choice, want := range map[Choice]float64{Largest: 40, Centre: 10, Main: 30} {
		chosen, others := choice.choose(faces, image.Pt(100, 100))
		if len(chosen) != 1 || len(others) != 2 || chosen[0].Box.Width() != want {
			t.Errorf("%s chooses %+v", choice, chosen)
		}
	}
	if chosen, others := All.choose(faces, image.Pt(100, 100)); len(chosen) != 3 || others != nil || chosen[0].Box.Width() != 30 {
		t.Errorf("all are %+v", chosen)
	}
}

// Stopped in between, a run keeps what it has and goes on from there.
func TestInterrupted(t *testing.T) {
	photos, out := t.TempDir(), t.TempDir()
	write(t, photos, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := Options{Photos: photos, Out: out, Template: align.Templates[0], Detector: mtcnn(t, 0), Threads: 1, Progress: func(done, _ int) {
		if done == 2 {
			cancel()
		}
	}}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	rows, err := readRows(filepath.Join(out, Table))
	if err != nil || len(rows) < 2 || len(rows) == 6 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	o.Progress = nil
	r := run1(t, o)
	if r.Kept == 0 || r.Summary().Photographs != 6 || len(r.Rows) != 6 {
		t.Errorf("%+v", r.Summary())
	}
}

// Links that make a circle end; one to a folder is followed.
func TestLinks(t *testing.T) {
	photos, other := t.TempDir(), t.TempDir()
	write(t, photos, "a/1.jpg")
	write(t, other, "2.jpg")
	for link, to := range map[string]string{"a/circle": photos, "b": other, "c": filepath.Join(photos, "nowhere")} {
		if err := os.Symlink(to, filepath.Join(photos, link)); err != nil {
			t.Skip(err)
		}
	}
	jobs, err := list(photos)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 2 || jobs[0].path != "a/1.jpg" || jobs[1].path != "b/2.jpg" {
		t.Errorf("%+v", jobs)
	}
}

// Names of crops are all different.
func TestNames(t *testing.T) {
	jobs := []job{{path: "a.jpeg"}, {path: "a.jpg"}, {path: "a.jpg.png"}, {path: "a.png"}}
	name(jobs)
	taken := map[string]bool{}
	for _, j := range jobs {
		taken[j.crop] = true
	}
	if len(taken) != 4 || jobs[0].crop != "a.jpg" {
		t.Errorf("%+v", jobs)
	}
	j := job{crop: "a.jpg"}
	if n := j.more(1, map[string]bool{"a.2.jpg": true}); n == "a.2.jpg" || !strings.HasSuffix(n, ".2.jpg") {
		t.Errorf("the second face is %s", n)
	}
}

func FuzzRows(f *testing.F) {
	var b bytes.Buffer
	row := Row{Path: "a, b.jpg", Crop: "a.jpg", Outcome: Aligned, Faces: 2, Score: 0.9, Side: 80, Box: detect.Box{Left: 1, Right: 2, Bottom: 3}, Landmarks: align.Templates[0].Landmarks, Others: []detect.Box{{Right: 3, Bottom: 3}}}
	if err := WriteRows(&b, []Row{row}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("path\n")
	path := filepath.Join(f.TempDir(), "faces.csv")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if rows, err := readRows(path); err == nil && text == b.String() && !reflect.DeepEqual(rows, []Row{row}) {
			t.Errorf("%+v", rows)
		}
	})
}
