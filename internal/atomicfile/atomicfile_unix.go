//go:build !windows

package atomicfile

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// File is a file that gets its name by Commit.
type File struct{ *renameio.PendingFile }

// Create returns a new file that Commit will call path.
func Create(path string) (*File, error) {
	// Beside path, not in TMPDIR, where the library would else put it: Sweep finds there what a killed process left.
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

// Commit syncs the file, closes it and gives it its name.
func (f *File) Commit() error { return f.CloseAtomicallyReplace() }

// Abort removes the file; after Commit it does nothing.
func (f *File) Abort() { f.Cleanup() }
