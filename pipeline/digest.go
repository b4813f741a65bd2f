package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// dataDigest tells whether a data set is still the one that a run began with, and what
// has changed if not.
type dataDigest struct {
	Identities []string `json:"identities"` // of training
	Images     []int    `json:"images"`     // of each
	Sum        string   `json:"sum"`        // SHA-256 of all training images' names in their order
}

// digest takes the training identities and, of each image, its identity and its name.
func digest(identities []string, labels []int, names []string) dataDigest {
	d := dataDigest{Identities: identities, Images: make([]int, len(identities))}
	h := sha256.New()
	var line []byte // "%d %q\n"
	for i, name := range names {
		d.Images[labels[i]]++
		line = strconv.AppendInt(line[:0], int64(labels[i]), 10)
		line = append(strconv.AppendQuote(append(line, ' '), name), '\n')
		h.Write(line)
	}
	d.Sum = hex.EncodeToString(h.Sum(nil))
	return d
}

// diff returns nil if now is the same data, or an error that names what is not.
func (d dataDigest) diff(now dataDigest) error {
	if d.Sum == now.Sum && strings.Join(d.Identities, "\n") == strings.Join(now.Identities, "\n") {
		return nil
	}
	before := map[string]int{}
	for i, name := range d.Identities {
		before[name] = d.Images[i]
	}
	var changes []string
	for i, name := range now.Identities {
		switch n, ok := before[name]; {
		case !ok:
			changes = append(changes, fmt.Sprintf("identity %s is new", name))
		case n != now.Images[i]:
			changes = append(changes, fmt.Sprintf("identity %s had %d images and has %d", name, n, now.Images[i]))
		}
		delete(before, name)
	}
	for _, name := range d.Identities {
		if _, gone := before[name]; gone {
			changes = append(changes, fmt.Sprintf("identity %s is gone", name))
		}
	}
	if len(changes) == 0 {
		changes = []string{"images have other names or another order"}
	}
	const shown = 5
	more := ""
	if n := len(changes) - shown; n > 0 {
		changes, more = changes[:shown], fmt.Sprintf(", and %d more changes", n)
	}
	return fmt.Errorf("the training data have changed since the run began: %s%s", strings.Join(changes, ", "), more)
}
