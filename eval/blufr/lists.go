package blufr

import (
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/faceverify/fv/internal/table"
)

// Lists are the images of trials that were drawn elsewhere: the benchmark's own, for instance.
type Lists struct {
	Path   string
	Trials []ListTrial
}

// ListTrial names the images of one trial.
type ListTrial struct {
	Test    []string // every pair of them is compared
	Gallery []string // one image of each person enrolled
	Probe   []string // mated if their person is enrolled, else not
}

// ReadLists reads a CSV file with the columns trial (from 1), set and name: the sets test, gallery and
// probe of each trial, with images as the embeddings name them; other sets are passed over. The
// benchmark's blufr_lfw_config.mat becomes such a file by scripts/blufr-lists.py.
func ReadLists(file string) (*Lists, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseLists(f, file)
}

func parseLists(r io.Reader, file string) (*Lists, error) {
	const want = `"trial,set,name"`
	in, err := table.Open(r, file, want)
	if err != nil {
		return nil, err
	}
	at, err := in.Need(want, "trial", "set", "name")
	if err != nil {
		return nil, err
	}
	trial, set, image := at[0], at[1], at[2]
	l := &Lists{Path: file}
	for record, err := range in.Records() {
		if err != nil {
			return nil, err
		}
		k, err := strconv.Atoi(strings.TrimSpace(record[trial]))
		if err != nil || k < 1 || k > 1000 {
			return nil, in.Errorf(trial, "trial %q: want a number from 1", record[trial])
		}
		for len(l.Trials) < k {
			l.Trials = append(l.Trials, ListTrial{})
		}
		t, name := &l.Trials[k-1], strings.Clone(path.Clean(strings.ReplaceAll(strings.TrimSpace(record[image]), `\`, "/")))
		if name == "." {
			return nil, in.Errorf(image, "%q is no image", record[image])
		}
		switch strings.ToLower(strings.TrimSpace(record[set])) {
		case "test":
			t.Test = append(t.Test, name)
		case "gallery":
			t.Gallery = append(t.Gallery, name)
		case "probe":
			t.Probe = append(t.Probe, name)
		}
	}
	if len(l.Trials) < 2 {
		return nil, fmt.Errorf("%s: %d trials: want 2 or more", file, len(l.Trials))
	}
	for k, t := range l.Trials {
		if len(t.Test) == 0 || len(t.Gallery) == 0 || len(t.Probe) == 0 {
			return nil, fmt.Errorf("%s: trial %d has %d images in test, %d in gallery and %d in probe: want some in each", file, k+1, len(t.Test), len(t.Gallery), len(t.Probe))
		}
	}
	return l, nil
}

// sets returns the names of a trial's three sets.
func (t *ListTrial) sets() [3][]string { return [3][]string{t.Test, t.Gallery, t.Probe} }
