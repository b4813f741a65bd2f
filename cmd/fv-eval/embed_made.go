package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"os"

	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/atomicfile"
)

// made is the file FILE.made.json beside a whole file of embeddings: what it was made of, so that the same
// command need not make it again.
type made struct {
	What    string   `json:"what"`    // source, model and settings, as the parts have it
	Inputs  string   `json:"inputs"`  // SHA-256 of names, sizes and times of the images' files
	Outputs string   `json:"outputs"` // of those of the files that were written
	Result  embedded `json:"result"`
}

func madeFile(out string) string { return out + ".made.json" }

// wholeFile returns what made the file at out if that is as it was written, of the same inputs; nil if not, or
// if nothing says so.
func wholeFile(out, what, inputs string) *embedded {
	text, err := os.ReadFile(madeFile(out))
	if err != nil {
		return nil
	}
	var m made
	if json.Unmarshal(text, &m) != nil || m.What != what || m.Inputs != inputs || m.Outputs != stamp(outputs(out)) {
		return nil
	}
	return &m.Result
}

// record says that the file of r.Out is whole.
func record(r embedded, what, inputs string) error {
	text, err := json.Marshal(made{what, inputs, stamp(outputs(r.Out)), r})
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(madeFile(r.Out), append(text, '\n'))
}

// outputs are the file of embeddings and that of names, which .npy has.
func outputs(out string) []string { return []string{out, matrix.NamesPath(out)} }

// stamp tells files from changed ones by name, size and time.
func stamp(files []string) string {
	h := sha256.New()
	for _, f := range files {
		stampFile(h, f)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func stampFile(h hash.Hash, file string) {
	if st, err := os.Stat(file); err == nil {
		fmt.Fprintf(h, "%q %d %d\n", file, st.Size(), st.ModTime().UnixNano())
	} else {
		fmt.Fprintf(h, "%q absent\n", file)
	}
}
