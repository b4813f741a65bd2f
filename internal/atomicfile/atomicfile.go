// Package atomicfile writes files that are either whole or not there: to a temporary
// file in the same folder, synced, then renamed. A full disk or a killed process never
// leaves a half file under a real name.
package atomicfile

import (
	"bufio"
	"io"
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
