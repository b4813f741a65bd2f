package detect

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/pipeline/align"
)

// picture is that of scripts/golden/detect.py.
func picture(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var v [3]uint8
			for c := range v {
				v[c] = uint8((x*x*(c+1)+3*y*y+5*x*y)>>6 + 40*c + (x/9+y/7)%2*90)
			}
			img.SetRGBA(x, y, color.RGBA{v[0], v[1], v[2], 255})
		}
	}
	return img
}

type goldenFace struct {
	Score     float64
	Box       [4]float64
	Landmarks [10]float64
}

type golden struct {
	Side                     int
	SCRFD, YuNet, RetinaFace struct {
		MinScore float64 `json:"min_score"`
		Faces    []goldenFace
	}
	MTCNN []struct {
		Width, Height int
		Faces         []goldenFace
	}
}

func readGolden(t *testing.T) (g golden) {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func open(t *testing.T, path string, o Options) (*Model, *Detector) {
	t.Helper()
	m, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Detector(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return m, d
}

func find(t *testing.T, d *Detector, img image.Image) []Face {
	t.Helper()
	faces, err := d.Detect(img)
	if err != nil {
		t.Fatal(err)
	}
	return faces
}

// same compares faces: scores to 1e-4, which float32 sums in another order leave, and places to 1/100 pixel of a picture whose numbers reach
// some hundreds.
func same(t *testing.T, got []Face, want []goldenFace) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d faces; want %d", len(got), len(want))
	}
	for i, f := range got {
		w := want[i]
		numbers := []float64{f.Box.Left, f.Box.Top, f.Box.Right, f.Box.Bottom}
		for _, p := range f.Landmarks {
			numbers = append(numbers, p.X, p.Y)
		}
		wanted := append(slices.Clone(w.Box[:]), w.Landmarks[:]...)
		if math.Abs(f.Score-w.Score) > 1e-4 {
			t.Errorf("face %d: score %v; want %v", i, f.Score, w.Score)
		}
		for k := range numbers {
			if !(math.Abs(numbers[k]-wanted[k]) < 0.01) {
				t.Errorf("face %d: number %d is %v; want %v", i, k, numbers[k], wanted[k])
			}
		}
	}
}

// The kinds are told apart by their outputs, and give what the projects' own formulas do.
func TestKinds(t *testing.T) {
	g := readGolden(t)
	for kind, want := range map[Kind]struct {
		minScore float64
		faces    []goldenFace
	}{SCRFD: {g.SCRFD.MinScore, g.SCRFD.Faces}, YuNet: {g.YuNet.MinScore, g.YuNet.Faces}, RetinaFace: {g.RetinaFace.MinScore, g.RetinaFace.Faces}} {
		t.Run(string(kind), func(t *testing.T) {
			m, d := open(t, "testdata/"+string(kind)+".onnx", Options{Size: 96, MinScore: want.minScore})
			if m.Kind() != kind || m.Size() != image.Pt(g.Side, g.Side) {
				t.Errorf("kind %s, size %v", m.Kind(), m.Size())
			}
			if len(want.faces) < 3 {
				t.Fatalf("only %d golden faces", len(want.faces))
			}
			for range 2 { // the second time nothing is left over from the first
				same(t, find(t, d, picture(g.Side, g.Side)), want.faces)
			}
		})
	}
}

func TestMTCNN(t *testing.T) {
	g := readGolden(t)
	m, d := open(t, "testdata", Options{})
	if m.Kind() != MTCNN || m.MinScore() != 0.7 {
		t.Errorf("kind %s, least score %v", m.Kind(), m.MinScore())
	}
	for range 2 {
		for _, c := range g.MTCNN {
			same(t, find(t, d, picture(c.Width, c.Height)), c.Faces)
		}
	}
	// Smaller than what the first network sees.
	if faces := find(t, d, picture(15, 200)); len(faces) != 0 {
		t.Errorf("%d faces", len(faces))
	}
	find(t, d, picture(1, 1))
}

// The first network is kept for a bounded number of sizes, and gives the same after it was given up.
func TestProposersAreBounded(t *testing.T) {
	g := readGolden(t).MTCNN[0]
	_, d := open(t, "testdata", Options{})
	for i := range 14 {
		find(t, d, picture(60+7*i, 90))
	}
	if n := len(d.finder.(*mtcnn).proposers); n != keptProposers {
		t.Errorf("%d are kept; want %d", n, keptProposers)
	}
	same(t, find(t, d, picture(g.Width, g.Height)), g.Faces)
}

// Of a larger photograph the same places are found, in its own pixels.
func TestLargerPhotograph(t *testing.T) {
	const k = 3
	for _, path := range []string{"testdata/scrfd.onnx", "testdata"} {
		small := picture(96, 96)
		if path == "testdata" {
			small = picture(128, 128)
		}
		side := small.Rect.Dx()
		large := image.NewRGBA(image.Rect(5, -4, 5+k*side, -4+k*side)) // with an origin that is not 0
		for y := range k * side {
			for x := range k * side {
				large.SetRGBA(5+x, -4+y, small.RGBAAt(x/k, y/k))
			}
		}
		_, d := open(t, path, Options{Size: side, MinScore: 0.72})
		want, got := find(t, d, fit(large, image.Pt(side, side)).img), find(t, d, large)
		if len(got) == 0 || len(got) != len(want) {
			t.Fatalf("%s: %d faces; want %d", path, len(got), len(want))
		}
		for i := range got {
			for j, p := range want[i].Landmarks {
				// A pixel becomes k pixels, whose middle is its centre.
				w := align.Point{X: k*p.X + (k-1)/2., Y: k*p.Y + (k-1)/2.}
				if q := got[i].Landmarks[j]; math.Hypot(q.X-w.X, q.Y-w.Y) > 1e-3 {
					t.Errorf("%s: landmark %d of face %d is at %v; want %v", path, j, i, q, w)
				}
			}
		}
	}
}

func TestOpenMistakes(t *testing.T) {
	cut := filepath.Join(t.TempDir(), "cut.onnx")
	b, err := os.ReadFile("testdata/scrfd.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, b[:len(b)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	swapped := t.TempDir()
	for to, from := range map[string]string{"pnet.onnx": "pnet.onnx", "rnet.onnx": "onet.onnx", "onet.onnx": "rnet.onnx"} {
		b, err := os.ReadFile("testdata/" + from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(swapped, to), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path string
		o    Options
		want string
	}{
		{"testdata/absent.onnx", Options{}, "absent.onnx"},
		{"testdata/golden.json", Options{}, "golden.json"},
		{cut, Options{}, "cut.onnx"},
		{t.TempDir(), Options{}, "has no file pnet.onnx; MTCNN is pnet.onnx, rnet.onnx and onet.onnx in one folder"},
		{swapped, Options{}, "rnet.onnx: its input is 3x48x48; want 3x24x24"},
		{"testdata/pnet.onnx", Options{}, "no detector of a kind that is known"},
		{"testdata/rnet.onnx", Options{}, "by boxes alone faces cannot be aligned; it gives box [1 4], score [1 2] for images of 24x24"},
		{"testdata/yunet.onnx", Options{Kind: SCRFD}, "a detector of the kind scrfd gives 3 arrays of 1 columns"},
		{"testdata/scrfd.onnx", Options{Kind: RetinaFace}, "retinaface gives"},
		{"testdata/scrfd.onnx", Options{Kind: MTCNN}, "MTCNN is a folder"},
		{"testdata", Options{Kind: YuNet}, "is a folder; a detector of the kind yunet is one file"},
		{"testdata", Options{Kind: "yolo"}, `no kind of detector is named "yolo"`},
		{"testdata", Options{Size: 100}, "multiple of 32"},
		{"testdata", Options{MinScore: math.NaN()}, "least score"},
	} {
		if _, err := Open(c.path, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: error %v; want %q", c.path, c.o, err, c.want)
		}
	}
}

// Two boxes that overlap by more than the threshold leave one.
func TestSuppress(t *testing.T) {
	list := []Face{{Box: Box{0, 0, 10, 10}, Score: 0.5}, {Box: Box{0, 0, 10, 5}, Score: 0.9}, {Box: Box{8, 0, 18, 10}, Score: 0.4}, {Box: Box{100, 0, 101, 1}, Score: 0.1}}
	got := suppress(list, func(f *Face) float64 { return f.Score }, 0.4, func(a, b *Face) float64 { return iou(a.Box, b.Box) })
	if len(got) != 3 || got[0].Score != 0.9 || got[1].Score != 0.4 || got[2].Score != 0.1 { // 0.5 of one; 20/180 of the next
		t.Errorf("%+v", got)
	}
}

// Means over pixels, by their definition.
func TestAreaResize(t *testing.T) {
	img := picture(37, 23)
	var s sums
	s.load(picture(50, 40)) // something to be left over
	s.load(img)
	for _, c := range []struct {
		w, h int
		r    image.Rectangle
	}{{12, 7, img.Rect}, {37, 23, img.Rect}, {24, 24, image.Rect(3, 4, 20, 11)}, {5, 5, image.Rect(36, 22, 37, 23)}} {
		got := make([]float32, 3*c.w*c.h)
		s.resize(got, c.w, c.h, c.r)
		for y := range c.h {
			for x := range c.w {
				x0, x1 := c.r.Min.X+x*c.r.Dx()/c.w, c.r.Min.X+int(math.Ceil(float64((x+1)*c.r.Dx())/float64(c.w)))
				y0, y1 := c.r.Min.Y+y*c.r.Dy()/c.h, c.r.Min.Y+int(math.Ceil(float64((y+1)*c.r.Dy())/float64(c.h)))
				for channel := range 3 {
					var sum, n float64
					for v := y0; v < y1; v++ {
						for u := x0; u < x1; u++ {
							sum, n = sum+float64(img.Pix[v*img.Stride+4*u+channel]), n+1
						}
					}
					if want := (sum/n - 127.5) / 128; math.Abs(float64(got[3*(y*c.w+x)+channel])-want) > 1e-6 {
						t.Fatalf("%+v: %d,%d is %v; want %v", c, x, y, got[3*(y*c.w+x)+channel], want)
					}
				}
			}
		}
	}
}
