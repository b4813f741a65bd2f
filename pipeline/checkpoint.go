package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/embed/tensorfile"
	"github.com/faceverify/fv/internal/nn"
)

// checkpointFormat is raised when older checkpoints can no longer be read.
const checkpointFormat = 1

// keptCheckpoints is how many of the newest checkpoints a run folder holds: were one to
// be lost to a failing disk, the one before it is there.
const keptCheckpoints = 2

// position is a checkpoint's part that is not tensors.
type position struct {
	Format         int            `json:"format"`
	Step           int            `json:"step"` // accepted steps; the next one has this number
	OptimizerSteps int            `json:"optimizer_steps"`
	Config         string         `json:"config"` // the resolved YAML
	Data           dataDigest     `json:"data"`
	Contract       embed.Contract `json:"contract"`
	Network        *nn.Network    `json:"network,omitempty"` // if it is that of the model of --init
	Validations    []Validation   `json:"validations,omitempty"`
	Pending        *logLine       `json:"pending,omitempty"` // this step's line, its validation still to be made
	Seconds        float64        `json:"seconds"`           // of training so far
	Rollbacks      []Rollback     `json:"rollbacks,omitempty"`
	SkippedInARow  int            `json:"skipped_in_a_row,omitempty"` // steps just before the next one
}

// checkpoint is all that a run needs to go on as if it had not stopped.
type checkpoint struct {
	position
	Weights   []float32            // the arena: backbone, then head
	Buffers   []float32            // running statistics
	Average   map[string][]float32 // of weights and of buffers, with --ema
	Optimizer map[string][]float32 // moments
	Head      map[string][]float32 // memory of a losses.Stateful head
	Metric    map[string][]float32 // of the metric loss: centres

	// Of one that is read the tensors that are laid out as the arena is stay in the file; see trainer.load.
	arenas map[string]int     // how many numbers they have
	file   *tensorfile.Reader // of rank 0
}

// isArena reports whether the tensor of a name in the file is laid out as the arena is.
func isArena(tensor string) bool {
	return tensor == "weights" || tensor == "average.weights" || strings.HasPrefix(tensor, "optimizer.")
}

func newCheckpoint() *checkpoint {
	return &checkpoint{arenas: map[string]int{}, Average: map[string][]float32{}, Optimizer: map[string][]float32{}, Head: map[string][]float32{}, Metric: map[string][]float32{}}
}

// tensors returns the contents by the names that they have in the file. They are the checkpoint's own memory.
func (c *checkpoint) tensors() map[string][]float32 {
	all := map[string][]float32{}
	if len(c.Weights) > 0 {
		all["weights"] = c.Weights
	}
	if len(c.Buffers) > 0 {
		all["buffers"] = c.Buffers
	}
	for group, tensors := range c.groups() {
		for name, data := range tensors {
			all[group+"."+name] = data
		}
	}
	return all
}

// groups are the tensors whose names have a first part.
func (c *checkpoint) groups() map[string]map[string][]float32 {
	return map[string]map[string][]float32{"average": c.Average, "optimizer": c.Optimizer, "head": c.Head, "metric": c.Metric}
}

// set takes a tensor by its name in the file, and reports whether there is such a one.
func (c *checkpoint) set(tensor string, data []float32) bool {
	group, name, _ := strings.Cut(tensor, ".")
	switch to, ok := c.groups()[group]; {
	case tensor == "weights":
		c.Weights = data
	case tensor == "buffers":
		c.Buffers = data
	case ok:
		to[name] = data
	default:
		return false
	}
	return true
}

func checkpointName(step int) string { return fmt.Sprintf("step-%09d.safetensors", step) }

// write writes the checkpoint, and tensors that are not in it, to a folder, under a name made of its step, and removes all
// but the newest ones.
func (c *checkpoint) write(dir string, more ...tensorfile.Tensor) error {
	c.Format = checkpointFormat
	text, err := json.Marshal(c.position)
	if err != nil {
		return err
	}
	f := &tensorfile.File{Metadata: map[string]string{"checkpoint": string(text)}, Tensors: more}
	for name, data := range c.tensors() {
		f.Tensors = append(f.Tensors, tensorfile.Tensor{Name: name, Shape: []int{len(data)}, Data: data})
	}
	if err := tensorfile.Write(filepath.Join(dir, checkpointName(c.Step)), f); err != nil {
		return fmt.Errorf("cannot write the checkpoint of step %d; earlier ones are untouched: %w", c.Step, err)
	}
	steps, err := checkpointSteps(dir)
	if err != nil {
		return err
	}
	for _, step := range steps[:max(0, len(steps)-keptCheckpoints)] {
		if err := os.Remove(filepath.Join(dir, checkpointName(step))); err != nil {
			return err
		}
	}
	return nil
}

// checkpointSteps returns the steps of the checkpoints in a folder, ascending.
func checkpointSteps(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var steps []int
	for _, e := range entries {
		if step, ok := checkpointStep(e.Name()); ok {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// checkpointStep is the inverse of checkpointName.
func checkpointStep(name string) (step int, ok bool) {
	n, isStep := strings.CutPrefix(name, "step-")
	n, isTensors := strings.CutSuffix(n, ".safetensors")
	step, err := strconv.Atoi(n)
	return step, isStep && isTensors && err == nil
}

// openNewestCheckpoint opens the newest checkpoint of a folder. If that one is damaged
// it opens the one before it and returns the damage as a warning.
func openNewestCheckpoint(dir string) (c *checkpoint, warning error, err error) {
	steps, err := checkpointSteps(dir)
	if err != nil {
		return nil, nil, err
	}
	if len(steps) == 0 {
		return nil, nil, fmt.Errorf("%s holds no checkpoint to go on from", dir)
	}
	for _, step := range slices.Backward(steps) {
		c, err := openCheckpoint(filepath.Join(dir, checkpointName(step)))
		if err == nil {
			return c, warning, nil
		}
		warning = errors.Join(warning, err)
	}
	return nil, nil, warning
}

// openCheckpoint reads a checkpoint but for its arenas, which stay in the file until it is closed.
func openCheckpoint(path string) (_ *checkpoint, err error) {
	f, err := tensorfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	c := newCheckpoint()
	c.file = f
	if err := json.Unmarshal([]byte(f.Metadata["checkpoint"]), &c.position); err != nil {
		return nil, fmt.Errorf("%s: not a checkpoint: %w", path, err)
	}
	if c.Format != checkpointFormat {
		return nil, fmt.Errorf("%s: checkpoint of format %d, this program reads %d", path, c.Format, checkpointFormat)
	}
	for _, t := range f.Tensors {
		if isArena(t.Name) {
			c.arenas[t.Name] = t.Len()
			continue
		}
		data := make([]float32, t.Len())
		if err := f.ReadAt(data, t.Name, 0); err != nil {
			return nil, err
		}
		if !c.set(t.Name, data) {
			return nil, fmt.Errorf("%s: unknown tensor %q", path, t.Name)
		}
	}
	return c, nil
}

// close closes the file of a checkpoint that was opened, if this rank has it.
func (c *checkpoint) close() {
	if c.file != nil {
		c.file.Close()
	}
}
