package main

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/internal/table"
	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/dataset/idx"
)

// sourceImage is one image to embed.
type sourceImage struct {
	name, identity string
	load           func() (image.Image, error)
}

// imageSource gives images one after the other, and holds their names at most.
type imageSource struct {
	path     string
	total    int           // 0 where only going through it tells
	chunk    int           // images of a chunk
	age      time.Duration // of what is done, at which it is saved within a chunk
	files    []string      // that are read, to tell whether they have changed
	warnings []string
	// Of several ranks each loads every parts-th image, from number part on.
	part, parts int
	// each calls yield with every image from the first; size is what the image holds in memory already.
	each func(yield func(x sourceImage, size int) error) error
}

// A chunk is so many images, or fewer that hold so many bytes; what is done of one is saved after a while.
const (
	chunkImages = 1024
	chunkBytes  = 64 << 20
	saveAfter   = 10 * time.Second
)

// openSource says what the source is by its name.
func openSource(source, images string) (*imageSource, error) {
	if err := cli.Exists("SOURCE", source, "a folder of images, a list (.txt, .csv, .lst, .parquet), an archive (.tar, .tar.gz, .tgz), a pack (.rec) or an idx file of images"); err != nil {
		return nil, err
	}
	st, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	lower := strings.ToLower(source)
	kind := ""
	switch {
	case st.IsDir():
		kind = "folder"
	case strings.HasSuffix(lower, ".tar"), strings.HasSuffix(lower, ".tar.gz"), strings.HasSuffix(lower, ".tgz"):
		kind = "archive"
	case strings.HasSuffix(lower, ".rec"):
		kind = "pack"
	case strings.HasSuffix(lower, ".txt"), strings.HasSuffix(lower, ".csv"):
		kind = "list"
	case strings.HasSuffix(lower, ".lst"), strings.HasSuffix(lower, ".parquet"):
		kind = "list of identities"
	case idx.Is(source):
		kind = "file of images (idx)"
	default:
		return nil, cli.Usagef("%s is neither a folder, nor a list (.txt, .csv, .lst, .parquet), nor an archive (.tar, .tar.gz, .tgz), nor a pack (.rec), nor an idx file of images", source)
	}
	if images != "" && !strings.HasPrefix(kind, "list") {
		return nil, cli.Usagef("--images is for the paths of a list; %s is a %s", source, kind)
	}
	if images != "" {
		if err := cli.ExistingFolder("--images", images, wantFolder); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "folder":
		names, err := imageNames(source)
		if err != nil {
			return nil, err
		}
		return fileSource(source, source, names, nil, decodeFile), nil // a new image is a new name
	case "list of identities", "file of images (idx)":
		set, err := dataset.Open(source, dataset.Options{Images: images})
		if err != nil {
			return nil, err
		}
		return setSource(source, set), nil
	case "list":
		if images == "" {
			images = filepath.Dir(source)
		}
		names, identities, err := readImageList(source)
		if err != nil {
			return nil, err
		}
		s := fileSource(source, images, names, identities, decodeFile)
		s.files = append(s.files, source) // which has the identities
		return s, nil
	}
	read := eachInTar
	if kind == "pack" {
		read = eachInPack
	}
	return &imageSource{path: source, chunk: chunkImages, age: saveAfter, files: []string{source}, each: func(yield func(sourceImage, int) error) error { return read(source, yield) }}, nil
}

// setSource gives the images of a set that training takes, identity after identity.
func setSource(path string, set *dataset.Set) *imageSource {
	names, identities := make([]string, len(set.Samples)), make([]string, len(set.Samples))
	for i, x := range set.Samples {
		names[i], identities[i] = x.Path, set.Identities[x.Identity]
	}
	s := fileSource(path, set.Root, names, identities, set.Decode)
	s.files = append(s.files, path) // which has the identities, or all
	s.warnings = set.Warnings
	return s
}

// chunks calls do with the images after the first, of which there are so many, some at a time. The next ones are read
// while do works. It is an error if the first images are not those named, of which a rank that does not write knows none.
func (s *imageSource) chunks(ctx context.Context, first int, done []string, do func([]sourceImage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := make(chan []sourceImage)
	failed := make(chan error, 1)
	go func() {
		defer close(out)
		var chunk []sourceImage
		bytes, n := 0, 0
		send := func() error {
			if len(chunk) == 0 {
				return nil
			}
			select {
			case out <- chunk:
				chunk, bytes = nil, 0
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := s.each(func(x sourceImage, size int) error {
			if n++; n <= first {
				if n <= len(done) && x.name != done[n-1] {
					return cli.WithHint(fmt.Errorf("%s has changed: image %d is %s, and was %s", s.path, n, x.name, done[n-1]), "--restart begins anew")
				}
				return ctx.Err()
			}
			parts := max(1, s.parts)
			if (n-1)%parts != s.part {
				x.load = nil // which may hold it
			}
			chunk = append(chunk, x)
			if bytes += size; len(chunk) == s.chunk*parts || bytes >= chunkBytes*parts {
				return send()
			}
			return ctx.Err()
		})
		if err == nil && n < first {
			err = cli.WithHint(fmt.Errorf("%s has changed: it has %d images, and had %d or more", s.path, n, first), "--restart begins anew")
		}
		if err == nil && n == 0 {
			err = cli.WithHint(fmt.Errorf("%s: no images", s.path), "images end in %s", strings.Join(eval.ImageExtensions, ", "))
		}
		if err == nil {
			err = send()
		}
		failed <- err
	}()
	for chunk := range out {
		if err := do(chunk); err != nil {
			return err
		}
	}
	return <-failed
}

// fileSource gives files below a folder, or in a file that holds them, as decode knows; identities are those of the folders where nil.
func fileSource(path, root string, names, identities []string, decode func(file string) (image.Image, error)) *imageSource {
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = filepath.FromSlash(name)
		if !filepath.IsAbs(files[i]) {
			files[i] = filepath.Join(root, files[i])
		}
	}
	return &imageSource{path: path, total: len(names), chunk: chunkImages, age: saveAfter, files: files, each: func(yield func(sourceImage, int) error) error {
		for i, name := range names {
			x := sourceImage{name: name, identity: identityOf(name), load: func() (image.Image, error) { return decode(files[i]) }}
			if identities != nil {
				x.identity = identities[i]
			}
			if err := yield(x, 0); err != nil {
				return err
			}
		}
		return nil
	}}
}

func decodeFile(file string) (image.Image, error) { return dataset.DecodeFile(file, dataset.Limits{}) }

// isImage is whether the name of a file is that of an image.
func isImage(name string) bool {
	return slices.Contains(eval.ImageExtensions, strings.ToLower(path.Ext(name)))
}

// wantImages is what the header of a list should have.
const wantImages = "the column name or path, and perhaps identity"

// readImageList reads a list of images: a path a line, or a CSV file with the column name, or path as
// training takes it, and perhaps identity. identities is nil where the list has none.
func readImageList(file string) (names, identities []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	seen := map[string]int{}
	add := func(line int, name string) error {
		if name == "" || strings.ContainsRune(name, 0) {
			return fmt.Errorf("%s:%d: %q is no path", file, line, name)
		}
		name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
		if first, ok := seen[name]; ok {
			return fmt.Errorf("%s:%d: %s stands on line %d already", file, line, name, first)
		}
		seen[name] = line
		names = append(names, name)
		return nil
	}
	if strings.EqualFold(filepath.Ext(file), ".csv") {
		in, err := table.Open(f, file, wantImages)
		if err != nil {
			return nil, nil, err
		}
		name, identity := in.Column("name"), in.Column("identity")
		if name < 0 {
			name = in.Column("path")
		}
		if name < 0 {
			return nil, nil, in.HeaderError(wantImages)
		}
		for record, err := range in.Records() {
			if err != nil {
				return nil, nil, err
			}
			if err := add(in.Line(name), strings.Clone(record[name])); err != nil {
				return nil, nil, err
			}
			if identity >= 0 {
				identities = append(identities, strings.Clone(record[identity]))
			}
		}
	} else {
		scan := bufio.NewScanner(f)
		for line := 1; scan.Scan(); line++ {
			if text := strings.TrimSpace(strings.TrimPrefix(scan.Text(), "\ufeff")); text != "" {
				if err := add(line, text); err != nil {
					return nil, nil, err
				}
			}
		}
		if err := scan.Err(); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("%s: no images; want a path a line", file)
	}
	return names, identities, nil
}

// identityOf is the first folder of a slash-separated path, "" if there is none.
func identityOf(name string) string {
	identity, _, ok := strings.Cut(name, "/")
	if !ok {
		return ""
	}
	return identity
}

// imageNames returns the slash-separated paths of the images below dir, sorted. Links to
// folders are not followed.
func imageNames(dir string) ([]string, error) {
	var names []string
	// With a separator at the end a link to a folder is walked too.
	err := filepath.WalkDir(dir+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !isImage(filepath.ToSlash(path)) {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, cli.WithHint(fmt.Errorf("%s: no images", dir), "images end in %s", strings.Join(eval.ImageExtensions, ", "))
	}
	slices.Sort(names)
	return names, nil
}
