package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/pipeline/dataset/idx"
)

// Options say what Open keeps. The zero value keeps everything.
type Options struct {
	Images    string // folder that the paths of a list start from; "" means the list's own
	People    string // file that names the identities to keep; see [ParsePeople]. "" keeps all
	MinImages int    // identities with fewer images in the folder are left out
	// MaxImages is the most images of an identity; 0 means all. Those kept are
	// spread evenly over the sorted names, as neighbours are often alike.
	MaxImages int
}

// Open lists the images in root, a folder with one sub-folder for each identity, whose name
// is the identity's; or in an idx file of images beside which lies that of their labels (see package idx), which are then
// the identities; or in an InsightFace pack (.rec, see package recpack); or named by a list: MXNet's or InsightFace's (.lst), or the columns path and
// identity of a CSV or Parquet file. The file's extension tells what an image is (see eval.ImageExtensions;
// upper case is fine); the images are not opened. Links to identities' folders and to images
// are followed.
//
// Hidden files and folders (.DS_Store, @eaDir, __MACOSX), files that are no images, folders
// without images and links that lead nowhere are left out and counted in Set.Warnings, as are
// identities that the people file names and root lacks, unless most of them are missing.
//
// These are errors, which say what would be right: images directly in root, folders inside
// an identity's folder, links that make an identity of root itself or the same folder twice
// an identity, and a set without images.
func Open(root string, o Options) (*Set, error) {
	if st, err := os.Stat(root); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return openFile(root, o)
	}
	if o.Images != "" {
		return nil, fmt.Errorf("%s is a folder; another one for the images goes with a list of them", root)
	}
	var people []Person
	if o.People != "" {
		var err error
		if people, err = ReadPeople(o.People); err != nil {
			return nil, err
		}
	}
	w := &walk{root: root, set: &Set{Root: root}}
	folders, err := w.folders()
	if err != nil {
		return nil, err
	}
	if o.People != "" {
		if folders, err = w.named(folders, people, o.People); err != nil {
			return nil, err
		}
	}
	for _, name := range folders {
		images, err := w.images(name)
		if err != nil {
			return nil, err
		}
		w.add(name, images, o)
	}
	w.warn()
	return w.set, w.check(o)
}

// A walk collects what is found below a root.
type walk struct {
	root string
	set  *Set

	hidden, foreign, empty, dangling note
	few                              int // identities with fewer images than wanted
	largest                          int // images of the largest of those
	largestName                      string
}

// What fv-train align writes beside the folders of crops: no files that surprise in a set.
const (
	AlignTable    = "faces.csv"
	AlignSettings = "align.json"
	AlignSheet    = "contact-sheet.html"
)

// fromAlign reports whether a file in the root is one of those.
func fromAlign(name string) bool {
	return name == AlignTable || name == AlignSettings || name == AlignSheet
}

// note counts things of a kind and keeps the first one's path.
type note struct {
	n     int
	first string
}

func (n *note) add(path string) {
	if n.n++; n.n == 1 {
		n.first = path
	}
}

// hidden reports names that the operating system or an archiver made for itself.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || name == "__MACOSX" || name == "@eaDir"
}

func isImage(name string) bool {
	return slices.Contains(eval.ImageExtensions, strings.ToLower(filepath.Ext(name)))
}

// list calls f for what is in a folder, sorted by name, with the type that a link leads to.
func (w *walk) list(dir string, f func(path string, e fs.DirEntry, mode fs.FileMode) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if hidden(e.Name()) {
			w.hidden.add(path)
			continue
		}
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			st, err := os.Stat(path)
			if err != nil { // nowhere, or a circle of links
				w.dangling.add(path)
				continue
			}
			mode = st.Mode().Type()
		}
		if err := f(path, e, mode); err != nil {
			return err
		}
	}
	return nil
}

// folders returns the names of the folders in root.
func (w *walk) folders() ([]string, error) {
	var names []string
	var loose note
	linked := false
	err := w.list(w.root, func(path string, e fs.DirEntry, mode fs.FileMode) error {
		switch {
		case mode.IsDir():
			names = append(names, e.Name())
			linked = linked || !e.IsDir()
		case isImage(e.Name()):
			loose.add(path)
		case fromAlign(e.Name()):
		default:
			w.foreign.add(path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if loose.n > 0 {
		return nil, fmt.Errorf("%s has %s directly in it, such as %s; want one sub-folder for each identity, named after it, with that identity's images",
			w.root, count(loose.n, "image", "images"), filepath.Base(loose.first))
	}
	if len(names) == 0 {
		if f := w.foreign.first; idx.Is(f) {
			return nil, fmt.Errorf("%s holds idx files: give the one of images that is wanted instead, such as %s", w.root, f)
		}
		if packs, _ := filepath.Glob(filepath.Join(w.root, "*.rec")); len(packs) > 0 {
			return nil, fmt.Errorf("%s holds a pack: give %s instead", w.root, packs[0])
		}
		return nil, fmt.Errorf("%s has no sub-folders; want one for each identity, named after it, with that identity's images", w.root)
	}
	if linked {
		if err := w.distinct(names); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// distinct returns an error if links make two of the folders one, or one of them a folder that
// holds root.
func (w *walk) distinct(names []string) error {
	root, err := realPath(w.root)
	if err != nil {
		return err
	}
	first := make(map[string]string, len(names))
	for _, name := range names {
		path := filepath.Join(w.root, name)
		real, err := realPath(path)
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(real, root); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("%s is a link to %s, which holds it: a circle; remove the link", path, real)
		}
		if other, ok := first[real]; ok {
			return fmt.Errorf("%s and %s are the same folder, %s; an identity can have only one name: remove a link", filepath.Join(w.root, other), path, real)
		}
		first[real] = name
	}
	return nil
}

// realPath returns the absolute path without links.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// images returns the names of the images of an identity.
func (w *walk) images(identity string) ([]string, error) {
	var names []string
	err := w.list(filepath.Join(w.root, identity), func(path string, e fs.DirEntry, mode fs.FileMode) error {
		switch {
		case mode.IsDir():
			return fmt.Errorf("%s is a folder inside an identity's folder; want images directly in %s. If each folder in %[2]s is an identity, give %[2]s instead of %[3]s",
				path, filepath.Join(w.root, identity), w.root)
		case isImage(e.Name()) && mode.IsRegular():
			names = append(names, e.Name())
		default:
			w.foreign.add(path)
		}
		return nil
	})
	return names, err
}

// openFile opens a file that holds images or names them.
func openFile(path string, o Options) (*Set, error) {
	ext := strings.ToLower(filepath.Ext(path))
	list := ext == ".lst" || ext == ".csv" || ext == ".parquet"
	switch {
	case list:
		return openList(path, o)
	case o.Images != "":
		return nil, fmt.Errorf("%s is no list; a folder for the images goes with a list of them: .lst, .csv or .parquet", path)
	case ext == ".rec":
		return openRec(path, o)
	case idx.Is(path):
		return openIDX(path, o)
	}
	return nil, fmt.Errorf("%s is a file; want the folder that has one sub-folder of images for each identity, a pack (.rec), a list (.lst, .csv, .parquet) or an idx file of images", path)
}

// fill makes the set of identities that are not folders, sorted by name.
func (w *walk) fill(names []string, o Options, images func(name string) []string) (*Set, error) {
	if o.People != "" {
		people, err := ReadPeople(o.People)
		if err != nil {
			return nil, err
		}
		if names, err = w.named(names, people, o.People); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		w.addPaths(name, images(name), o)
	}
	w.warn()
	return w.set, w.check(o)
}

// add makes an identity of a folder and the names of its images.
func (w *walk) add(name string, images []string, o Options) {
	for i, image := range images {
		images[i] = name + "/" + image
	}
	w.addPaths(name, images, o)
}

// addPaths makes an identity if it has enough images.
func (w *walk) addPaths(name string, images []string, o Options) {
	n := len(images)
	if n == 0 {
		w.empty.add(filepath.Join(w.root, name))
		return
	}
	if n < o.MinImages {
		if w.few++; n > w.largest {
			w.largest, w.largestName = n, name
		}
		return
	}
	if o.MaxImages > 0 && n > o.MaxImages {
		for i := range o.MaxImages {
			images[i] = images[i*n/o.MaxImages]
		}
		images = images[:o.MaxImages]
	}
	class := len(w.set.Identities)
	w.set.Identities = append(w.set.Identities, name)
	for _, image := range images {
		w.set.Samples = append(w.set.Samples, Sample{image, class})
	}
}

func (w *walk) warn() {
	for _, x := range []struct {
		note
		one, many string
	}{
		{w.foreign, "file that is no image is ignored", "files that are no images are ignored"},
		{w.hidden, "hidden file or folder is ignored", "hidden files or folders are ignored"},
		{w.empty, "folder without images is ignored", "folders without images are ignored"},
		{w.dangling, "link that leads nowhere is ignored", "links that lead nowhere are ignored"},
	} {
		switch {
		case x.n == 1:
			w.warnf("1 %s: %s", x.one, x.first)
		case x.n > 1:
			w.warnf("%d %s, such as %s", x.n, x.many, x.first)
		}
	}
}

func (w *walk) warnf(format string, args ...any) {
	w.set.Warnings = append(w.set.Warnings, fmt.Sprintf(format, args...))
}

// check returns an error if nothing is left.
func (w *walk) check(o Options) error {
	switch {
	case len(w.set.Identities) > 0:
		return nil
	case w.few > 0:
		return fmt.Errorf("%s: none of %s has the %d images wanted; the most are %d, of %s",
			w.root, count(w.few, "identity", "identities"), o.MinImages, w.largest, w.largestName)
	}
	return fmt.Errorf("%s: no images in its %s; images end in %s",
		w.root, count(w.empty.n, "folder", "folders"), strings.Join(eval.ImageExtensions, ", "))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
