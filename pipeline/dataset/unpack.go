package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Unpack writes the images of a set that is in one file into the new folder dir, with one sub-folder for each identity: as they
// are stored, under the number that they have there. What cannot be read or is no image is left out and reported to bad.
//
// The folder is whole or not there: until all is written it is called dir.part.
func (s *Set) Unpack(ctx context.Context, dir string, bad func(path string, err error)) (written int, err error) {
	if s.decode == nil {
		return 0, fmt.Errorf("%s: its images are files already; a pack is wanted", s.Root)
	}
	if _, err := os.Lstat(dir); err == nil {
		return 0, fmt.Errorf("%s is there already; name a new folder", dir)
	}
	part := strings.TrimRight(dir, `/\`) + ".part"
	if err := os.Mkdir(part, 0o777); errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%s is there already: remove what another unpacking has left", part)
	} else if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(part)
		}
	}()
	root, err := os.OpenRoot(part)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	for _, identity := range s.Identities {
		if err := root.Mkdir(identity, 0o777); err != nil {
			return 0, err
		}
	}
	for i, x := range s.Samples {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		data, err := s.Content(s.File(i))
		var f *format
		if err == nil {
			f, err = formatOf(data)
		}
		if err != nil {
			bad(s.File(i), err)
			continue
		}
		name := path.Join(s.Identities[x.Identity], path.Base(x.Path)+"."+f.extension())
		if err := root.WriteFile(name, data, 0o666); err != nil {
			return 0, err
		}
		written++
	}
	if err := root.Close(); err != nil { // Windows renames no open folder
		return 0, err
	}
	return written, os.Rename(part, dir)
}

func (f *format) extension() string {
	if f.name == "JPEG" {
		return "jpg"
	}
	return strings.ToLower(f.name)
}
