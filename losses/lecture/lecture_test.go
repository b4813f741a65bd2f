package lecture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/metric"
	"github.com/faceverify/fv/losses/plain"
)

// made is the lecture that the tests share: its networks take seconds to train.
var made = sync.OnceValues(func() (*Lecture, error) { return New(1, nil) })

func lecture(t *testing.T) *Lecture {
	t.Helper()
	l, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func written(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := lecture(t).Write(&b, "made by a test"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page has all chapters, one of each ID, and asks nothing of the network.
func TestPage(t *testing.T) {
	html := written(t)
	for _, want := range []string{
		"a. Gradient descent", "b. L1, L2 and Huber", "c. Sigmoid and softmax", "d. Squared error against cross-entropy", "e. Focal loss", "f. Triplet loss",
		"g. Target logits", "h. What lengths and biases", "i. Features that were learned", "j. Regions on circle and sphere", "k. Decision regions of five heads",
		"l. Margin against", "m. How steep", "made by a test", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if seen[m[1]] {
			t.Errorf("the ID %s is there twice", m[1])
		}
		seen[m[1]] = true
	}
	rest := strings.ReplaceAll(html, "http://www.w3.org/2000/svg", "")
	if m := regexp.MustCompile(`(?i)https?://|<link|@import|url\(|\bfetch\(|XMLHttpRequest`).FindString(rest); m != "" {
		t.Errorf("the page has %q", m)
	}
	if n := len(html); n > 1<<20 {
		t.Errorf("the page has %d bytes", n)
	}
	if before, _, ok := strings.Cut(html, `<script`); !ok || strings.Contains(before, "NaN") {
		t.Error("a number of a picture is none")
	}
}

// Pictures are whole SVG files and PNGs.
func TestPictures(t *testing.T) {
	all := lecture(t).Pictures()
	if len(all) < 35 {
		t.Errorf("there are %d pictures", len(all))
	}
	for i, f := range all {
		var svg bytes.Buffer
		if err := f.WriteSVG(&svg); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(svg.String(), "NaN") || strings.Contains(svg.String(), "var(") {
			t.Errorf("%s.svg has a number that is none or a colour that only a page knows", f.ID)
		}
		d := xml.NewDecoder(&svg)
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s.svg: %v", f.ID, err)
			}
		}
		if f.Alt == "" {
			t.Errorf("%s has no description", f.ID)
		}
		if i%8 != 0 { // the encoder is slow
			continue
		}
		var png bytes.Buffer
		if err := f.WritePNG(&png); err != nil || !bytes.HasPrefix(png.Bytes(), []byte("\x89PNG")) {
			t.Errorf("%s.png: %v", f.ID, err)
		}
	}
}

// reading returns what a chapter shows for some values in place of those that it starts with.
func reading(t *testing.T, l *Lecture, chapter, id string, v values) string {
	t.Helper()
	for _, c := range l.chapters {
		if c.id != chapter {
			continue
		}
		all := c.start()
		for k, x := range v {
			if _, ok := all[k]; !ok {
				t.Fatalf("chapter %s has no control %s", chapter, k)
			}
			all[k] = x
		}
		for _, r := range c.draw(all).readings {
			if r.ID == id {
				return r.Value
			}
		}
	}
	t.Fatalf("there is no reading %s in %s", id, chapter)
	return ""
}

// The examples that papers and lectures give.
func TestReadings(t *testing.T) {
	l := lecture(t)
	names := losses.Names()
	head := func(name string) float64 {
		for i, n := range names {
			if n == name {
				return float64(i)
			}
		}
		t.Fatal(name)
		return 0
	}
	for _, c := range []struct {
		chapter, id string
		v           values
		want        string
	}{
		{"misclassified", "d-mse-1", values{"d-p": 0.1}, "1.800"},
		{"misclassified", "d-ce-1", values{"d-p": 0.1}, "10.000"},
		{"misclassified", "d-mse-2", values{"d-p": 0.1}, "0.162"},
		{"misclassified", "d-ce-2", values{"d-p": 0.1}, "0.900"},
		{"focal", "e-less", values{"e-gamma": 2, "e-p": 0.9}, "100.0"},
		{"classes", "c-sum", nil, "0.0000"},
		{"targets", "g-own", values{"g-head": head("arcface"), "g-stop": 5, "g-theta": 60}, "0.024"},
		{"targets", "g-own", values{"g-head": head("asoftmax"), "g-stop": 3, "g-theta": 90}, "−3.000"},
		{"targets", "g-own", values{"g-head": head("cosface"), "g-stop": 4, "g-theta": 60}, "0.150"},
		{"targets", "g-sixty", values{"g-m": 4}, "−1.500"},
		{"bias", "h-modified-z1", values{"h-x": 0, "h-y": 0}, "0.000"},
		{"separation", "l-sphere-margin", values{"l-k": 30}, "10.0°"},
		{"separation", "l-sphere-margin", values{"l-k": 120}, "40.0°"},
		{"separation", "l-cos-margin", values{"l-k": 60}, "41.0°"},
		{"separation", "l-cos-margin", values{"l-k": 120}, "23.3°"},
		{"separation", "l-cos-margin", values{"l-k": 49}, "none"},
		{"separation", "l-arc-margin", values{"l-k": 120}, "28.6°"},
		{"regions", "j-left-modified", nil, "0.0 % of the sphere"},
	} {
		if got := reading(t, l, c.chapter, c.id, c.v); got != c.want {
			t.Errorf("%s %s at %v is %s, want %s", c.chapter, c.id, c.v, got, c.want)
		}
	}
	html := written(t)
	for _, want := range []string{"λ is 892.857 in the first step and reaches 5 at step 1659", "cos 22° = 0.9272, class 2 cos 19° = 0.9455; class 2 wins"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Every head can be chosen, and its default is among its stops.
func TestKnobs(t *testing.T) {
	for _, name := range losses.Names() {
		s, err := losses.Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		k := knobOf(s)
		found := k.param == ""
		for _, p := range s.Params {
			found = found || p.Name == k.param && p.Default == k.stops[k.chosen]
		}
		if !found {
			t.Errorf("%s: its default is not among %v", name, k.stops)
		}
		for i := range k.stops {
			c := newCurve(name, k, i)
			if own, _ := c.own(1); math.IsNaN(own) || name != "circle" && own > c.other(1)+1e-9 {
				t.Errorf("%s, %s: own logit %v, another's %v", name, k.named(i), own, c.other(1))
			}
		}
	}
}

// The networks learn, with a margin no worse, and the angles of A-Softmax get narrower.
func TestFeatures(t *testing.T) {
	nets := lecture(t).nets
	last := len(netSnapshots) - 1
	for _, n := range nets {
		if n.correct[0] > 0.5 || n.correct[last] < 0.9 {
			t.Errorf("%s %v: %v right at first, %v in the end", n.title, n.m, n.correct[0], n.correct[last])
		}
	}
	modified, four := nets[1], nets[len(nets)-1]
	if four.m != 4 || four.spread[last] >= modified.spread[last] {
		t.Errorf("median angles: modified softmax %v, A-Softmax with m = %v %v", modified.spread[last], four.m, four.spread[last])
	}
}

// A digit is a function of seed, index and kind.
func TestDigit(t *testing.T) {
	a, b, c := make([]float32, netIn), make([]float32, netIn), make([]float32, netIn)
	digit(a, 1, 7, 3)
	digit(b, 1, 7, 3)
	digit(c, 1, 8, 3)
	same := true
	for i := range a {
		if a[i] != b[i] {
			t.Fatal("not reproducible")
		}
		same = same && a[i] == c[i]
	}
	if same {
		t.Error("two hands write alike")
	}
}

// With both of the pair as anchors in turn the mean is metric.Triplet's loss.
func TestAnchored(t *testing.T) {
	at := func(deg float64) xy { return xy{X: math.Cos(deg * degree), Y: math.Sin(deg * degree)} }
	a, p, n := at(80), at(20), at(45)
	one, two := tripletAt([3]xy{a, p, n}, 1.5), tripletAt([3]xy{p, a, n}, 1.5)
	grad := make([]float64, 6)
	both := metric.Batch(metric.Triplet{Margin: 1.5}, grad, []float64{a.X, a.Y, p.X, p.Y, n.X, n.Y}, []int{0, 0, 1})
	if want := (one.loss + two.loss) / 2; one.loss == 0 || two.loss == 0 || math.Abs(both-want) > 1e-12 {
		t.Errorf("loss %v, want the mean of %v and %v", both, one.loss, two.loss)
	}
	for i, g := range grad {
		other := two.gradient[[]int{2, 3, 0, 1, 4, 5}[i]]
		if want := (one.gradient[i] + other) / 2; math.Abs(g-want) > 1e-12 {
			t.Errorf("gradient %d is %v, want %v", i, g, want)
		}
	}
}

// The fits are where their losses are least.
func TestFits(t *testing.T) {
	x, y := fitPoints()
	x[len(x)-1], y[len(y)-1] = 9, 0.8
	huber := plain.Huber{Delta: 1}
	for _, l := range []struct {
		loss plain.Elementwise
		fit  straight
	}{
		{plain.L1{}, fitThrough(plain.L1{}, x, y)}, {plain.L2{}, fitWeighted(plain.L2{}, x, y)}, {huber, fitWeighted(huber, x, y)},
	} {
		d := descent{l.loss, x, y}
		least, _ := d.at(l.fit, nil)
		for _, by := range []straight{{1e-3, 0}, {-1e-3, 0}, {0, 1e-3}, {0, -1e-3}, {1e-3, -5e-3}, {-1e-3, 5e-3}} {
			if v, _ := d.at(straight{l.fit.W + by.W, l.fit.B + by.B}, nil); v < least {
				t.Errorf("%s: moved by %v the loss is %v, at the fit %v", l.loss.Name(), by, v, least)
			}
		}
	}
}

// TestFixed compares with what toFixed of ECMAScript gives: the nearest decimal, halves away from 0.
func TestFixed(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{96.25, 1, "96.3"}, {-96.25, 1, "−96.3"}, {0.15, 1, "0.1"}, {2.5, 0, "3"}, {-0.04, 1, "0.0"}, {1.005, 2, "1.00"}, {math.Inf(1), 1, "–"},
	} {
		if got := fixed(c.v, c.digits); got != c.want {
			t.Errorf("%v with %d decimals is %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}
