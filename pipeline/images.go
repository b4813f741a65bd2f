package pipeline

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/pipeline/dataset"
)

// writeImages writes the list of a run's training images to its folder: a dataDigest says that the data have changed, and the
// list what.
func writeImages(dir string, set *dataset.Set) error {
	return atomicfile.Write(filepath.Join(dir, ImagesFile), func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		out := csv.NewWriter(z)
		record := []string{"path", "identity"}
		err = out.Write(record)
		for i := 0; i < len(set.Samples) && err == nil; i++ {
			record[0], record[1] = set.Samples[i].Path, set.Identities[set.Samples[i].Identity]
			err = out.Write(record)
		}
		out.Flush()
		return errors.Join(err, out.Error(), z.Close())
	})
}

// readImages returns the identity of each path that a run folder's list holds.
func readImages(dir string) (map[string]string, error) {
	f, err := os.Open(filepath.Join(dir, ImagesFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	records, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	images := make(map[string]string, len(records))
	for _, r := range records[min(1, len(records)):] {
		images[r[0]] = r[1]
	}
	return images, nil
}

// changedData adds to the error of a dataDigest which files have changed, as far as the run's list of images tells, and what can be done.
func changedData(err error, dir string, now *dataset.Set) error {
	text := ""
	if was, listErr := readImages(dir); listErr == nil {
		is := make(map[string]string, len(now.Samples))
		for _, s := range now.Samples {
			is[s.Path] = now.Identities[s.Identity]
		}
		text = changes(was, is)
	}
	return fmt.Errorf("%w.%s\nPut them back as they were, or begin a new run from this one's model: --init %s --out ANOTHER", err, text, dir)
}

// changes names the files that are not in both of two lists, or not under the same identity: a line for each kind.
func changes(was, is map[string]string) string {
	var moved []string
	gone, added := maps.Clone(was), maps.Clone(is)
	for p, identity := range was {
		to, ok := is[p]
		if !ok {
			continue
		}
		delete(gone, p)
		delete(added, p)
		if to != identity {
			moved = append(moved, fmt.Sprintf("%s from %s to %s", p, identity, to))
		}
	}
	// In folders a path names the identity: there a file has moved if no other that is gone or new has its name.
	goneAs, addedAs := byName(gone), byName(added)
	for name, from := range goneAs {
		if to := addedAs[name]; len(from) == 1 && len(to) == 1 && gone[from[0]] != added[to[0]] {
			moved = append(moved, fmt.Sprintf("%s from %s to %s", name, gone[from[0]], added[to[0]]))
			delete(gone, from[0])
			delete(added, to[0])
		}
	}
	return listed("gone", slices.Collect(maps.Keys(gone))) + listed("new", slices.Collect(maps.Keys(added))) + listed("under another identity", moved)
}

// byName returns the paths of each file name.
func byName(files map[string]string) map[string][]string {
	names := map[string][]string{}
	for p := range files {
		names[path.Base(p)] = append(names[path.Base(p)], p)
	}
	return names
}

// listed returns a line that names the first of some files, "" if there are none.
func listed(what string, files []string) string {
	const shown = 5
	n := len(files)
	if n == 0 {
		return ""
	}
	slices.Sort(files)
	more := ""
	if n > shown {
		files, more = files[:shown], ", ..."
	}
	return fmt.Sprintf("\n%d %s: %s%s", n, what, strings.Join(files, ", "), more)
}
