package pipeline

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/nn"
)

// childRun is the variable of the environment that makes the test binary train with the settings
// of a file instead of testing.
const childRun = "FV_TEST_TRAIN"

// interruptedCode is what a child that was interrupted exits with.
const interruptedCode = 130

func TestMain(m *testing.M) {
	describe = narrowed
	if path := os.Getenv(childRun); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

// narrowed describes SFNet-4 with a quarter of its channels, in 32s where bfloat16 needs that of a layer: its
// 1.5 million weights, which each step adds up and each checkpoint holds three times, are what tests would wait for. Other
// networks are as they are.
func narrowed(name string, o embed.BackboneOptions) (*nn.Network, error) {
	n, err := embed.Backbone(name, o)
	if err != nil || name != "sfnet4" && name != "sfnet4-bn" {
		return n, err
	}
	for i := range n.Layers {
		if l := &n.Layers[i]; l.Kind == nn.Convolution {
			l.Out /= 4
		}
	}
	return n, n.Check()
}

// child trains slowly, so that it can be stopped in the middle.
func child(path string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := Default()
	if err := c.ReadConfig(path); err != nil {
		panic(err)
	}
	_, err := Train(ctx, c, Events{Step: func(Progress) { time.Sleep(20 * time.Millisecond) }})
	switch {
	case errors.Is(err, context.Canceled):
		return interruptedCode
	case err != nil:
		panic(err)
	}
	return 0
}

// stopChild trains in another process, sends it a signal when its log has so many lines, and
// returns how it ended.
func stopChild(t *testing.T, c Config, lines int, s os.Signal) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, c.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRun+"="+path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if log, err := readLog(c.Out); err == nil && len(log) >= lines {
			break
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			t.Fatalf("the process has not taken %d steps in a minute", lines)
		}
	}
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	return cmd.Wait()
}

// A process that is killed at any moment loses no more than the steps since its last checkpoint: resumed, it is
// the run that was never killed.
func TestKill(t *testing.T) {
	data := drawFaces(t, 12)
	whole := tiny(t, data)
	train(t, whole, Events{})
	c := tiny(t, data)
	if err := stopChild(t, c, 5, os.Kill); err == nil {
		t.Fatal("the process ended before it was killed")
	}
	var first int
	if _, err := Resume(t.Context(), c.Out, nil, Events{Start: func(s Start) { first = s.First }}); err != nil {
		t.Fatal(err)
	}
	if first < 4 {
		t.Errorf("resumed after step %d, a checkpoint was due after step 4", first)
	}
	sameRun(t, whole.Out, c.Out)
}

// A process that gets SIGINT finishes its step, writes a checkpoint and exits with 130.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send os.Interrupt to another on Windows")
	}
	data := drawFaces(t, 12)
	whole := tiny(t, data)
	train(t, whole, Events{})
	c := tiny(t, data)
	err := stopChild(t, c, 4, os.Interrupt)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != interruptedCode {
		t.Fatalf("the process ended with %v, want code %d", err, interruptedCode)
	}
	lines, err := readLog(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	state, _, err := readNewestCheckpoint(filepath.Join(c.Out, checkpointsDir))
	if err != nil || state.Step != len(lines) {
		t.Fatalf("the checkpoint is of step %d (%v), the log of %d", state.Step, err, len(lines))
	}
	if _, err := Resume(t.Context(), c.Out, nil, Events{}); err != nil {
		t.Fatal(err)
	}
	sameRun(t, whole.Out, c.Out)
}
