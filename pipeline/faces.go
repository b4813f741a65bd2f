package pipeline

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/pipeline/dataset"
)

// faces are the data of a run.
type faces struct {
	train  *dataset.Set
	digest dataDigest
	pairs  *eval.Pairs       // of validation; nil: none
	files  map[string]string // of the pairs' images
}

// validation says what Config.Val means: a share of identities, or a pairs file, or, where both
// are empty, nothing.
func (c *Config) validation() (share float64, file string, err error) {
	if c.Val == "none" {
		return 0, "", nil
	}
	share, err = strconv.ParseFloat(c.Val, 64)
	if err != nil {
		return 0, c.Val, nil
	}
	if !(share > 0 && share < 1) {
		return 0, "", settingError("val", "%s is no share: want one between 0 and 1 such as 0.1, a pairs file, or none", c.Val)
	}
	return share, "", nil
}

// dataOptions say which images of the data are taken.
func (c *Config) dataOptions() dataset.Options {
	return dataset.Options{Images: c.Images, People: c.People, MinImages: c.MinImages, MaxImages: c.MaxImages}
}

// openFaces finds the images, holds out those of validation and checks that nobody is in both.
func openFaces(c *Config, warn func(format string, args ...any)) (*faces, error) {
	if c.People != "" {
		if _, err := os.Stat(c.People); err != nil {
			return nil, settingError("people", "%w", err)
		}
	}
	set, err := dataset.Open(c.Data, c.dataOptions())
	if err != nil {
		return nil, err
	}
	for _, w := range set.Warnings {
		warn("%s", w)
	}
	f := &faces{train: set}
	share, file, err := c.validation()
	switch {
	case err != nil:
		return nil, err
	case share > 0:
		err = f.holdOut(share, c.Seed)
	case file != "":
		err = f.readPairs(c, file)
	}
	if err != nil {
		return nil, err
	}
	if w := f.train.LookAligned(c.Size.Height, c.Size.Width); w != "" {
		warn("%s", w)
	}
	labels, names := make([]int, len(f.train.Samples)), make([]string, len(f.train.Samples))
	for i, s := range f.train.Samples {
		labels[i], names[i] = s.Identity, s.Path
	}
	f.digest = digest(f.train.Identities, labels, names)
	return f, f.check(c)
}

// holdOut keeps a share of the identities for validation.
func (f *faces) holdOut(share float64, seed uint64) error {
	train, held, err := f.train.Split(share, seed)
	if err != nil {
		return settingError("val", "%w", err)
	}
	pairs, err := held.Pairs(seed)
	if err != nil {
		return settingError("val", "%w", err)
	}
	f.train, f.pairs, f.files = train, pairs, map[string]string{}
	for _, name := range pairs.Images() {
		f.files[name] = held.FileOf(name)
	}
	return nil
}

// readPairs takes validation's pairs from a file.
func (f *faces) readPairs(c *Config, file string) error {
	pairs, err := eval.ReadPairs(file)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return settingError("val", "%s is neither a share such as 0.1, nor none, nor a file that is there", file)
		}
		return settingError("val", "%w", err)
	}
	if err := dataset.Overlap(f.train, pairs); err != nil {
		return settingError("val", "%w", err)
	}
	root := c.ValImages
	if root == "" {
		root = c.Data
		if st, err := os.Stat(root); err == nil && !st.IsDir() {
			return settingError("val-images", "%s is no folder: name the one with the images of the pairs in %s", root, file)
		}
	}
	if f.files, err = pairs.Resolve(root); err != nil {
		return settingError("val-images", "%s, of the pairs in %s: %w", root, file, err)
	}
	f.pairs = pairs
	return nil
}

// check returns an error if there is too little to train on.
func (f *faces) check(c *Config) error {
	if n := len(f.train.Identities); n < 2 {
		return fmt.Errorf("%s: %d identity to train on, want at least 2", c.Data, n)
	}
	if n, want := len(f.train.Samples), c.Batch*c.Accumulate; n < want {
		if n >= c.Batch {
			return settingError("accumulate", "%d images to train on are fewer than %d batches of %d: accumulate %d or fewer, or add images", n, c.Accumulate, c.Batch, n/c.Batch)
		}
		return settingError("batch", "%d images to train on are fewer than a batch of %d: choose a smaller batch or add images", n, c.Batch)
	}
	return nil
}
