package pipeline

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/tfevents"
)

// The nearest row of another class is that of a plain search, on any number of threads.
func TestNearest(t *testing.T) {
	const d, classes, n = 7, 900, 5
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	for _, centers := range []int{1, 3} {
		w, q := draw(classes*centers*d), draw(n*d)
		own := []int{0, 899, 450, 3, 3}
		copy(q[d:2*d], w[899*centers*d:]) // the query of class 899 is its own weight
		clear(w[7*d : 8*d])
		want := make([]float64, n)
		for i := range n {
			want[i] = math.Inf(1)
			for row := range classes * centers {
				if row/centers != own[i] {
					want[i] = min(want[i], angleBetween(q[i*d:][:d], w[row*d:][:d]))
				}
			}
		}
		for _, threads := range []int{1, 3} {
			pool := kernel.NewPool(threads)
			got, _ := nearest(pool, q, own, w, d, centers)
			pool.Close()
			for i, a := range got {
				// Of two rows that are equally near to 1e-6 either may be found.
				if math.Abs(a-want[i]) > 1e-5 {
					t.Errorf("%d centers, %d threads: query %d is %v from the nearest other class, want %v", centers, threads, i, a, want[i])
				}
			}
		}
	}
	pool := kernel.NewPool(1)
	if a, _ := nearest(pool, []float32{1, 0}, []int{0}, []float32{1, 0, 0, 1}, 2, 2); !math.IsNaN(a[0]) {
		t.Errorf("the only class is %v from another", a[0])
	}
}

func TestAngleBetween(t *testing.T) {
	for _, c := range []struct {
		x, y []float32
		want float64
	}{
		{[]float32{1, 0}, []float32{3, 3}, math.Pi / 4},
		{[]float32{2, 0}, []float32{-1, 0}, math.Pi},
		{[]float32{0.1, 0.3}, []float32{0.1, 0.3}, 0},
		{[]float32{0, 0}, []float32{1, 0}, math.Pi / 2},
	} {
		if got := angleBetween(c.x, c.y); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%v and %v: %v, want %v", c.x, c.y, got, c.want)
		}
	}
	if got := meanNorm([]float32{3, 4, 0, 1}, 2); got != 3 {
		t.Errorf("mean length %v, want 3", got)
	}
}

// A run logs the statistics when they are due, and only where they mean something.
func TestStats(t *testing.T) {
	data := drawFaces(t, 6)
	for _, c := range []struct {
		changes []string
		head    bool
		steps   int
	}{
		{[]string{"epochs=4", "max-steps=20"}, true, 20},
		{[]string{"max-steps=8", "head=subcenter-arcface", "sample-classes=0.6"}, true, 8},
		{[]string{"max-steps=8", "loss=triplet", "per-identity=2", "accumulate=2", "epochs=4"}, false, 8},
	} {
		r := train(t, tiny(t, data, append(c.changes, "val-every=7")...), Events{})
		lines, err := readLog(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != c.steps {
			t.Fatalf("%v: %d steps", c.changes, len(lines))
		}
		for _, l := range lines {
			if !(l.FeatureNorm > 0) {
				t.Errorf("%v, step %d: length %v", c.changes, l.Step, l.FeatureNorm)
			}
			if (l.TargetAngle != nil) != c.head || (l.OtherAngle != nil) != (c.head && l.Step == 20) || (l.Classes != nil) != (c.head && (l.Step%7 == 0 || l.Step == c.steps)) {
				t.Errorf("%v, step %d: %+v", c.changes, l.Step, l.stepStats)
			}
			if a := l.TargetAngle; a != nil && !(*a > 0 && *a < math.Pi) {
				t.Errorf("%v, step %d: target angle %v", c.changes, l.Step, *a)
			}
			if s := l.Classes; s != nil && !(s.Measured == 6 && s.Smallest > 0 && s.Smallest <= s.Mean && s.Mean < math.Pi) {
				t.Errorf("%v, step %d: %+v", c.changes, l.Step, s)
			}
		}
		text, err := os.ReadFile(r.Report)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), "Angles to class weights"); got != c.head {
			t.Errorf("%v: the report shows angles: %v", c.changes, got)
		}
	}
}

// A run that goes on writes a new file of events, and --force leaves none of the old ones.
func TestEventFiles(t *testing.T) {
	data := drawFaces(t, 4)
	c := tiny(t, data, "max-steps=3", "checkpoint-every=2")
	for n, steps := range []string{"3", "5", "5"} {
		if n == 0 {
			train(t, c, Events{})
		} else if _, err := Resume(t.Context(), c.Out, []Field{{Name: "max-steps", Value: steps}}, Events{}); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(c.Out, tfevents.Pattern))
		if want := min(n+1, 2); len(files) != want { // the last has nothing to do
			t.Errorf("%d files of events, want %d", len(files), want)
		}
	}
	c.Force, c.MaxSteps = true, 1
	train(t, c, Events{})
	if files, _ := filepath.Glob(filepath.Join(c.Out, tfevents.Pattern)); len(files) != 1 {
		t.Errorf("%d files of events after --force, want 1", len(files))
	}
}

// docs/log.md has the keys of a line, all of them and no others.
func TestLogDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\x60.*?) \|`).FindAllStringSubmatch(string(text), -1) {
		for key := range strings.SplitSeq(row[1], ", ") {
			documented = append(documented, strings.Trim(key, "`"))
		}
	}
	line, err := json.Marshal(logLine{Skipped: "a reason", Rollbacks: make([]Rollback, 1), Exchange: &exchangeStats{}, Val: &Validation{}, stepStats: stepStats{TargetAngle: new(float64), OtherAngle: new(float64), Classes: &classesStats{}}})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	var walk func(prefix string, v map[string]any)
	walk = func(prefix string, v map[string]any) {
		for k, x := range v {
			keys = append(keys, prefix+k)
			if o, ok := x.(map[string]any); ok {
				walk(prefix+k+".", o)
			}
		}
	}
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatal(err)
	}
	walk("", object)
	slices.Sort(keys)
	slices.Sort(documented)
	if !slices.Equal(keys, documented) {
		t.Errorf("docs/log.md has %v, a line %v", documented, keys)
	}
}

// BenchmarkStats times what is measured in each step, spread over the steps, beside the step: of a small network over few
// classes, and of one over many, where the head takes as long as the network.
func BenchmarkStats(b *testing.B) {
	for _, c := range []struct {
		name    string
		classes int
		changes []string
	}{
		{"sfnet4-1k", 1000, []string{"backbone=sfnet4", "size=48x48"}},
		{"mobilefacenet-100k", 100_000, []string{"backbone=mobilefacenet"}},
	} {
		config := Default()
		config.Threads = 2
		for _, s := range c.changes {
			name, value, _ := strings.Cut(s, "=")
			if err := config.Set(name, value); err != nil {
				b.Fatal(err)
			}
		}
		if err := config.Resolve(); err != nil {
			b.Fatal(err)
		}
		network, err := config.network()
		if err != nil {
			b.Fatal(err)
		}
		t := &trainer{ranks: alone(), config: config, network: network, faces: &faces{train: &dataset.Set{Identities: make([]string, c.classes)}}}
		if t.head, err = config.head(); err != nil {
			b.Fatal(err)
		}
		t.shareClasses()
		if err := t.build(); err != nil {
			b.Fatal(err)
		}
		if err := t.initialise(nil); err != nil {
			b.Fatal(err)
		}
		images, labels := noise(&config, c.classes)
		b.Run(c.name+"/step", func(b *testing.B) {
			for b.Loop() {
				if err := t.benchStep(images, labels); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/stats", func(b *testing.B) {
			for step := 0; b.Loop(); step++ {
				t.observe(&logLine{Step: step}, labels)
			}
		})
		b.Run(c.name+"/classes", func(b *testing.B) { // once an epoch
			for b.Loop() {
				if err := t.measureClasses(&logLine{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		t.close()
	}
}
