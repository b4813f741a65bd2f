package pipeline

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gofrs/flock"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/pipeline/tfevents"
)

// Names in a run folder.
const (
	ConfigFile     = "config.yaml"       // the resolved Config
	LogFile        = "log.jsonl"         // one JSON object a step
	ModelFile      = "model.safetensors" // the best model by validation AUC; the last one without validation
	LastModelFile  = "last.safetensors"  // the last model of a run with validation
	ReportFile     = "report.html"       // written at the end
	LiveFile       = "live.html"         // written at the end of a run that was shown while it went on
	QuarantineFile = "quarantine.txt"    // images that could not be read
	BadBatchFile   = "bad-batch.txt"     // images of steps that were not finite
	ImagesFile     = "images.csv.gz"     // path and identity of each training image
	checkpointsDir = "checkpoints"
)

// runNames are what a run folder may hold, in the order in which a run is removed: as long as any is left, the folder is known for one.
var runNames = []string{LogFile, ModelFile, LastModelFile, ReportFile, LiveFile, QuarantineFile, BadBatchFile, ImagesFile, checkpointsDir, ConfigFile}

// isRunName reports whether a run writes files of this name.
func isRunName(name string) bool {
	event, _ := filepath.Match(tfevents.Pattern, name)
	return event || slices.Contains(runNames, name) || name == lockFile
}

// ErrRunExists is what creating a run folder over another run returns.
var ErrRunExists = errors.New("the folder holds a run already")

// checkRunFolder returns an error if a new run cannot be written to dir: one that holds a
// run is an error that wraps ErrRunExists, unless force is set; a folder that holds
// anything else is an error in any case.
func checkRunFolder(dir string, force bool) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return settingError("out", "%s is a file; want a folder to write the run to", dir)
	case err != nil:
		return settingError("out", "%w", err)
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, ConfigFile)); err != nil {
		if steps, err := checkpointSteps(filepath.Join(dir, checkpointsDir)); err != nil || len(steps) == 0 {
			if slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
				return !isRunName(e.Name()) && !isRunName(atomicfile.Leftover(e.Name()))
			}) {
				return settingError("out", "%s is not empty and holds no run: choose another folder", dir)
			}
			return nil // a run that was killed before it began
		}
	}
	if !force {
		return settingError("out", "%s: %w", dir, ErrRunExists)
	}
	return nil
}

// checkApart returns an error if the run folder lies in the folder of images, where the next run would take it
// for that of an identity.
func checkApart(out, data string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return settingError("out", "%w", err)
	}
	if inside, err := filepath.Rel(data, out); err == nil && filepath.IsLocal(inside) {
		return settingError("out", "%s lies in the folder of images, %s: choose a folder outside it", out, data)
	}
	return nil
}

// lockFile is held by the process that trains in a run folder.
const lockFile = "lock"

// lockRun makes sure that no other process trains in dir, until release or the process's end.
func lockRun(dir string) (release func(), err error) {
	l := flock.New(filepath.Join(dir, lockFile))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if !ok {
		return nil, fmt.Errorf("another process is training in %s; wait for it to end, or stop it with Ctrl-C there", dir)
	}
	return func() { l.Unlock() }, nil
}

// createRunFolder makes dir a new run folder and locks it. The files of a run that is there are removed
// if force is set and nobody trains there.
func createRunFolder(dir string, force bool) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, settingError("out", "%w", err)
	}
	if release, err = lockRun(dir); err != nil {
		return nil, err
	}
	if err := clearRunFolder(dir, force); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func clearRunFolder(dir string, force bool) error {
	if err := errors.Join(checkRunFolder(dir, force), sweepRunFolder(dir)); err != nil {
		return err
	}
	events, err := fs.Glob(os.DirFS(dir), tfevents.Pattern)
	if err != nil {
		return err
	}
	for _, name := range append(events, runNames...) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("cannot remove the run that was there: %w", err)
		}
	}
	return os.Mkdir(filepath.Join(dir, checkpointsDir), 0o777)
}

// sweepRunFolder removes the half files that a process left that was killed.
func sweepRunFolder(dir string) error {
	checkpoint := func(name string) bool { _, ok := checkpointStep(name); return ok }
	return errors.Join(atomicfile.Sweep(dir, isRunName), atomicfile.Sweep(filepath.Join(dir, checkpointsDir), checkpoint))
}

// Validation is the outcome of a validation.
type Validation struct {
	Step     int     `json:"step"`
	AUC      float64 `json:"auc"`
	Accuracy float64 `json:"accuracy"` // ten folds, the plain protocol
	EER      float64 `json:"eer"`
	// TAR is the true accept rate at FAR, the smallest of the usual ones that the pairs
	// give more than a handful of false accepts for; null if there is none.
	TAR *float64 `json:"tar"`
	FAR *float64 `json:"far"`
	// Threshold is the cosine from which on two faces are best said to be one person.
	Threshold float64 `json:"threshold"`
	Seconds   float64 `json:"seconds"` // that it took
}

// logLine is a line of log.jsonl: an accepted step.
type logLine struct {
	Step     int     `json:"step"`  // from 1
	Epoch    float64 `json:"epoch"` // passes over the data so far
	Loss     float64 `json:"loss"`
	LR       float64 `json:"lr"`
	GradNorm float64 `json:"grad_norm"` // before clipping
	Cosine   float64 `json:"batch_cosine"`
	ImgS     float64 `json:"img_s"`
	stepStats
	// Exchange is what the ranks told each other in the step; nil of a process alone.
	Exchange *exchangeStats `json:"exchange,omitempty"`

	Val *Validation `json:"val,omitempty"`
	// Skipped says why the step changed nothing, if it did not: it has neither loss nor gradient then.
	Skipped string `json:"skipped,omitempty"`
	// Rollbacks are those that led back to before this step.
	Rollbacks []Rollback `json:"rollbacks,omitempty"`
}

// stepLog is the file log.jsonl, and TensorBoard's events of the same steps. A nil one, that of a rank that does not write, drops all.
type stepLog struct {
	dir    string
	file   *os.File
	events *tfevents.Writer // nil before the first step
}

// openLog opens the log for the step after the given one and drops what a process that
// died wrote of that step and later ones.
func openLog(dir string, step int) (*stepLog, error) {
	f, err := os.OpenFile(filepath.Join(dir, LogFile), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	end, last := int64(0), 0
	r := bufio.NewReader(f)
	for last < step {
		text, err := r.ReadBytes('\n')
		var line logLine
		if err != nil || json.Unmarshal(text, &line) != nil || line.Step != last+1 {
			break
		}
		end, last = end+int64(len(text)), line.Step
	}
	if last < step {
		f.Close()
		return nil, fmt.Errorf("%s ends after step %d, the checkpoint is of step %d: the file was changed", f.Name(), last, step)
	}
	if err := errors.Join(f.Truncate(end), seekTo(f, end)); err != nil {
		f.Close()
		return nil, err
	}
	return &stepLog{dir: dir, file: f}, nil
}

func seekTo(f *os.File, offset int64) error {
	_, err := f.Seek(offset, io.SeekStart)
	return err
}

// append writes a line. It is in the file when append returns, though not yet on the disk.
func (l *stepLog) append(line logLine) error {
	if l == nil {
		return nil
	}
	line.dropNotFinite()
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return err
	}
	if l.events == nil {
		if l.events, err = tfevents.Create(l.dir, line.Step); err != nil {
			return err
		}
	}
	return l.events.Write(line.Step, line.scalars())
}

// sync returns when all lines are on the disk.
func (l *stepLog) sync() error {
	if l == nil {
		return nil
	}
	return l.file.Sync()
}

func (l *stepLog) close() error {
	if l == nil {
		return nil
	}
	if l.events == nil {
		return l.file.Close()
	}
	return errors.Join(l.file.Close(), l.events.Close())
}

// readLog returns the lines of a run's log.
func readLog(dir string) ([]logLine, error) {
	path := filepath.Join(dir, LogFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []logLine
	for i, row := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var line logLine
		if err := json.Unmarshal(row, &line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// writeList writes a text file of one name a line.
func writeList(path string, names []string) error {
	return atomicfile.WriteBytes(path, []byte(strings.Join(names, "\n")+"\n"))
}
