// Command kill proves that a training run survives being killed: it trains once without a stop, and again in processes that it kills
// (SIGKILL) at random moments, until it has done so as often as asked. After each kill no file may be half written under a
// real name, and the steps in the log must be those of the run that was not stopped, to the bit; so must the
// models and checkpoints in the end.
//
//	go run ./scripts/kill [--kills 100] [--seed 1]
//
// It draws its own faces, and takes some minutes.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/faceverify/fv/embed/tensorfile"
	"github.com/faceverify/fv/pipeline"
	"github.com/faceverify/fv/pipeline/synth"
)

func main() {
	kills := flag.Int("kills", 100, "how often to kill")
	seed := flag.Uint64("seed", 1, "of the moments")
	flag.Parse()
	if err := run(*kills, rand.New(rand.NewPCG(*seed, 0))); err != nil {
		fmt.Fprintln(os.Stderr, "kill:", err)
		os.Exit(1)
	}
}

// settings are of a run that writes all the time: a checkpoint after each second step.
var settings = []string{
	"--val", "0.3", "--val-every", "7", "--size", "32", "--backbone", "sfnet4-bn", "--embedding", "32", "--head", "adaface", "--batch", "16",
	"--epochs", "8", "--lr", "0.02", "--checkpoint-every", "2", "--threads", "1", "--augment", "strong",
}

type proof struct {
	dir, program, faces string
	random              *rand.Rand
	reference           []string      // the log's lines, without times
	whole               time.Duration // that the run takes
}

func run(kills int, random *rand.Rand) error {
	dir, err := os.MkdirTemp("", "kill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &proof{dir: dir, program: filepath.Join(dir, "fv-train"), faces: filepath.Join(dir, "faces"), random: random}
	build := exec.Command("go", "build", "-o", p.program, "./cmd/fv-train")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	if err := synth.Write(context.Background(), p.faces, synth.Options{Identities: 30, Images: 6, Seed: 5, Size: 32, Quality: -1}); err != nil {
		return err
	}
	return p.prove(kills)
}

// prove trains without a stop, and then kills and compares.
func (p *proof) prove(kills int) error {
	reference := filepath.Join(p.dir, "reference")
	began := time.Now()
	if out, err := p.command(reference).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	p.whole = time.Since(began)
	var err error
	if p.reference, err = steps(reference); err != nil {
		return err
	}
	done, runs, early, torn := 0, 0, 0, 0
	for ; done < kills; runs++ {
		out := filepath.Join(p.dir, fmt.Sprintf("run%d", runs))
		for ended := false; !ended; {
			if ended, err = p.killOnce(out, done < kills); err != nil {
				return fmt.Errorf("kill %d, in run %d: %w", done, runs, err)
			}
			if ended {
				break
			}
			done++
			left, log, err := p.check(out)
			if err != nil {
				return fmt.Errorf("after kill %d, in run %d: %w", done, runs, err)
			}
			if log == 0 {
				early++
			}
			torn += left
		}
		if err := p.same(reference, out); err != nil {
			return fmt.Errorf("run %d: %w", runs, err)
		}
	}
	fmt.Printf("%d kills in %d runs of %d steps (%v each): every resume went on with the same losses, to the bit;\n"+
		"%d kills came before the first step, %d left temporary files, no file with a real name was half written\n",
		done, runs, len(p.reference), p.whole.Round(time.Millisecond), early, torn)
	return nil
}

// command begins a run in the folder out, or goes on with it.
func (p *proof) command(out string) *exec.Cmd {
	if _, err := os.Stat(filepath.Join(out, pipeline.ConfigFile)); err == nil {
		return exec.Command(p.program, "--resume", out)
	}
	return exec.Command(p.program, append([]string{"--out", out, p.faces}, settings...)...)
}

// killOnce trains until a random moment; ended says that the run was faster.
func (p *proof) killOnce(out string, kill bool) (ended bool, err error) {
	cmd := p.command(out)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		return false, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	moment := time.Duration(p.random.Int64N(int64(p.whole / 3)))
	if !kill {
		moment = time.Hour
	}
	select {
	case err := <-exited:
		if err != nil {
			return false, fmt.Errorf("%w: %s", err, text.Bytes())
		}
		return true, nil
	case <-time.After(moment):
	}
	err = cmd.Process.Kill()
	<-exited
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return false, err
}

// check returns how many temporary files a killed process left, and the lines of its log. It returns an error if a file is half
// written, or the log another.
func (p *proof) check(out string) (left, log int, err error) {
	err = filepath.WalkDir(out, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // killed before it made the folder
		case err != nil || e.IsDir():
			return err
		case strings.HasPrefix(e.Name(), "."):
			left++
			return nil
		case strings.HasSuffix(e.Name(), ".safetensors"):
			_, err = tensorfile.Read(path)
			return err
		case e.Name() == pipeline.ConfigFile:
			c := pipeline.Default()
			return c.ReadConfig(path)
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	lines, err := steps(out)
	if errors.Is(err, fs.ErrNotExist) {
		return left, 0, nil
	}
	if err == nil {
		err = p.prefix(lines)
	}
	return left, len(lines), err
}

// prefix returns an error unless the lines are the first of the reference's.
func (p *proof) prefix(lines []string) error {
	for i, line := range lines {
		if i >= len(p.reference) || line != p.reference[i] {
			return fmt.Errorf("step %d is %s, want %s", i+1, line, p.reference[min(i, len(p.reference)-1)])
		}
	}
	return nil
}

// same returns an error unless two runs that have ended are the same.
func (p *proof) same(a, b string) error {
	lines, err := steps(b)
	if err != nil {
		return err
	}
	if len(lines) != len(p.reference) {
		return fmt.Errorf("%d steps, want %d", len(lines), len(p.reference))
	}
	if err := p.prefix(lines); err != nil {
		return err
	}
	for _, name := range []string{pipeline.ModelFile, pipeline.LastModelFile} {
		x, err1 := os.ReadFile(filepath.Join(a, name))
		y, err2 := os.ReadFile(filepath.Join(b, name))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if !bytes.Equal(x, y) {
			return fmt.Errorf("%s differs", name)
		}
	}
	return nil
}

// steps returns the whole lines of a run's log without the times in them.
func steps(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, pipeline.LogFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return lines, nil // a line that was cut is dropped by a resume
		}
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", f.Name(), len(lines)+1, err)
		}
		delete(line, "img_s")
		if v, ok := line["val"].(map[string]any); ok {
			delete(v, "seconds")
		}
		text, err = json.Marshal(line) // sorted by key
		if err != nil {
			return nil, err
		}
		lines = append(lines, string(text))
	}
}
