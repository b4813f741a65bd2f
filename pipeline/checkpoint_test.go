package pipeline

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func testCheckpoint(step int) *checkpoint {
	return &checkpoint{
		position: position{
			Format: checkpointFormat, Step: step, OptimizerSteps: step, Config: "epochs: 3\n", Seconds: 1.5,
			Data:        digest([]string{"ann"}, []int{0}, []string{"ann/1"}),
			Pending:     &logLine{Step: step, Loss: 0.1},
			Validations: []Validation{{AUC: 0.75, Step: 2}},
		},
		Weights: []float32{1, 2, 3}, Buffers: []float32{4},
		Average:   map[string][]float32{"weights": {1, 2}},
		Optimizer: map[string][]float32{"velocity": {5, 6, 7}},
		Head:      map[string][]float32{"iteration": {8}},
		Metric:    map[string][]float32{"centers": {9, 10}},
	}
}

func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []int{5, 999999999, 10} {
		if err := testCheckpoint(step).write(dir); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := checkpointSteps(dir)
	if err != nil || !reflect.DeepEqual(steps, []int{10, 999999999}) {
		t.Fatalf("kept steps %v (%v), want the newest two", steps, err)
	}
	c, warning, err := readNewestCheckpoint(dir)
	if err != nil || warning != nil || !reflect.DeepEqual(c, testCheckpoint(999999999)) {
		t.Errorf("read %+v, warning %v, error %v", c, warning, err)
	}
	// A damaged newest checkpoint costs the steps since the one before it, not the run.
	path := filepath.Join(dir, checkpointName(999999999))
	text, _ := os.ReadFile(path)
	if err := os.WriteFile(path, text[:len(text)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	c, warning, err = readNewestCheckpoint(dir)
	if err != nil || c.Step != 10 || warning == nil || !strings.Contains(warning.Error(), path) {
		t.Errorf("read %+v, warning %v, error %v; want step 10 and a warning", c, warning, err)
	}
	if _, _, err := readNewestCheckpoint(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("error %v of an empty folder", err)
	}
}

func TestLogResume(t *testing.T) {
	dir := t.TempDir()
	l, err := openLog(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 5; step++ {
		if err := l.append(logLine{Step: step, Loss: float64(step)}); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	path := filepath.Join(dir, LogFile)
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString(`{"step": 6, "lo`) // a line cut by a kill
	f.Close()
	if l, err = openLog(dir, 3); err != nil {
		t.Fatal(err)
	}
	if err := l.append(logLine{Step: 4, Loss: 40}); err != nil {
		t.Fatal(err)
	}
	l.close()
	lines, err := readLog(dir)
	if err != nil || len(lines) != 4 || lines[3].Loss != 40 {
		t.Errorf("lines %+v, error %v; want steps 1 to 4 with a new step 4", lines, err)
	}
	if _, err := openLog(dir, 9); err == nil || !strings.Contains(err.Error(), "ends after step 4") {
		t.Errorf("error %v of a log that is shorter than the run", err)
	}
}

func TestRunFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "run")
	create := func(force bool) error {
		unlock, err := createRunFolder(dir, force)
		if err == nil {
			unlock()
		}
		return err
	}
	if err := create(false); err != nil {
		t.Fatal(err)
	}
	if err := create(false); err != nil {
		t.Errorf("error %v of a run that was killed before it began", err)
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("notes.txt")
	if err := create(true); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("error %v of a folder with other things", err)
	}
	write(ConfigFile)
	write(ModelFile)
	if err := create(false); err == nil || !strings.Contains(err.Error(), ErrRunExists.Error()) {
		t.Errorf("error %v of a folder with a run", err)
	}
	if err := create(true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ModelFile)); err == nil {
		t.Error("the old model is still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Error("a file that is no part of a run was removed")
	}
}
