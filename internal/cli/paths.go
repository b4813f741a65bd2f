package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Exists returns a usage error if nothing is at path: it names the argument or flag that the path was given by,
// and what is wanted there, such as "a run folder".
func Exists(argument, path, want string) error {
	_, err := os.Stat(path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return Usagef("%s: %s: no such file or folder; want %s", argument, path, want)
	}
	return Usage(fmt.Errorf("%s: want %s: %w", argument, want, err))
}

// ExistingFile is Exists of what must not be a folder.
func ExistingFile(argument, path, want string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return Usagef("%s: %s is a folder; want %s", argument, path, want)
	}
	return Exists(argument, path, want)
}

// ExistingFolder is Exists of what must be a folder.
func ExistingFolder(argument, path, want string) error {
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		return Usagef("%s: %s is a file; want %s", argument, path, want)
	}
	return Exists(argument, path, want)
}

// NewFile returns a usage error if no file can be written at path, because a folder is there, or there is none
// to hold it. It names the flag that the path was given by; example is the name of such a file.
func NewFile(flag, path, example string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return WithHint(Usagef("%s %s is a folder: name a file", flag, path), "name a file, such as %s", filepath.Join(path, example))
	}
	dir := filepath.Dir(path)
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Usagef("%s %s: there is no folder %s; make it first, or name another", flag, path, dir)
	case err != nil:
		return Usage(fmt.Errorf("%s %s: %w", flag, path, err))
	case !st.IsDir():
		return Usagef("%s %s: %s is a file, not a folder", flag, path, dir)
	}
	return nil
}
