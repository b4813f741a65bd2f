// Package atomicfile writes files that are either whole or not there: to a temporary
// file in the same folder, synced, then renamed. A full disk or a killed process never
// leaves a half file under a real name.
package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Write makes path what write writes. On an error path is as it was.
func Write(path string, write func(w io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Commit()
}

// WriteBytes makes path hold data.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// Leftover returns the name that a file of a folder was to get, if a process that was killed while it wrote left it, or "".
func Leftover(name string) string {
	rest, hidden := strings.CutPrefix(name, ".")
	path := strings.TrimRight(rest, "0123456789")
	if !hidden || path == rest {
		return ""
	}
	return path
}

// Sweep removes from a folder what killed processes left of files for whose names mine holds. Nobody may be writing one.
func Sweep(dir string, mine func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if name := Leftover(e.Name()); name != "" && mine(name) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
