package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"testing"
)

// golden is eval/testdata/roc.json, written by scripts/golden/roc.py.
type golden struct {
	Vectors [][2][]float64 `json:"vectors"` // straight and mirrored
	Pairs   [][4]int       `json:"pairs"`   // a, b, same, fold
	Curve   goldenCurve    `json:"curve"`
	Rounded goldenCurve    `json:"curve_of_scores_rounded_to_tenths"`

	Protocols map[string]struct {
		Mean, Spread      float64
		Folds, Thresholds []float64
	} `json:"protocols"`
}

type goldenCurve struct {
	AUC       float64   `json:"auc"`
	Trapezoid float64   `json:"auc_trapezoid"`
	FPR       []float64 `json:"fpr"`
	TPR       []float64 `json:"tpr"`
	EER       float64   `json:"eer"`
	DPrime    float64   `json:"d_prime"`
}

func readGolden(t *testing.T) (*golden, *Pairs) {
	t.Helper()
	text, err := os.ReadFile("testdata/roc.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	pairs := &Pairs{Name: "golden", Folds: 10}
	for _, p := range g.Pairs {
		pairs.Pairs = append(pairs.Pairs, Pair{A: fmt.Sprint(p[0]), B: fmt.Sprint(p[1]), Same: p[2] == 1, Fold: p[3]})
	}
	return g, pairs
}

// goldenEmbedder recognises images: the golden image i is 2 pixels wide, with i in the
// colour of the left pixel; its mirror image has it on the right.
type goldenEmbedder struct {
	*golden
	calls int
}

func (e *goldenEmbedder) Dim() int { return len(e.Vectors[0][0]) }

func (e *goldenEmbedder) EmbedBatch(_ context.Context, images []image.Image) ([][]float32, error) {
	var out [][]float32
	for _, img := range images {
		e.calls++
		left, right := color.NRGBAModel.Convert(img.At(0, 0)).(color.NRGBA), color.NRGBAModel.Convert(img.At(1, 0)).(color.NRGBA)
		side, c := 0, left
		if left.B == 0 {
			side, c = 1, right
		}
		var v []float32
		for _, x := range e.Vectors[int(c.R)*256+int(c.G)][side] {
			v = append(v, float32(x))
		}
		out = append(out, v)
	}
	return out, nil
}

func loadGolden(name string) (image.Image, error) {
	var i int
	if _, err := fmt.Sscan(name, &i); err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.NRGBA{uint8(i >> 8), uint8(i), 255, 255})
	img.Set(1, 0, color.NRGBA{0, 0, 0, 255})
	return img, nil
}

func TestCurveAgainstScikitLearn(t *testing.T) {
	g, pairs := readGolden(t)
	scores := make([]float64, len(g.Pairs))
	for i, p := range g.Pairs {
		a, b := g.Vectors[p[0]][0], g.Vectors[p[1]][0]
		var ab, aa, bb float64
		for j := range a {
			ab, aa, bb = ab+a[j]*b[j], aa+a[j]*a[j], bb+b[j]*b[j]
		}
		scores[i] = ab / math.Sqrt(aa*bb)
	}
	compareCurve(t, scores, pairs.Same(), g.Curve)
	for i, s := range scores {
		scores[i] = math.RoundToEven(s*10) / 10
	}
	compareCurve(t, scores, pairs.Same(), g.Rounded)
}

func compareCurve(t *testing.T, scores []float64, same []bool, want goldenCurve) {
	t.Helper()
	const tolerance = 1e-12
	roc, err := NewROC(scores, same)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"AUC", roc.AUC(), want.AUC},
		{"AUC by trapezoids", roc.AUC(), want.Trapezoid},
		{"AUC of the drawn curve", roc.Curve("").AUC(), want.AUC},
		{"EER", roc.EER().Value, want.EER},
		{"d'", DPrime(scores, same), want.DPrime},
	} {
		if math.Abs(c.got-c.want) > tolerance {
			t.Errorf("%s %v, scikit-learn %v", c.name, c.got, c.want)
		}
	}
	if len(roc.Points) != len(want.FPR) {
		t.Fatalf("%d points, scikit-learn %d", len(roc.Points), len(want.FPR))
	}
	for i, p := range roc.Points {
		if math.Abs(roc.FAR(p)-want.FPR[i]) > tolerance || math.Abs(roc.TAR(p)-want.TPR[i]) > tolerance {
			t.Errorf("point %d: (%v, %v), scikit-learn (%v, %v)", i, roc.FAR(p), roc.TAR(p), want.FPR[i], want.TPR[i])
		}
	}
}

func TestProtocolsAgainstPython(t *testing.T) {
	g, pairs := readGolden(t)
	e := &goldenEmbedder{golden: g}
	r, err := Verify(context.Background(), e, loadGolden, pairs, Options{Protocols: []string{InsightFace, SphereFace, Plain, FaceXZoo, OpenSphere}})
	if err != nil {
		t.Fatal(err)
	}
	if e.calls != 2*len(g.Vectors) {
		t.Errorf("%d embeddings computed for %d images, want each image and its mirror image once", e.calls, len(g.Vectors))
	}
	// Embeddings are float32 here and float64 there; accuracies are counts, so
	// they agree all the same, and grid thresholds to a rounding.
	for _, a := range r.Protocols {
		want := g.Protocols[a.Protocol]
		if math.Abs(a.Mean-want.Mean) > 1e-12 || math.Abs(a.Spread-want.Spread) > 1e-12 {
			t.Errorf("%s: %v ± %v, Python %v ± %v", a.Protocol, a.Mean, a.Spread, want.Mean, want.Spread)
		}
		if len(a.Folds) != len(want.Folds) {
			t.Fatalf("%s: %d folds, Python %d", a.Protocol, len(a.Folds), len(want.Folds))
		}
		for i, f := range a.Folds {
			if math.Abs(f.Accuracy-want.Folds[i]) > 1e-12 || math.Abs(f.Threshold-want.Thresholds[i]) > 1e-6 {
				t.Errorf("%s fold %d: %v at %v, Python %v at %v", a.Protocol, i+1, f.Accuracy, f.Threshold, want.Folds[i], want.Thresholds[i])
			}
		}
	}
	wantFlips := []string{FlipSum, FlipConcat, FlipNone, FlipNone, FlipNone}
	for i, a := range r.Protocols {
		if a.Flip != wantFlips[i] {
			t.Errorf("%s: flip %s, want %s", a.Protocol, a.Flip, wantFlips[i])
		}
	}
}

// Vectors computed elsewhere give the same results as an embedder.
func TestNewVectors(t *testing.T) {
	g, pairs := readGolden(t)
	var names []string
	var straight, mirrored []float32
	for i, v := range g.Vectors {
		names = append(names, fmt.Sprint(i))
		for j := range v[0] {
			straight, mirrored = append(straight, float32(v[0][j])), append(mirrored, float32(v[1][j]))
		}
	}
	v, err := NewVectors(names, 5, straight, mirrored)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Flip: FlipSum, Protocols: []string{SphereFace}}
	got, err := v.Verify(pairs, o)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Verify(context.Background(), &goldenEmbedder{golden: g}, loadGolden, pairs, o)
	if err != nil {
		t.Fatal(err)
	}
	if got.AUC != want.AUC || got.Accuracy != want.Accuracy {
		t.Errorf("AUC %v accuracy %v, by an embedder %v and %v", got.AUC, got.Accuracy, want.AUC, want.Accuracy)
	}
	alone, err := NewVectors(names, 5, straight, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.Verify(pairs, o); err == nil {
		t.Error("a protocol that needs mirror images, without them, is let through")
	}
	mirrored[7] = float32(math.NaN())
	if _, err := NewVectors(names, 5, straight, mirrored); err == nil || err.Error()[:2] != "1:" {
		t.Errorf("NaN in the mirror image of 1: %v", err)
	}
}
