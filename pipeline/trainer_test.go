package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/synth"
)

// drawFaces draws a small data set of people with 4 images each.
func drawFaces(t testing.TB, people int) string {
	t.Helper()
	dir := t.TempDir()
	if err := synth.Write(t.Context(), dir, synth.Options{Identities: people, Images: 4, Seed: 5, Size: 32, Quality: -1}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tiny returns the settings of a run that takes a second, with changes such as "lr=1".
func tiny(t testing.TB, data string, changes ...string) Config {
	t.Helper()
	c := Default()
	for _, s := range append([]string{
		"data=" + data, "out=" + filepath.Join(t.TempDir(), "run"), "val=none", "size=32x32", "backbone=sfnet4",
		"embedding=16", "batch=4", "epochs=2", "lr=0.02", "warmup=4", "threads=1", "checkpoint-every=4", "cache=1MiB",
	}, changes...) {
		name, value, _ := strings.Cut(s, "=")
		if err := c.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// train runs to the end.
func train(t testing.TB, c Config, e Events) *Result {
	t.Helper()
	r, err := Train(t.Context(), c, e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameRun fails unless two run folders hold the same run: log, newest checkpoint and models.
func sameRun(t *testing.T, a, b string) {
	t.Helper()
	var logs [2][]logLine
	var states [2]*checkpoint
	for i, dir := range []string{a, b} {
		lines, err := readLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		for k := range lines {
			lines[k].ImgS, lines[k].Exchange = 0, nil // times differ
			if lines[k].Val != nil {
				lines[k].Val.Seconds = 0
			}
		}
		c, _, err := readNewestCheckpoint(filepath.Join(dir, checkpointsDir))
		if err != nil {
			t.Fatal(err)
		}
		c.Seconds, c.position.Config = 0, ""
		for k := range c.Validations {
			c.Validations[k].Seconds = 0
		}
		logs[i], states[i] = lines, c
	}
	if len(logs[0]) != len(logs[1]) {
		t.Fatalf("logs of %d and %d steps", len(logs[0]), len(logs[1]))
	}
	for k := range logs[0] {
		if !reflect.DeepEqual(logs[0][k], logs[1][k]) {
			t.Fatalf("step %d is %+v and %+v", k+1, logs[0][k], logs[1][k])
		}
	}
	if !reflect.DeepEqual(states[0], states[1]) {
		t.Error("the checkpoints differ")
	}
	for _, name := range []string{ModelFile, LastModelFile} {
		x, err1 := os.ReadFile(filepath.Join(a, name))
		y, err2 := os.ReadFile(filepath.Join(b, name))
		if (err1 == nil) != (err2 == nil) || !bytes.Equal(x, y) {
			t.Errorf("%s differs: %v, %v", name, err1, err2)
		}
	}
}

// variants are runs that between them use all state that there is: momentum, moments, heads with
// memory and with random draws, running statistics, accumulation and validation.
var variants = map[string][]string{
	"sgd":        {"val=0.34", "val-every=4", "nesterov=true", "head=elasticface-cos"},
	"bf16":       {"precision=bf16", "backbone=sfnet4-bn", "head=subcenter-arcface"},
	"center":     {"loss=head+center", "loss-weight=0.01", "head=softmax", "interclass-filter=0.3"},
	"triplet":    {"loss=triplet", "per-identity=2"},
	"classes":    {"sample-classes=0.6", "head=sphereface2", "ema=0.5"},
	"accumulate": {"epochs=4", "ema=0.9", "optimizer=adamw", "lr=0.001", "accumulate=3", "head=adaface", "margin-warmup=2.5", "backbone=sfnet4-bn", "augment=strong"},
}

// A run that is stopped in mid-epoch and resumed on other threads is the run that was never
// stopped, to the bit.
func TestResume(t *testing.T) {
	data := drawFaces(t, 12)
	for name, changes := range variants {
		t.Run(name, func(t *testing.T) {
			if name == "bf16" && !nn.BF16.Supported() {
				t.Skip("this processor has no products of bfloat16")
			}
			whole := tiny(t, data, changes...)
			train(t, whole, Events{})

			c := tiny(t, data, changes...)
			for stops := 0; ; stops++ {
				ctx, cancel := context.WithCancel(t.Context())
				steps := 0
				e := Events{Step: func(p Progress) {
					if steps++; steps == 5 {
						cancel()
					}
				}}
				var err error
				if stops == 0 {
					_, err = Train(ctx, c, e)
				} else {
					_, err = Resume(ctx, c.Out, []Field{{Name: "threads", Value: "3"}, {Name: "cache", Value: "0"}}, e)
				}
				cancel()
				if err == nil {
					if stops < 2 {
						t.Errorf("the run was stopped only %d times", stops)
					}
					break
				}
				var interrupted *InterruptedError
				if !errors.As(err, &interrupted) || !errors.Is(err, context.Canceled) || interrupted.Step != 5*(stops+1) {
					t.Fatalf("stop %d: error %v", stops, err)
				}
			}
			sameRun(t, whole.Out, c.Out)
		})
	}
}

// A run that is stopped while it validates makes up for the validation.
func TestResumeInValidation(t *testing.T) {
	data := drawFaces(t, 12)
	changes := []string{"val=0.34", "val-every=4"}
	whole := tiny(t, data, changes...)
	train(t, whole, Events{})
	c := tiny(t, data, changes...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Train(ctx, c, Events{Step: func(p Progress) {
		if p.Step == 4 {
			cancel()
		}
	}})
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || interrupted.Step != 4 {
		t.Fatalf("error %v", err)
	}
	if _, err := Resume(t.Context(), c.Out, nil, Events{}); err != nil {
		t.Fatal(err)
	}
	sameRun(t, whole.Out, c.Out)
}

// The run folder has all that the package promises, and the model embeds.
func TestTrain(t *testing.T) {
	c := tiny(t, drawFaces(t, 12), "val=0.34", "epochs=2")
	var started []Start
	var steps, validations int
	r := train(t, c, Events{
		Start:     func(s Start) { started = append(started, s) },
		Step:      func(Progress) { steps++ },
		Validated: func(Validation, bool) { validations++ },
	})
	if len(started) != 1 || started[0].Steps != steps || steps != r.Steps || validations != 2 || started[0].Identities != r.Identities || r.Identities >= 12 {
		t.Errorf("%d starts %+v, %d steps, %d validations, result %+v", len(started), started, steps, validations, r)
	}
	if r.Best == nil || r.Last == nil || r.Last.Step != r.Steps || !(r.Best.AUC >= r.Last.AUC) || r.Seconds <= 0 {
		t.Errorf("result %+v", r)
	}
	for _, name := range []string{ConfigFile, LogFile, ModelFile, LastModelFile, ReportFile} {
		if st, err := os.Stat(filepath.Join(c.Out, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := embed.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Classes) != r.Identities || m.Head.Name != "amsoftmax" || m.Head.Settings["margin"] != 0.35 || m.Threshold == nil || m.Threshold.Genuine == 0 {
		t.Errorf("model of classes %v, head %+v, threshold %+v", m.Classes, m.Head, m.Threshold)
	}
	e, err := m.Embedder(embed.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if x, err := e.Embed(synth.Face(1, 2, 3, 32)); err != nil || len(x) != 16 {
		t.Errorf("embedding %v, error %v", x, err)
	}
	// Validation identities are not among the classes.
	lines, err := readLog(c.Out)
	if err != nil || len(lines) != r.Steps || lines[len(lines)-1].Val == nil || math.IsNaN(lines[0].GradNorm) || lines[0].GradNorm <= 0 {
		t.Errorf("log %+v, error %v", lines, err)
	}
	if report, _ := os.ReadFile(r.Report); !bytes.Contains(report, []byte("<svg")) || bytes.Contains(report, []byte("NaN")) {
		t.Error("the report has no chart, or NaN")
	}
}

// Two batches of 4 give the gradient of one batch of 8, in a network without batch norm.
func TestAccumulate(t *testing.T) {
	data := drawFaces(t, 8)
	one := tiny(t, data, "batch=8", "epochs=2")
	two := tiny(t, data, "batch=4", "accumulate=2", "epochs=2")
	train(t, one, Events{})
	train(t, two, Events{})
	a, err1 := readLog(one.Out)
	b, err2 := readLog(two.Out)
	if err1 != nil || err2 != nil || len(a) != len(b) {
		t.Fatalf("%d and %d steps, errors %v, %v", len(a), len(b), err1, err2)
	}
	for i := range a {
		if math.Abs(a[i].Loss-b[i].Loss) > 1e-4*a[i].Loss || math.Abs(a[i].GradNorm-b[i].GradNorm) > 1e-3*a[i].GradNorm {
			t.Errorf("step %d: loss %v and %v, gradient %v and %v", i+1, a[i].Loss, b[i].Loss, a[i].GradNorm, b[i].GradNorm)
		}
	}
}

// A batch that is left over at the end of an epoch does not shift the next one.
func TestFirstBatch(t *testing.T) {
	data := drawFaces(t, 11) // 44 images: 11 batches of 4, 5 steps of 2
	c := tiny(t, data, "accumulate=2", "epochs=2")
	if r := train(t, c, Events{}); r.Steps != 10 || r.Epochs != 2 {
		t.Errorf("%d steps, %v epochs; want 10 and 2", r.Steps, r.Epochs)
	}
}

func TestDivergence(t *testing.T) {
	c := tiny(t, drawFaces(t, 8), "lr=1e30", "warmup=0", "clip=0", "checkpoint-every=1", "schedule=constant")
	_, err := Train(t.Context(), c, Events{})
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "step 2:") {
		t.Fatalf("error %v, want a divergence that names the step", err)
	}
	state, warning, err := readNewestCheckpoint(filepath.Join(c.Out, checkpointsDir))
	if err != nil || warning != nil {
		t.Fatal(err, warning)
	}
	for _, w := range state.Weights {
		if f := float64(w); math.IsNaN(f) || math.IsInf(f, 0) {
			t.Fatalf("the checkpoint of step %d has weight %v", state.Step, w)
		}
	}
	list, err := os.ReadFile(filepath.Join(c.Out, BadBatchFile))
	if names := strings.Count(string(list), ".png\n"); err != nil || names != c.Batch || !strings.Contains(string(list), "step 2") {
		t.Errorf("%s names %d images (%v):\n%s", BadBatchFile, names, err, list)
	}
	if lines, err := readLog(c.Out); err != nil || len(lines) != 1 {
		t.Errorf("the log has %d lines (%v), want that of the accepted step", len(lines), err)
	}
}

// One picture for all people: embeddings are alike from the first step.
func TestCollapse(t *testing.T) {
	dir := t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, synth.Face(1, 1, 1, 32)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann/1.png", "ann/2.png", "bob/1.png", "bob/2.png"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, picture.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c := tiny(t, dir, "augment=none", "epochs=1000", "checkpoint-every=10")
	_, err := Train(t.Context(), c, Events{})
	if !errors.Is(err, ErrCollapsed) || !strings.Contains(err.Error(), "step 100:") {
		t.Fatalf("error %v, want a collapse at step 100", err)
	}
	steps, err := checkpointSteps(filepath.Join(c.Out, checkpointsDir))
	if err != nil || !slices.Equal(steps, []int{0}) {
		t.Errorf("checkpoints %v (%v), want that from before the collapse only", steps, err)
	}
}

// A bad image costs one image.
func TestBadImages(t *testing.T) {
	data := drawFaces(t, 12)
	bad := filepath.Join(data, synth.Name(3), "0001.png")
	if err := os.WriteFile(bad, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := tiny(t, data)
	var warnings []string
	r := train(t, c, Events{Warning: func(text string) { warnings = append(warnings, text) }})
	list, err := os.ReadFile(filepath.Join(c.Out, QuarantineFile))
	if err != nil || r.BadImages != 1 || strings.Count(string(list), "\n") != 1 || !strings.Contains(string(list), "0001.png") {
		t.Errorf("%d bad images, list %q, error %v", r.BadImages, list, err)
	}
	if text := strings.Join(warnings, "\n"); strings.Count(text, "0001.png") != 1 {
		t.Errorf("warnings %q, want one of the image", text)
	}
}

func TestInit(t *testing.T) {
	data := drawFaces(t, 8)
	first := tiny(t, data, "epochs=1")
	train(t, first, Events{})
	m, err := embed.Load(first.Out)
	if err != nil {
		t.Fatal(err)
	}
	c := tiny(t, data, "init="+first.Out, "epochs=1", "max-steps=1", "lr=1e-20", "weight-decay=0")
	train(t, c, Events{})
	again, err := embed.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Theta, again.Theta) || !reflect.DeepEqual(m.HeadParams, again.HeadParams) {
		t.Error("a run at no learning rate changed the weights that it began with")
	}
	c = tiny(t, data, "init="+first.Out, "embedding=32")
	if _, err := Train(t.Context(), c, Events{}); err == nil || !strings.Contains(err.Error(), "--init") || !strings.Contains(err.Error(), "embeddings of 16") {
		t.Errorf("error %v of a model of another size", err)
	}
}

// Mistakes are found before anything is written, and say what would be right.
func TestTrainMistakes(t *testing.T) {
	data := drawFaces(t, 8)
	pairs := filepath.Join(t.TempDir(), "pairs.txt")
	if err := os.WriteFile(pairs, []byte("1\nperson_0001 0 1\nstranger 0 other 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		changes []string
		want    []string
	}{
		{[]string{"val=" + pairs}, []string{"--val", "person_0001"}},
		{[]string{"batch=64"}, []string{"--batch", "32 images", "64"}},
		{[]string{"accumulate=9"}, []string{"--accumulate:", "9 batches of 4"}},
		{[]string{"val=0.01"}, []string{"--val"}},
		{[]string{"val=1.5"}, []string{"--val", "0.1"}},
		{[]string{"val=nopairs.txt"}, []string{"--val", "nopairs.txt"}},
		{[]string{"data=" + filepath.Join(data, "absent")}, []string{"absent"}},
		{[]string{"people=nobody.txt"}, []string{"nobody.txt"}},
		{[]string{"backbone=resnet"}, []string{"--backbone", "iresnet18"}},
		{[]string{"init=absent.safetensors"}, []string{"--init", "absent.safetensors"}},
		{[]string{"warmup=1000"}, []string{"--warmup:", "warm-up"}},
	} {
		cfg := tiny(t, data, c.changes...)
		_, err := Train(t.Context(), cfg, Events{})
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: error %v, want one with %q", c.changes, err, want)
			}
		}
		if _, err := os.Stat(cfg.Out); err == nil {
			t.Errorf("%v: the run folder was made", c.changes)
		}
	}
}

func TestResumeMistakes(t *testing.T) {
	data := drawFaces(t, 8)
	c := tiny(t, data, "max-steps=2")
	train(t, c, Events{})
	if _, err := Train(t.Context(), c, Events{}); !errors.Is(err, ErrRunExists) {
		t.Errorf("error %v of a run over another", err)
	}
	resume := func(given ...Field) error {
		_, err := Resume(t.Context(), c.Out, given, Events{})
		return err
	}
	if err := resume(Field{Name: "lr", Value: "0.5"}); err == nil || !strings.Contains(err.Error(), "--lr") || !strings.Contains(err.Error(), `"0.02"`) {
		t.Errorf("error %v of another learning rate", err)
	}
	if err := resume(Field{Name: "lr", Value: "2e-2"}, Field{Name: "max-steps", Value: "4"}); err != nil {
		t.Errorf("error %v of the same learning rate and more steps", err)
	}
	if err := os.RemoveAll(filepath.Join(data, synth.Name(1))); err != nil {
		t.Fatal(err)
	}
	if err := resume(Field{Name: "max-steps", Value: "6"}); err == nil || !strings.Contains(err.Error(), synth.Name(1)+" is gone") {
		t.Errorf("error %v of a person who is gone", err)
	}
	if _, err := Resume(t.Context(), t.TempDir(), nil, Events{}); err == nil || !strings.Contains(err.Error(), "not a run folder") {
		t.Errorf("error %v of an empty folder", err)
	}
}

// The log is as documented: one object a line.
func TestLogKeys(t *testing.T) {
	text, err := json.Marshal(logLine{Val: &Validation{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"step", "epoch", "loss", "lr", "grad_norm", "batch_cosine", "img_s", "val", "auc", "eer", "tar", "far"} {
		if !strings.Contains(string(text), `"`+key+`":`) {
			t.Errorf("%s lacks %q", text, key)
		}
	}
}
