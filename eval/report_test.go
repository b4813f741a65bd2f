package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/page"
)

// synthetic returns an evaluation of normally distributed cosines, 10 folds of 2n pairs.
func synthetic(t *testing.T, n int, genuine float64) *Result {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	pairs := &Pairs{Name: "pairs.txt", Folds: 10}
	var scores []float64
	for i := range 20 * n {
		same := i%2 == 0
		mean, spread := 0.08, 0.1
		if same {
			mean, spread = genuine, 0.16
		}
		scores = append(scores, math.Max(-1, math.Min(1, mean+spread*r.NormFloat64())))
		pairs.Pairs = append(pairs.Pairs, Pair{A: fmt.Sprint("a", i), B: fmt.Sprint("b", i), Same: same, Fold: i / 2 % 10})
	}
	result, err := Evaluate(scores, pairs, Options{Protocols: []string{InsightFace, Plain, FaceXZoo, OpenSphere}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func reportOf(t *testing.T, results ...*Result) ReportOptions {
	o := ReportOptions{
		Title: "Face verification: <v1> & more", Subtitle: "pairs of pairsDevTest.txt, scored by runs/v1",
		Curves:   []*Curve{{Name: "another \"system\"", FAR: []float64{0, 0.1, 1}, TAR: []float64{0.6, 0.8, 1}}},
		Settings: page.Fields{{Name: "Model", Value: "runs/v1"}, {Name: "Input", Value: "112x112 rgb"}},
		Command:  "fv-eval verify runs/v1 --images 'my faces' --pairs pairsDevTest.txt", Version: "fv-eval test",
	}
	for i, r := range results {
		o.Results = append(o.Results, NamedResult{Name: []string{"without a margin", "margin 0.35"}[i], Result: r})
	}
	return o
}

func TestReport(t *testing.T) {
	for _, results := range [][]*Result{{synthetic(t, 25, 0.45)}, {synthetic(t, 25, 0.45), synthetic(t, 25, 0.6)}} {
		var out bytes.Buffer
		if err := Report(&out, reportOf(t, results...)); err != nil {
			t.Fatal(err)
		}
		html := out.String()
		if m := regexp.MustCompile(`(?i)<script|<link|@import|url\(|src="http|href="http`).FindString(html); m != "" {
			t.Errorf("the page is not self-contained: %q", m)
		}
		for _, want := range []string{"&lt;v1&gt; &amp; more", "not resolved by 250 impostor pairs", "another &#34;system&#34;", "fold 10", "insightface", "squared L2", "Clopper-Pearson", "runs/v1", "&#39;my faces&#39;", "fv-eval test", "var(--plot-0)"} {
			if !strings.Contains(html, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		want := 3 + 4*len(results)
		if len(results) > 1 {
			want++
		}
		if n := strings.Count(html, "<svg"); n != want {
			t.Errorf("%d pictures, want two ROC, a DET, errors and angles, linear and logarithmic, for each of %d results, and the angles of several over each other", n, len(results))
		}
		for d := xml.NewDecoder(&out); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("not well-formed: %v", err)
			}
		}
	}
}

func TestWriteOutputs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "out")
	names, err := WriteOutputs(dir, reportOf(t, synthetic(t, 5, 0.45)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"roc.png", "roc.svg", "roc-log.png", "roc-log.svg", "det.png", "det.svg", "error-rates.png", "error-rates.svg", "error-rates-linear.png", "error-rates-linear.svg",
		"angles.png", "angles.svg", "angles-log.png", "angles-log.svg", "scores.csv", "report.html", "report.md"}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		switch filepath.Ext(name) {
		case ".png":
			if img, _, err := image.Decode(f); err != nil || img.Bounds().Dx() < 1000 {
				t.Errorf("%s: %v", name, err)
			}
		case ".csv":
			if scores, _, err := ParseScores(f, name); err != nil || len(scores) != 100 {
				t.Errorf("%s: %d scores, %v", name, len(scores), err)
			}
		}
	}
}

// The angles of several systems lie over each other in one picture: a whole and a broken line for each, in its
// colour, and both values where the pointer is.
func TestAnglesOverlay(t *testing.T) {
	one := reportOf(t, synthetic(t, 25, 0.45))
	if PlotAnglesOverlay(one.Results) != nil {
		t.Error("a picture of one system over itself")
	}
	two := reportOf(t, synthetic(t, 25, 0.45), synthetic(t, 25, 0.6))
	none := two.Results[1]
	none.Result = &Result{} // scores that are no cosines
	p := PlotAnglesOverlay([]NamedResult{two.Results[0], none, two.Results[1]})
	if len(p.bands) != hoverBands+1 {
		t.Fatalf("%d bands", len(p.bands))
	}
	svg, err := p.PageSVG("")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"stroke:var(--plot-0)": 3, "stroke:var(--plot-2)": 3, "stroke:var(--plot-1)": 0, "stroke-dasharray": 2} {
		if got := strings.Count(svg, text); got != want {
			t.Errorf("%s stands %d times in the picture, want %d", text, got, want)
		}
	}
	// What a band says adds up to all pairs: 72 of them, 2.5 degrees apart.
	for k, name := range []string{"without a margin", "margin 0.35"} {
		var sum [2]float64
		for _, b := range p.bands {
			var share [2]float64
			if _, err := fmt.Sscanf(b.lines[1+k], name+": %f %%, %f %%", &share[0], &share[1]); err != nil {
				t.Fatalf("%q: %v", b.lines[1+k], err)
			}
			sum[0], sum[1] = sum[0]+2.5*share[0], sum[1]+2.5*share[1]
		}
		for _, s := range sum {
			if math.Abs(s-100) > 1 {
				t.Errorf("%s: %.2f %% in all", name, s)
			}
		}
	}
	dir := t.TempDir()
	names, err := WriteOutputs(dir, two)
	if err != nil || !slices.Contains(names, "angles-overlay.png") || !slices.Contains(names, "angles-overlay.svg") {
		t.Errorf("%v, %v", names, err)
	}
}

// Every key of result.json is lower case, and nothing in it is not a JSON number.
func TestResultJSON(t *testing.T) {
	text, err := json.Marshal(synthetic(t, 5, 0.45))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"([^"]*)":`).FindAllStringSubmatch(string(text), -1) {
		if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(m[1]) {
			t.Errorf("key %q", m[1])
		}
	}
	var back map[string]any
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"auc", "eer", "accuracy", "protocols", "operating_points", "angles", "warnings", "d_prime", "genuine", "impostor"} {
		if _, ok := back[key]; !ok {
			t.Errorf("no key %q", key)
		}
	}
}

// constEmbedder gives every image the same vector.
type constEmbedder []float32

func (c constEmbedder) Dim() int { return len(c) }
func (c constEmbedder) EmbedBatch(_ context.Context, images []image.Image) ([][]float32, error) {
	return slices.Repeat([][]float32{c}, len(images)), nil
}

func somePairs() *Pairs {
	p := &Pairs{Name: "p", Folds: 1}
	for i := range 20 {
		p.Pairs = append(p.Pairs, Pair{A: fmt.Sprint("a", i), B: fmt.Sprint("b", i), Same: i%2 == 0})
	}
	p.CutFolds(5)
	return p
}

func loadGrey(string) (image.Image, error) { return image.NewGray(image.Rect(0, 0, 4, 4)), nil }

func TestCollapse(t *testing.T) {
	r, err := Verify(context.Background(), constEmbedder{1, 2, 3}, loadGrey, somePairs(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Collapsed || r.AUC != 0.5 || len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "collapsed") {
		t.Errorf("collapsed %v, AUC %v, warnings %q", r.Collapsed, r.AUC, r.Warnings)
	}
	var out bytes.Buffer
	if err := Report(&out, reportOf(t, r)); err != nil || !strings.Contains(out.String(), "collapsed") {
		t.Errorf("the report of a collapsed model: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	ctx := context.Background()
	nan := float32(math.NaN())
	for _, c := range []struct {
		e    constEmbedder
		want string
	}{{constEmbedder{1, nan}, "a0: the embedding has a value that is not finite"}, {constEmbedder{0, 0}, "a0: the embedding is zero"}} {
		if _, err := Verify(ctx, c.e, loadGrey, somePairs(), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	broken := func(name string) (image.Image, error) {
		if name == "b3" || name == "a4" {
			return nil, errors.New("truncated")
		}
		return loadGrey(name)
	}
	_, err := Verify(ctx, constEmbedder{1}, broken, somePairs(), Options{})
	var images *ImagesError
	if !errors.As(err, &images) || !slices.Equal(images.Names, []string{"a4", "b3"}) || !strings.Contains(err.Error(), "b3: truncated") {
		t.Errorf("two unreadable images: %v", err)
	}
	r, err := Verify(ctx, constEmbedder{1}, broken, somePairs(), Options{SkipMissing: true})
	if err != nil || r.PairsSkipped != 2 || r.ImagesFailed != 2 || r.Images != 38 || len(r.Scores) != 18 {
		t.Errorf("skipping: %+v, %v", r, err)
	}
	for _, o := range []Options{{Flip: "both"}, {Protocols: []string{"lfw"}}, {FARs: []float64{0}}} {
		if _, err := Verify(ctx, constEmbedder{1}, loadGrey, somePairs(), o); err == nil {
			t.Errorf("options %+v are let through", o)
		}
	}
	one := somePairs()
	one.CutFolds(1)
	if _, err := Verify(ctx, constEmbedder{1}, loadGrey, one, Options{}); err == nil || !strings.Contains(err.Error(), "folds") {
		t.Errorf("a protocol with folds on pairs without: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Verify(canceled, constEmbedder{1}, loadGrey, somePairs(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Evaluate([]float64{1, 0}, &Pairs{Folds: 1, Pairs: []Pair{{Same: true}, {}}}, Options{Protocols: []string{SphereFace}}); err == nil {
		t.Error("sphereface from scores is let through")
	}
}

// Every picture of the page can be hovered over: bands lie side by side across the whole data area, each
// with the values of every curve at its place.
func TestHover(t *testing.T) {
	r := synthetic(t, 25, 0.45)
	curves := []*Curve{r.ROC.Curve("own <1>"), {Name: "other", FAR: []float64{0, 0.1, 1}, TAR: []float64{0.6, 0.8, 1}}}
	for name, p := range map[string]*Picture{
		"roc": PlotROC(curves, 1, false), "roc-log": PlotROC(curves, 1, true), "det": PlotDET(curves, 1),
		"errors": PlotErrorRates(r.ROC, true), "errors-linear": PlotErrorRates(r.ROC, false),
		"angles": PlotAngles(r.Angles, "", 1, 0), "angles-log": PlotAnglesLog(r.Angles, "", 1),
		"cmc": PlotCMC([]float64{0.5, 0.75, 1}), "identification": PlotIdentification(r.ROC),
	} {
		svg, err := p.PageSVG("x")
		if err != nil {
			t.Fatal(err)
		}
		rects := regexp.MustCompile(`class="hit" x="([-.0-9]+)" y="([-.0-9]+)" width="([-.0-9]+)" height="([-.0-9]+)"`).FindAllStringSubmatch(svg, -1)
		if len(rects) < 3 || len(rects) != len(p.bands) {
			t.Fatalf("%s: %d bands", name, len(rects))
		}
		area := p.dataArea()
		at := area.Min.X.Points()
		for _, r := range rects {
			var v [4]float64
			for i := range v {
				fmt.Sscan(r[i+1], &v[i])
			}
			if math.Abs(v[0]-at) > 0.2 || v[2] <= 0 || v[1] < 0 || v[1]+v[3] > p.height.Points() {
				t.Fatalf("%s: a band at %v, the last one ended at %v", name, v, at)
			}
			at = v[0] + v[2]
		}
		if math.Abs(at-area.Max.X.Points()) > 0.2 {
			t.Errorf("%s: bands end at %v, the data at %v", name, at, area.Max.X.Points())
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: the picture has a value that is no number", name)
		}
	}
	for far, want := range map[float64]float64{0: 0.6, 0.05: 0.6, 0.1: 0.8, 0.99: 0.8, 1: 1} {
		if got := curves[1].tarAt(far); got != want {
			t.Errorf("TAR at FAR %v: %v, want %v", far, got, want)
		}
	}
}
