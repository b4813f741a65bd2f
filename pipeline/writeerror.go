package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteError is the error of a run whose folder cannot be written to: the disk is full, or was made read-only. What the
// folder holds is whole, and the run goes on from its newest checkpoint once there is room. It wraps what the system said.
type WriteError struct {
	Dir  string
	Step int // of the newest checkpoint; -1: there is none yet
	Err  error
}

func (e *WriteError) Error() string {
	if e.Step < 0 {
		return fmt.Sprintf("cannot write to the run folder %s, and the run has not begun: %v", e.Dir, e.Err)
	}
	return fmt.Sprintf("cannot write to the run folder %s: %v. The checkpoint of step %d is whole: once the folder can be written to, fv-train --resume %s goes on from there",
		e.Dir, e.Err, e.Step, e.Dir)
}

// Unwrap returns what the system said.
func (e *WriteError) Unwrap() error { return e.Err }

// unwritten makes an error of a file in the run folder a *WriteError, and leaves others as they are.
func (t *trainer) unwritten(err error) error {
	if !t.ofRunFolder(err) {
		return err
	}
	return &WriteError{t.dir, t.saved, err}
}

// ofRunFolder reports whether the system could not do something with a file in the run folder.
func (t *trainer) ofRunFolder(err error) bool {
	inside := func(path string) bool {
		rel, err := filepath.Rel(t.dir, path)
		return err == nil && filepath.IsLocal(rel)
	}
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) && inside(path.Path) || errors.As(err, &link) && inside(link.New)
}
