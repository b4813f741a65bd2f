package doctor

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MovedFile is the list in a quarantine folder of what was moved there.
const MovedFile = "moved.csv"

// Fix moves the images that a plan says from the folder root into the folder quarantine, under the same paths, and returns how many it moved. Nothing is
// deleted or overwritten, and nothing outside root is touched: links that lead out of it are not followed. All steps are checked before
// the first is taken; quarantine/moved.csv lists those that were.
func Fix(plan []Step, planName, root, quarantine string) (moved int, err error) {
	root, quarantine, err = apart(root, quarantine)
	if err != nil {
		return 0, err
	}
	var steps []Step
	seen := map[string]bool{}
	var errs []error
	for _, s := range plan {
		s.Path = filepath.Clean(filepath.FromSlash(s.Path))
		if s.Action != Move || seen[s.Path] {
			continue
		}
		seen[s.Path] = true
		if err := check(s.Path, root, quarantine); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", planName, s.Line, err))
			continue
		}
		steps = append(steps, s)
	}
	if len(errs) > 0 {
		const shown = 5
		if n := len(errs) - shown; n > 0 {
			errs = append(errs[:shown], fmt.Errorf("and %d more lines", n))
		}
		return 0, fmt.Errorf("nothing was moved: %w", errors.Join(errs...))
	}
	if len(steps) == 0 {
		return 0, nil
	}
	if err := os.MkdirAll(quarantine, 0o777); err != nil {
		return 0, err
	}
	list, err := os.OpenFile(filepath.Join(quarantine, MovedFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	out := csv.NewWriter(list)
	for _, s := range steps {
		from, to := filepath.Join(root, s.Path), filepath.Join(quarantine, s.Path)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return moved, err
		}
		// Written first: what is moved is on the list, whatever happens between.
		out.Write([]string{from, to, s.Reason})
		if out.Flush(); out.Error() != nil {
			return moved, out.Error()
		}
		if err := os.Rename(from, to); err != nil {
			return moved, fmt.Errorf("%w; a quarantine folder must be on the same disk as the images, and writable", err)
		}
		moved++
	}
	return moved, nil
}

// apart returns both folders without links, or an error if one is in the other.
func apart(root, quarantine string) (string, string, error) {
	real := func(path string) (string, error) {
		path, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		return filepath.EvalSymlinks(path)
	}
	r, err := real(root)
	if err != nil {
		return "", "", err
	}
	if st, err := os.Stat(r); err != nil || !st.IsDir() {
		return "", "", fmt.Errorf("%s is no folder of images; unpack a pack first", root)
	}
	q, err := real(quarantine)
	if errors.Is(err, fs.ErrNotExist) { // its parent must be there
		parent, base := filepath.Split(strings.TrimRight(quarantine, string(filepath.Separator)))
		if q, err = real(filepath.Join(parent, ".")); err == nil {
			q = filepath.Join(q, base)
		}
	}
	if err != nil {
		return "", "", fmt.Errorf("the quarantine folder: %w", err)
	}
	if inside(r, q) || inside(q, r) {
		return "", "", fmt.Errorf("the quarantine folder %s and the folder of images %s must not be in each other", quarantine, root)
	}
	return r, q, nil
}

// inside reports whether path is dir or below it.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// check returns an error if an image cannot be moved as a plan says.
func check(path, root, quarantine string) error {
	if !filepath.IsLocal(path) || path == "." {
		return fmt.Errorf("%q is not below %s; want paths as the plan had them", path, root)
	}
	from := filepath.Join(root, path)
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return fmt.Errorf("%s is a folder; a plan moves images", from)
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(from)); err != nil {
		return err
	} else if !inside(root, dir) {
		return fmt.Errorf("%s is in %s, outside %s: a link leads there", from, dir, root)
	}
	to := filepath.Join(quarantine, path)
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already, and nothing is overwritten", to)
	}
	// A link below the quarantine must not lead out of it either.
	for dir := filepath.Dir(to); inside(quarantine, dir); dir = filepath.Dir(dir) {
		if st, err := os.Lstat(dir); err == nil && !st.IsDir() {
			return fmt.Errorf("%s is no folder", dir)
		}
	}
	return nil
}
