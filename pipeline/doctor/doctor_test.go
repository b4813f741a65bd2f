package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/faceverify/fv/internal/random"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/synth"
)

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ward is a folder of six people with five different pictures each, and what is wrong with some.
func ward(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	face := func(person, index int) image.Image { return synth.Face(7, person, index, 64) }
	for person := range 6 {
		for index := range 5 {
			write(t, filepath.Join(root, synth.Name(person), string(rune('a'+index))+".png"), pngOf(t, face(person, index)))
		}
	}
	put := func(name string, data []byte) { write(t, filepath.Join(root, filepath.FromSlash(name)), data) }
	put("person_0000/copy.png", pngOf(t, face(0, 0)))                                               // of a.png
	put("person_0001/stolen.png", pngOf(t, face(0, 0)))                                             // too
	put("person_0002/small.jpg", jpegOf(t, imaging.Resize(face(2, 1), 48, 48, imaging.Linear), 85)) // b.png
	put("person_0003/turned.jpg", jpegOf(t, imaging.FlipH(face(4, 2)), 90))                         // person 4's c.png
	put("person_0004/blurred.png", pngOf(t, imaging.Blur(face(4, 20), 6)))
	put("person_0005/broken.jpg", jpegOf(t, face(5, 22), 90)[:300])
	put("person_0005/grey.png", pngOf(t, imaging.Grayscale(face(5, 23))))
	put("person_0005/white.png", pngOf(t, imaging.New(96, 96, color.White))) // flat: like nothing
	put("person_0005/white.jpg", jpegOf(t, imaging.New(90, 90, color.Gray{250}), 90))
	return root
}

func open(t testing.TB, root string) *dataset.Set {
	t.Helper()
	set, err := dataset.Open(root, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestExamine(t *testing.T) {
	set := open(t, ward(t))
	f, err := Examine(context.Background(), set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	names := func(list []int) string {
		var s []string
		for _, i := range list {
			s = append(s, set.Samples[i].Path)
		}
		return strings.Join(s, " ")
	}
	if got := names(f.Unreadable); got != "person_0005/broken.jpg" || !strings.HasPrefix(f.Problem(f.Unreadable[0]), "JPEG is cut short") {
		t.Errorf("unreadable: %s: %s", got, f.Problem(f.Unreadable[0]))
	}
	if len(f.Exact) != 1 || names(f.Exact[0]) != "person_0000/a.png person_0000/copy.png person_0001/stolen.png" {
		t.Errorf("copies: %v", f.Exact)
	}
	var near []string
	for _, p := range f.Near {
		near = append(near, set.Samples[p.A].Path+" "+set.Samples[p.B].Path)
		if p.Mirrored != strings.Contains(near[len(near)-1], "turned") {
			t.Errorf("%s: mirrored %v", near[len(near)-1], p.Mirrored)
		}
	}
	slices.Sort(near)
	if want := []string{"person_0002/b.png person_0002/small.jpg", "person_0003/turned.jpg person_0004/c.png"}; !slices.Equal(near, want) {
		t.Errorf("near: %q", near)
	}
	if got := names(f.Blurred); !strings.Contains(got, "person_0004/blurred.png") {
		t.Errorf("blurred: %s", got)
	}
	if got := names(f.Exposure); !strings.Contains(got, "person_0005/white.png") || strings.Contains(got, "person_0000") {
		t.Errorf("exposure: %s", got)
	}
	s := f.Summary("r", "p")
	if s.Images != 39 || s.Identities != 6 || s.Grey < 3 || s.NearTwoNames != 1 || s.Formats["JPEG"] != 3 {
		t.Errorf("%+v", s)
	}
}

// crowd makes people with embeddings near one direction each: "person k", each a word of which one is an image of that person.
func crowd(t testing.TB, identities map[string]string) (*dataset.Set, *matrix) {
	const dim = 64
	root := t.TempDir()
	var rows []float32
	for _, name := range slices.Sorted(maps.Keys(identities)) {
		for i, who := range strings.Fields(identities[name]) {
			write(t, filepath.Join(root, name, fmt.Sprintf("%02d-%s.png", i, who)), pngOf(t, imaging.New(16, 16, color.Gray{uint8(10 * len(rows) / dim)})))
			centre, noise := random.New(1, random.Synth, 0, int(who[0])), random.New(2, random.Synth, int(name[0]), i)
			for range dim {
				rows = append(rows, float32(centre.NormFloat64()+0.5*noise.NormFloat64()))
			}
		}
	}
	x := &matrix{len(rows) / dim, dim, rows}
	for i := range x.n {
		normalise(x.row(i))
	}
	return open(t, root), x
}

// TestPeople plants one image under a wrong name, one identity of two people, and one person under two names.
func TestPeople(t *testing.T) {
	set, x := crowd(t, map[string]string{
		"again": "g g g", "blue": "b b b b b", "green": "g g g g g", "pink": "p p p p", "red": "r r r b r r", "single": "s", "two": "x y x y x", "unread": "u u u",
	})
	for i, s := range set.Samples {
		if set.Identities[s.Identity] == "unread" {
			clear(x.row(i))
		}
	}
	p := people(set, x, &Model{Classes: []string{"red", "nobody"}})
	if p.Trained != 1 || p.Typical < 0.8 || p.Typical > 0.95 || p.Strangers < 0.1 || p.Strangers > 0.6 {
		t.Errorf("%d known to the model, typical %v, strangers %v", p.Trained, p.Typical, p.Strangers)
	}
	if len(p.Mislabeled) == 0 || set.Samples[p.Mislabeled[0].Image].Path != "red/03-b.png" || set.Identities[p.Mislabeled[0].Other] != "blue" {
		t.Errorf("mislabelled: %+v", p.Mislabeled)
	}
	for _, m := range p.Mislabeled[1:] { // again and green, which cannot be told apart, and the two under one name
		if who := set.Identities[set.Samples[m.Image].Identity]; who != "again" && who != "green" && who != "two" {
			t.Errorf("mislabelled too: %s", set.Samples[m.Image].Path)
		}
	}
	if len(p.Split) != 1 || set.Identities[p.Split[0].Identity] != "two" || len(p.Split[0].Groups[0])+len(p.Split[0].Groups[1]) != 5 || p.Split[0].Between > p.Split[0].Within {
		t.Errorf("split: %+v", p.Split)
	}
	if len(p.Alike) != 1 || set.Identities[p.Alike[0].A] != "again" || set.Identities[p.Alike[0].B] != "green" {
		t.Errorf("alike: %+v", p.Alike)
	}
	f, err := Examine(context.Background(), set, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.People = p
	var b bytes.Buffer
	if err := f.Page("fv-train doctor", "test").Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"red/03-b.png", "to the others of red", "two: ", "again and green", `src="data:image/jpeg;base64,`, "it was trained on 1 of these names"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// constant embeds all images alike.
type constant struct{}

func (constant) Dim() int { return 2 }

func (constant) EmbedBatch(_ context.Context, images []image.Image) ([][]float32, error) {
	return slices.Repeat([][]float32{{3, 4}}, len(images)), nil
}

// An image that cannot be read has no embedding, and is no embedder's business.
func TestEmbed(t *testing.T) {
	set, _ := crowd(t, map[string]string{"a": "a a", "b": "b"})
	write(t, set.File(1), []byte("no image"))
	_, x, err := look(context.Background(), set, &Model{Embedder: constant{}, Mirror: true}, func() {})
	if err != nil || !slices.Equal(x.data, []float32{0.6, 0.8, 0, 0, 0.6, 0.8}) {
		t.Errorf("%v, %v", x, err)
	}
}

func TestAgainst(t *testing.T) {
	root := ward(t)
	other := t.TempDir()
	face := synth.Face(7, 1, 3, 64)
	write(t, filepath.Join(other, "person_0001", "x.png"), pngOf(t, face))
	write(t, filepath.Join(other, "zoe", "x.jpg"), jpegOf(t, synth.Face(7, 2, 4, 64), 80))
	write(t, filepath.Join(other, "zoe", "y.jpg"), jpegOf(t, synth.Face(7, 50, 4, 64), 80))
	set := open(t, root)
	f, err := Examine(context.Background(), set, Options{Against: open(t, other)})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Summary("", "").Overlap
	if !slices.Equal(s.Names, []string{"person_0001"}) || !slices.Equal(s.Files, [][2]string{{"person_0001/d.png", "person_0001/x.png"}}) {
		t.Errorf("%+v", s)
	}
	if len(s.Near) != 1 || s.Near[0].A != "person_0002/e.png" || s.Near[0].B != "zoe/x.jpg" {
		t.Errorf("near: %+v", s.Near)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	set, _ := crowd(t, map[string]string{"a": "a a"})
	if _, err := Examine(ctx, set, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
