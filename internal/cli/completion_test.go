package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

type completing struct {
	grammar
	Paint struct {
		Mode  string `placeholder:"RGB|grey|none" help:"It's the mode. Default: none."`
		Style string `placeholder:"NAME" short:"s" help:"Style."`
	} `cmd:"" help:"Paint."`
	Completion Completion `cmd:"" help:"Completion."`
}

func completionScript(t *testing.T, shell string) string {
	t.Helper()
	var out bytes.Buffer
	parsed, err := Parse(&completing{}, "fv-test", "Test.", []string{"completion", shell}, &out, &out, kong.Bind(Choices{"style": {"oil", "water"}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.Run(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Bash completes commands, the flags of each and their values.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to complete in")
	}
	script := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(script, []byte(completionScript(t, "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, want string }{ // | stands between words; the last is completed
		{"", "train preview paint completion"},
		{"p", "preview paint"},
		{"train|--e", "--epochs"},
		{"--e", "--epochs"}, // of the default command
		{"train|--no", "--no-nesterov"},
		{"train|--head|", "softmax arcface"},
		{"--head|a", "arcface"},
		{"train|--head|=|s", "softmax"},
		{"train|--head|=", "softmax arcface"},
		{"--epochs|3|preview|--c", "--config --count"},
		{"preview|--ep", ""},
		{"paint|--mode|", "grey none"},
		{"paint|-s|o", "oil"},
		{"paint|--style|x", ""},
		{"train|--root", ""},
		{"train|", ""}, // files
		{"completion|", "bash zsh fish"},
		{"completion|f", "fish"},
	} {
		cmd := exec.Command(bash, "--norc", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fv_test; echo "${COMPREPLY[*]}"`, "bash", script, "fv-test")
		cmd.Args = append(cmd.Args, strings.Split(c.words, "|")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got, want := strings.Fields(string(out)), strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q completes to %q, want %q", c.words, got, want)
		}
	}
}

// Scripts for other shells are of their form, and are run where there is such a shell.
func TestOtherShells(t *testing.T) {
	for shell, want := range map[string]string{
		"zsh":  "bashcompinit",
		"fish": `complete -c fv-test -n '__fish_seen_subcommand_from paint' -l mode -x -a 'grey none' -d 'It'\''s the mode'`,
	} {
		script := completionScript(t, shell)
		if !strings.Contains(script, want+"\n") && !strings.Contains(script, want+" ") {
			t.Errorf("%s: no %q in\n%s", shell, want, script)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("there is no %s to try it in", shell)
			continue
		}
		cmd := exec.Command(path, "-n") // reads without running
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
	var out bytes.Buffer
	if _, err := Parse(&completing{}, "fv-test", "Test.", []string{"completion", "tcsh"}, &out, &out, kong.Bind(Choices{})); err == nil {
		t.Error("a script for tcsh")
	}
}
