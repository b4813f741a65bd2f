package eval

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ImageExtensions are tried, in this order and in upper case too, where an image is not
// found under the name that the pairs give it.
var ImageExtensions = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".pgm", ".ppm"}

// Resolve finds the file of every image of the pairs below root. Images that have none are
// all listed in one *ImagesError; the map then holds the others.
func (p *Pairs) Resolve(root string) (map[string]string, error) {
	if st, err := os.Stat(root); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, fmt.Errorf("%s is a file; the folder is wanted that has one folder of images for each identity", root)
	}
	names := p.Images()
	files := make(map[string]string, len(names))
	failed := map[string]error{}
	listings := map[string]map[string]bool{}
	for _, name := range names {
		file, err := findImage(root, name, listings)
		if err != nil {
			failed[name] = err
			continue
		}
		files[name] = file
	}
	if len(failed) > 0 {
		return files, imagesError(len(names), failed)
	}
	return files, nil
}

// findImage looks name up in the listing of its folder, which is read once.
func findImage(root, name string, listings map[string]map[string]bool) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", errors.New("the path leaves the image folder")
	}
	path := filepath.Join(root, filepath.FromSlash(name))
	dir, base := filepath.Split(path)
	listing, ok := listings[dir]
	if !ok {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err == nil {
			listing = make(map[string]bool, len(entries))
			for _, e := range entries {
				listing[e.Name()] = true
			}
		}
		listings[dir] = listing
	}
	switch {
	case listing == nil:
		return "", errors.New("no such folder")
	case listing[base]:
		return path, nil
	}
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	for _, ext := range ImageExtensions {
		for _, e := range []string{ext, strings.ToUpper(ext)} {
			if listing[stem+e] {
				return dir + stem + e, nil
			}
		}
	}
	return "", errors.New("no such file, with any extension")
}
