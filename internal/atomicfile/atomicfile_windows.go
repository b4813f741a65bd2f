package atomicfile

import (
	"os"
	"path/filepath"
)

// File is a file that gets its name by Commit. (The renameio library, used on other systems,
// does not build on Windows, where a rename is not promised to be atomic.)
type File struct {
	*os.File
	path string
	done bool
}

// Create returns a new file that Commit will call path.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: path}, nil
}

// Commit syncs the file, closes it and gives it its name.
func (f *File) Commit() error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return err
	}
	f.done = true
	return nil
}

// Abort removes the file; after Commit it does nothing.
func (f *File) Abort() {
	if !f.done {
		f.Close()
		os.Remove(f.Name())
		f.done = true
	}
}
