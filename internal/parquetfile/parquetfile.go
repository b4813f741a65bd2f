// Package parquetfile opens Parquet files from others: the library panics on some damaged ones.
package parquetfile

import (
	"fmt"
	"os"

	"github.com/parquet-go/parquet-go"
)

// Read opens the Parquet file f and calls read with it. A panic of the library, which damaged files cause
// while they are opened and while they are read, becomes an error that names the file.
func Read(f *os.File, read func(*parquet.File) error) (err error) {
	defer Recover(f.Name(), &err)
	file, err := Open(f)
	if err != nil {
		return err
	}
	return read(file)
}

// Open opens the Parquet file f. A panic of the library becomes an error that names the file; one that comes while the
// file is read is to be taken up by [Recover].
func Open(f *os.File) (_ *parquet.File, err error) {
	defer Recover(f.Name(), &err)
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: not a whole Parquet file: %w", f.Name(), err)
	}
	return file, nil
}

// Recover turns a panic into an error that names the file. It is to be deferred.
func Recover(name string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: not a whole Parquet file: %v", name, r)
	}
}
