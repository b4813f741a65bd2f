package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/embed/onnx"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fv-train": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "synth": drawFaces, "pack": packFaces, "bare": writeBare},
	})
}

// await FILE TEXT returns when the file holds the text.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	for range 600 {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(b), args[1]) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s does not come to hold %q", args[0], args[1])
}

// bare RUN FILE writes a run's network as an ONNX file that says nothing of how images become its input.
func writeBare(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bare RUN FILE")
	}
	m, err := embed.Load(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := onnx.Encode(m.Network, m.Theta, m.Buffers, onnx.ExportOptions{})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}
