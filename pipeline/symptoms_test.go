package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faceverify/fv/pipeline/synth"
)

// feed gives a watch over 100 classes the losses of so many steps and returns what it tells.
func feed(eased bool, steps int, loss func(step int) float64) []string {
	s := symptoms{window: 50, first: 20, chance: math.Log(100), eased: eased}
	r := rand.New(rand.NewPCG(3, 3))
	var told []string
	for step := 1; step <= steps; step++ {
		if _, what := s.step(step, loss(step)*(1+0.02*r.NormFloat64())); what != "" {
			told = append(told, what)
		}
	}
	return told
}

// fall is a loss that falls from one value to another.
func fall(from, to, steps float64) func(int) float64 {
	return func(step int) float64 { return to + (from-to)*math.Exp(-float64(step)/steps) }
}

func TestSymptoms(t *testing.T) {
	chance := math.Log(100)
	for name, c := range map[string]struct {
		eased bool
		loss  func(int) float64
		want  string // "": a sound run
	}{
		"falls from a margin":       {false, fall(26, 0.2, 300), ""},
		"falls slowly":              {false, fall(26, 2, 1500), ""},
		"ends flat":                 {false, fall(12, 3, 200), ""},
		"passes chance slowly":      {false, fall(5.2, 3, 700), ""},
		"a margin that comes":       {true, func(i int) float64 { return 3 + 2*math.Min(1, float64(i)/1500) }, ""},
		"rises a little in the end": {false, func(i int) float64 { return 0.5 + 0.0002*float64(i) }, ""},
		"guesses":                   {false, func(int) float64 { return chance }, "stuck at that of guessing, ln(classes) = 4.61. Usual cure: a higher --lr"},
		"a margin too hard":         {false, func(int) float64 { return 26 }, "far above that of guessing"},
		"A-Softmax at 87.3":         {true, func(int) float64 { return 87.3 }, "lower --margin"},
		"falls, then rises":         {false, func(i int) float64 { return 2 + math.Max(0, float64(i-600)/100) }, "the learning rate is too high"},
	} {
		told := feed(c.eased, 2000, c.loss)
		switch {
		case c.want == "" && len(told) > 0:
			t.Errorf("%s: told %q of a sound run", name, told)
		case c.want != "" && (len(told) == 0 || !strings.Contains(told[0], c.want)):
			t.Errorf("%s: told %q, want %q", name, told, c.want)
		}
		for i, a := range told {
			for _, b := range told[:i] {
				if a[:20] == b[:20] {
					t.Errorf("%s: told twice: %q", name, told)
				}
			}
		}
	}
	var s symptoms
	if what := s.validated(collapseSteps, &Validation{Accuracy: 0.5, AUC: 0.52}); !strings.Contains(what, "exactly 0.5") {
		t.Errorf("told %q of a validation like guessing", what)
	}
	if what := s.validated(collapseSteps, &Validation{Accuracy: 0.51, AUC: 0.52}); what != "" {
		t.Errorf("told %q of a poor validation", what)
	}
}

// What goes wrong in a run is told of in its course, and nothing where nothing does.
func TestSymptomsOfRuns(t *testing.T) {
	data := drawFaces(t, 12)
	for name, c := range map[string]struct {
		changes []string
		want    string
	}{
		"sound": {[]string{"head=normface", "scale=16"}, ""},
		"stuck": {[]string{"head=normface", "scale=1", "lr=1e-9", "embedding=64"}, "stuck at that of guessing"},
		// SphereFace's margin of 4 from the first step on, with neither λ to ease it nor its gradient to turn towards it.
		"a margin too hard": {[]string{
			"head=asoftmax", "margin=4", "head-params=lambda-base=0;lambda-min=0", "feature-norm=scaled", "scale=30", "margin-gradient=detached",
			"backbone=sfnet4-bn", "lr=0.1", "max-steps=60", "epochs=6",
		}, "far above that of guessing, ln(classes) = 2.48. Usual cure: the margin is too hard to begin with"},
		"rising":    {[]string{"head=softmax", "backbone=sfnet4-bn", "lr=0.4", "max-steps=44"}, "the loss has risen from"},
		"exploding": {[]string{"head=normface", "scale=64", "clip=0", "lr=20", "max-steps=20"}, "have grown to a length"},
	} {
		var told []string
		cfg := tiny(t, data, append([]string{"size=16x16", "epochs=4", "checkpoint-every=1000", "schedule=constant"}, c.changes...)...)
		r, err := newRun(t.Context(), cfg, alone(), Events{Warning: func(s string) { told = append(told, s) }})
		if err != nil {
			t.Fatal(err)
		}
		r.symptoms.window = 12 // an epoch
		_, err = r.run(t.Context())
		r.close()
		text := strings.Join(told, "\n")
		if c.want == "" && (err != nil || text != "") {
			t.Errorf("%s: told %q, error %v", name, text, err)
		}
		if c.want != "" && (!strings.Contains(text, c.want) || name != "rising" && strings.Contains(text, "has risen")) {
			t.Errorf("%s: told %q, error %v; want %q", name, text, err, c.want)
		}
	}
}

// Labels that say the opposite: copies of one picture are called two people. No threshold does better than to call all pairs alike.
func TestAccuracyOfGuessing(t *testing.T) {
	data := drawFaces(t, 16)
	var pairs strings.Builder
	for k := range 8 {
		a, b := filepath.Join(data, synth.Name(k)), synth.Name((k+1)%8)
		whole, err := os.ReadFile(filepath.Join(a, "0000.png"))
		if err == nil {
			err = os.WriteFile(filepath.Join(a, "copy.png"), whole, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&pairs, "%s/0000.png,%[1]s/copy.png,0\n%[1]s/0000.png,%s/0000.png,1\n", synth.Name(k), b)
	}
	var people strings.Builder
	for k := 8; k < 16; k++ {
		fmt.Fprintf(&people, "%s\t4\n", synth.Name(k))
	}
	dir := t.TempDir()
	file, trained := filepath.Join(dir, "pairs.csv"), filepath.Join(dir, "people.txt")
	for path, text := range map[string]string{file: pairs.String(), trained: "8\n" + people.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	c := tiny(t, data, "val="+file, "people="+trained, "size=16x16", "backbone=sfnet4-bn", "head=normface", "scale=16", "batch=8", "epochs=30", "max-steps=100", "val-every=100", "checkpoint-every=1000")
	r := train(t, c, Events{Warning: func(s string) { told = append(told, s) }})
	if text := strings.Join(told, "\n"); !strings.Contains(text, "step 100: validation accuracy is exactly 0.5, that of guessing") {
		t.Errorf("told %q of a validation with accuracy %v and AUC %v", text, r.Last.Accuracy, r.Last.AUC)
	}
}
