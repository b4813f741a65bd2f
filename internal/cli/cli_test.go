package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type grammar struct {
	Common
	Train struct {
		Epochs   int       `default:"16" help:"Epochs."`
		Head     string    `default:"softmax" enum:"softmax,arcface" help:"Head."`
		Nesterov bool      `default:"true" negatable:"" help:"Nesterov."`
		Scales   []float64 `default:"1,2" help:"Scales."`
		Root     string    `arg:"" optional:"" help:"Images."`
	} `cmd:"" default:"withargs" help:"Train."`
	Preview struct {
		Count int `default:"4" help:"Images."`
	} `cmd:"" help:"Preview."`
}

func parse(t *testing.T, yaml string, args ...string) (*grammar, string, error) {
	t.Helper()
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	g := &grammar{}
	var out bytes.Buffer
	_, err := Parse(g, "fv", "Test.", args, &out, &out)
	return g, out.String(), err
}

func TestConfigFile(t *testing.T) {
	g, _, err := parse(t, "# comment\nepochs: 3\nhead: arcface\nscales: [0.5, 1e-3]\nnesterov: false\ncount: 9\n", "--epochs", "5", "imgs")
	if err != nil {
		t.Fatal(err)
	}
	if g.Train.Epochs != 5 || g.Train.Head != "arcface" || g.Train.Nesterov || fmt.Sprint(g.Train.Scales) != "[0.5 0.001]" || g.Train.Root != "imgs" {
		t.Errorf("got %+v", g.Train)
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ yaml, want, hint string }{
		{"epochs: 3\nepoch: 4\n", `c.yaml:2: no flag is named "epoch"`, `did you mean "epochs"?`},
		{"\nepochs: many\n", "c.yaml:2: --epochs", ""},
		{"head: soft\n", "c.yaml:1: --head", ""},
		{"epochs: {a: 1}\n", "c.yaml:1: epochs: want a plain value", ""},
		{"- epochs\n", "c.yaml:1: want lines of the form", ""},
		{"a: [\n", "not YAML", ""},
		{"config: other.yaml\n", `no flag is named "config"`, ""},
	} {
		_, _, err := parse(t, c.yaml)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.yaml, err, c.want)
		}
		var h *hinted
		if c.hint != "" && (!errors.As(err, &h) || !strings.Contains(h.hint, c.hint)) {
			t.Errorf("%q: hint of %v: want %q", c.yaml, err, c.hint)
		}
	}
	if _, _, err := parse(t, "", "--config", "absent.yaml"); err == nil || !strings.Contains(err.Error(), "absent.yaml") {
		t.Errorf("missing file: %v", err)
	}
}

// What a command finds wrong after parsing is traced to the file, unless a flag won.
func TestBlame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("count: 3\n\nepochs: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := errors.Join(errors.New("--epochs: 0 is too small"), errors.Join(errors.New("--head: there is none")), errors.New("broken"))
	for _, c := range []struct{ flag, want string }{
		{"", path + ":3: --epochs: 0 is too small\n--head: there is none\nbroken"},
		{"--epochs=0", "--epochs: 0 is too small\n--head: there is none\nbroken"},
	} {
		args := []string{"--config", path}
		if c.flag != "" {
			args = append(args, c.flag)
		}
		ctx, err := Parse(&grammar{}, "fv", "Test.", args, io.Discard, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := Blame(ctx, wrong); got.Error() != c.want {
			t.Errorf("%s: got %q, want %q", c.flag, got, c.want)
		}
		if got := Blame(ctx, nil); got != nil {
			t.Errorf("nil became %v", got)
		}
	}
}

func TestFlagMistakes(t *testing.T) {
	_, _, err := parse(t, "", "--epoch", "3")
	if err == nil || !strings.Contains(err.Error(), "--epochs") {
		t.Errorf("unknown flag: %v, want the nearest named", err)
	}
	code := Run(context.Background(), "fv", func(context.Context, []string, io.Reader, io.Writer, io.Writer) error { return err }, nil, nil, io.Discard, io.Discard)
	if code != ExitUsage {
		t.Errorf("exit code %d, want %d", code, ExitUsage)
	}
}

// A misspelt command is taken for an argument of the default one; the hint says so.
func TestMisspeltCommand(t *testing.T) {
	there := t.TempDir()
	for _, c := range []struct {
		args []string
		hint string
	}{
		{[]string{"trian", there}, "trian is neither a command"},
		{[]string{there, "other"}, "fv train --help"},
		{[]string{"train", "trian", there}, "fv train --help"},
	} {
		_, _, err := parse(t, "", c.args...)
		var h *hinted
		if !errors.As(err, &h) || !strings.HasPrefix(h.hint, c.hint) {
			t.Errorf("%q: %v, want the hint %q", c.args, err, c.hint)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, flag := range []string{"--help", "--version"} {
		_, out, err := parse(t, "", flag)
		if !errors.Is(err, errDone) || !strings.Contains(out, "fv") {
			t.Errorf("%s: error %v, output %q", flag, err, out)
		}
	}
}

func TestRunCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{nil, ExitOK, ""},
		{errors.New("broken"), ExitFailure, "fv: broken\n"},
		{WithHint(errors.New("broken"), "mend it"), ExitFailure, "fv: broken\n  hint: mend it\n"},
		{fmt.Errorf("training: %w", context.Canceled), ExitInterrupted, "fv: interrupted\n"},
		{Usagef("no %s", "root"), ExitUsage, "fv: no root\n"},
	} {
		var stderr bytes.Buffer
		code := Run(context.Background(), "fv", func(context.Context, []string, io.Reader, io.Writer, io.Writer) error { return c.err }, nil, nil, io.Discard, &stderr)
		if code != c.code || stderr.String() != c.text {
			t.Errorf("%v: code %d %q, want %d %q", c.err, code, stderr.String(), c.code, c.text)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A negative number after a flag is its value; what follows is not touched.
func TestNegativeValues(t *testing.T) {
	g, _, err := parse(t, "", "--epochs", "-3", "--scales", "-.5,1", "imgs")
	if err != nil || g.Train.Epochs != -3 || fmt.Sprint(g.Train.Scales) != "[-0.5 1]" || g.Train.Root != "imgs" {
		t.Errorf("%+v, %v", g.Train, err)
	}
	if _, _, err := parse(t, "", "--epochs", "-x"); err == nil {
		t.Error("-x is taken for a number")
	}
	if _, _, err := parse(t, "", "--epochs=2", "-3"); err == nil {
		t.Error("-3 after a value is taken for another")
	}
}
