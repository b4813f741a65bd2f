package photos

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/pipeline/align"
)

// job is a photograph to be looked at.
type job struct {
	path    string        // below the folder of the photographs
	crop    string        // the name for its first face
	entries []align.Entry // its faces, where a file has them
}

// list returns the photographs in a folder and those below, sorted by path. Hidden files and folders are passed over; links are followed.
func list(root string) ([]job, error) {
	var jobs []job
	seen := map[string]bool{} // folders, by their real paths: links may make circles
	var walk func(dir, below string) error
	walk = func(dir, below string) error {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return err
		}
		if seen[real] {
			return nil
		}
		seen[real] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := e.Name()
			if strings.HasPrefix(name, ".") || name == "__MACOSX" || name == "@eaDir" {
				continue
			}
			st, err := os.Stat(filepath.Join(dir, name))
			switch {
			case err != nil: // a link that leads nowhere
			case st.IsDir():
				if err := walk(filepath.Join(dir, name), path.Join(below, name)); err != nil {
					return err
				}
			case st.Mode().IsRegular() && slices.Contains(eval.ImageExtensions, strings.ToLower(filepath.Ext(name))):
				jobs = append(jobs, job{path: path.Join(below, name)})
			}
		}
		return nil
	}
	if err := walk(root, ""); err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, fmt.Errorf("%s: no photographs; their names end in %s", root, strings.Join(eval.ImageExtensions, ", "))
	}
	name(jobs)
	return jobs, nil
}

// name gives each photograph the name of its crop: its own, as JPEG. Of several whose names differ by the extension all but the first keep it: a.png.jpg.
func name(jobs []job) {
	taken := map[string]bool{}
	for i := range jobs {
		j := &jobs[i]
		for j.crop = jpegName(j.path); taken[j.crop]; {
			j.crop = strings.TrimSuffix(j.crop, ".jpg") + path.Ext(j.path) + ".jpg"
		}
		taken[j.crop] = true
	}
}

func jpegName(name string) string { return strings.TrimSuffix(name, path.Ext(name)) + ".jpg" }

// Check returns an error if two faces of a file of landmarks would be written to one crop; Run would return it too.
func Check(entries []align.Entry, file string) error {
	_, err := listed(entries, file)
	return err
}

// listed returns the photographs of a file of landmarks, each once, in the order of the file.
func listed(entries []align.Entry, file string) ([]job, error) {
	var jobs []job
	at := map[string]int{}
	written := map[string]align.Entry{}
	for _, e := range entries {
		if e.Crop == "" {
			e.Crop = jpegName(e.Path)
		}
		if path.Ext(e.Crop) != ".jpg" {
			return nil, fmt.Errorf("%s:%d: the crop %q; crops are JPEG files: want a name that ends in .jpg", file, e.Line, e.Crop)
		}
		if first, ok := written[e.Crop]; ok {
			return nil, fmt.Errorf("%s:%d: %s and that of line %d would both be written to %s", file, e.Line, e.Path, first.Line, e.Crop)
		}
		written[e.Crop] = e
		i, ok := at[e.Path]
		if !ok {
			i = len(jobs)
			at[e.Path] = i
			jobs = append(jobs, job{path: e.Path, crop: e.Crop})
		}
		jobs[i].entries = append(jobs[i].entries, e)
	}
	return jobs, nil
}

// more returns the name of the crop of a photograph's face k, from 0; names of other photographs' first faces are taken.
func (j *job) more(k int, taken map[string]bool) string {
	if k == 0 {
		return j.crop
	}
	base := strings.TrimSuffix(j.crop, ".jpg")
	name := fmt.Sprintf("%s.%d.jpg", base, k+1)
	for taken[name] {
		base += "."
		name = fmt.Sprintf("%s.%d.jpg", base, k+1)
	}
	return name
}
