package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/dataset/recpack"
)

// eachInTar reads an archive from its start; names that begin with a dot are not images.
func eachInTar(file string, yield func(sourceImage, int) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, 1<<20)
	if !strings.HasSuffix(strings.ToLower(file), ".tar") {
		if in, err = gzip.NewReader(in); err != nil {
			return fmt.Errorf("%s: not compressed by gzip: %w", file, err)
		}
	}
	return eachEntry(in, file, yield)
}

// eachEntry is eachInTar of an archive that is being read, not compressed; file names it in errors.
func eachEntry(in io.Reader, file string, yield func(sourceImage, int) error) error {
	seen := map[string]bool{}
	for archive := tar.NewReader(in); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := path.Clean(filepath.ToSlash(h.Name))
		if h.Typeflag != tar.TypeReg || !isImage(name) || strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		if seen[name] {
			return fmt.Errorf("%s: holds %s twice", file, name)
		}
		seen[name] = true
		x := sourceImage{name: name, identity: identityOf(name)}
		if limit := int64(256 << 20); h.Size > limit {
			x.load = func() (image.Image, error) {
				return nil, fmt.Errorf("%s: %s: %d bytes; an image may have at most %d", file, name, h.Size, limit)
			}
		} else {
			data, err := io.ReadAll(archive) // memory grows with what is there, not with what is claimed
			if err != nil {
				return fmt.Errorf("%s: %s: %w", file, name, err)
			}
			x.load = decoded(data, file, name)
		}
		if err := yield(x, int(h.Size)); err != nil {
			return err
		}
	}
}

// eachInPack reads InsightFace's pack from its start: image i of label k is named k/i.
func eachInPack(file string, yield func(sourceImage, int) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	for pack := recpack.NewReader(f, file); ; {
		img, err := pack.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		identity := strconv.FormatFloat(float64(img.Label), 'f', -1, 32)
		x := sourceImage{name: fmt.Sprintf("%s/%d", identity, img.Index), identity: identity}
		x.load = decoded(img.Data, file, x.name)
		if err := yield(x, len(img.Data)); err != nil {
			return err
		}
	}
}

// decoded loads an image that is in memory; file and name say where it is from.
func decoded(data []byte, file, name string) func() (image.Image, error) {
	return func() (image.Image, error) {
		img, err := dataset.Decode(data, dataset.Limits{})
		if err != nil {
			err = fmt.Errorf("%s: %s: %w", file, name, err)
		}
		return img, err
	}
}
