package pipeline

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/faceverify/fv/pipeline/recipe"
)

// Every setting survives being written and read, default or not, and is documented.
func TestConfigRoundTrip(t *testing.T) {
	changed := Default()
	for _, s := range [][2]string{
		{"data", "faces: of #1"}, {"val", "none"}, {"size", "112x96"}, {"cache", "512MiB"}, {"flip", "0.25"}, {"shift-by", "6"},
		{"head", "asoftmax"}, {"margin", "3"}, {"head-params", "lambda-min=0;lambda-base=10"}, {"lr", "1e-3"}, {"nesterov", "true"},
		{"warmup", "0.5epochs"}, {"milestones", "10,14.5"}, {"seed", "18446744073709551615"}, {"clip", "0"}, {"people", "yes"},
	} {
		if err := changed.Set(s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	resolved := Default()
	if err := resolved.Resolve(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{"default": Default(), "changed": changed, "resolved": resolved} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, c.encode(), 0o600); err != nil {
			t.Fatal(err)
		}
		got := Default()
		if err := got.ReadConfig(path); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, c.encode())
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%s: read\n%+v\nwant\n%+v\nfrom\n%s", name, got, c, c.encode())
		}
	}
	for _, f := range changed.Fields() {
		if f.Name == "" || f.Help == "" || f.Group == "" {
			t.Errorf("setting %+v lacks a name, a group or a help text", f)
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"epochs: 3\nepoch: 4\n", `c.yaml:2: no setting is called "epoch"`},
		{"# a comment\n\nepochs: many\n", `c.yaml:3: --epochs: "many" is not a whole number`},
		{"size: big\n", "c.yaml:1: --size"},
		{"size: 112x112x3\n", "c.yaml:1: --size"},
		{"warmup: 1.5\n", "c.yaml:1: --warmup"},
		{"warmup: -1\n", "c.yaml:1: --warmup"},
		{"cache: lots\n", "c.yaml:1: --cache"},
		{"head-params: a\n", "name=number"},
		{"nesterov: perhaps\n", "neither true nor false"},
		{"epochs: {a: 1}\n", "plain value"},
		{"- epochs\n", "setting: value"},
		{"a: [\n", "not YAML"},
	} {
		d := Default()
		if err := d.DecodeConfig("c.yaml", []byte(c.yaml)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.yaml, err, c.want)
		}
	}
}

// All mistakes are told at once, by the flags' names.
func TestResolveMistakes(t *testing.T) {
	for _, c := range []struct {
		set  string
		want []string
	}{
		{"head=arkface", []string{"--head", `"arkface"`, "arcface"}},
		{"margin=9", []string{"--margin:", "margin is 9"}},
		{"head=normface margin=0.3", []string{"--margin:", `no setting "margin"`, "scale"}},
		{"head=normface margin-gradient=detached", []string{"--margin-gradient:", "no choice of margin gradient"}},
		{"head=magface feature-norm=kept", []string{"--feature-norm:", "no choice of feature norm"}},
		{"head=arcface feature-norm=long", []string{"--feature-norm:", `"long" is neither "scaled" nor "kept"`}},
		{"head=arcface feature-norm=kept scale=30", []string{"--scale:", `no setting "scale" where embeddings keep their length`}},
		{"head=circle margin-warmup=1", []string{"--margin-warmup: head circle has no margin that could grow; these have: adaface"}},
		{"head=normface margin-warmup=1", []string{"--margin-warmup: head normface has no margin"}},
		{"margin-warmup=17", []string{"--margin-warmup: 17: want epochs from 0 to the run's 16"}},
		{"loss=triplet per-identity=4 margin-warmup=1 scale=auto", []string{"--margin-warmup: it goes with a head", "--scale: auto goes with a head"}},
		{"head=circle scale=auto", []string{"--scale: auto is for heads"}},
		{"head=softmax scale=auto", []string{"--scale: auto is for heads"}},
		{"feature-norm=kept scale=auto", []string{"--scale: auto is for heads"}},
		{"ema=1", []string{"--ema: 1: want a decay above 0 and below 1"}},
		{"sampler=people", []string{"--sampler", "identities, sqrt, pxk"}},
		{"sampler=pxk", []string{"--sampler: pxk needs --per-identity"}},
		{"sampler=sqrt batch=8 per-identity=4", []string{"--sampler: sqrt does not go with --per-identity 4"}},
		{"batch=10 per-identity=4", []string{"--per-identity: 4 does not divide the batch of 10"}},
		{"batch=0 epochs=0", []string{"--batch: 0 is too small, want at least 2", "--epochs"}},
		{"size=100x112", []string{"--size", "multiples of 16"}},
		{"fit=squash", []string{"--fit", "crop, stretch, pad"}},
		{"schedule=cosinus", []string{"--schedule", "cosine"}},
		{"optimizer=adam", []string{"--optimizer", "adamw"}},
		{"momentum=1.5", []string{"--momentum: momentum is 1.5"}},
		{"checkpoint-every=0", []string{"--checkpoint-every"}},
	} {
		d := Default()
		for s := range strings.FieldsSeq(c.set) {
			name, value, _ := strings.Cut(s, "=")
			if err := d.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		err := d.Resolve()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one with %q", c.set, err, want)
			}
		}
	}
}

func TestResolveDefaults(t *testing.T) {
	c := Default()
	c.Optimizer = "adamw"
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	if *c.LR != 1e-3 || *c.WeightDecay != 0.05 || *c.Scale != 30 || *c.Margin != 0.35 {
		t.Errorf("rate %v, decay %v, scale %v, margin %v", *c.LR, *c.WeightDecay, *c.Scale, *c.Margin)
	}
	c = Default()
	c.Head = "asoftmax"
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	if *c.Margin != 4 || c.Scale != nil || c.HeadParams["lambda-min"] != 5 || c.MarginGradient != "exact" || c.FeatureNorm != "kept" {
		t.Errorf("A-Softmax resolved to %+v", c)
	}
}

func TestRecipesAreConfigs(t *testing.T) {
	for _, name := range recipe.Names() {
		r, err := recipe.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.YAML()
		if err != nil {
			t.Fatal(err)
		}
		c := Default()
		if err := c.DecodeConfig(name, text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		if strings.Contains(r.Command, "--init ") {
			c.Init = "model.onnx" // a recipe cannot hold the reader's file
		}
		if err := c.Resolve(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The learning rate of the recipe is 0.1 min(1, (i+1)/200) (1 - i/S).
func TestView1Schedule(t *testing.T) {
	r, err := recipe.Find("lfw-view1")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := r.YAML()
	c := Default()
	if err := errorsOf(c.DecodeConfig("recipe", text), c.Resolve()); err != nil {
		t.Fatal(err)
	}
	s := c.schedule(104)
	for i := range 16 * 104 {
		want := 0.1 * min(1, float64(i+1)/200) * (1 - float64(i)/(16*104))
		if got := s.At(i); got < want*(1-1e-12) || got > want*(1+1e-12) {
			t.Fatalf("rate %v at step %d, want %v", got, i, want)
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
