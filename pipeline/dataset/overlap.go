package dataset

import (
	"fmt"
	"strings"

	"github.com/faceverify/fv/eval"
)

// Overlap returns an error that names a person of the training set who is in the pairs too,
// and the line of the pairs file, or nil if there is none. A person is known by the name of
// the folder, whatever the root.
func Overlap(train *Set, pairs *eval.Pairs) error {
	known := make(map[string]bool, len(train.Identities))
	for _, name := range train.Identities {
		known[name] = true
	}
	var first eval.Pair
	var name string
	both := map[string]bool{}
	for _, pair := range pairs.Pairs {
		for _, path := range [2]string{pair.A, pair.B} {
			person, _, _ := strings.Cut(path, "/")
			if !known[person] {
				continue
			}
			if len(both) == 0 {
				first, name = pair, person
			}
			both[person] = true
		}
	}
	if len(both) == 0 {
		return nil
	}
	where := pairs.Name
	if first.Line > 0 {
		where = fmt.Sprintf("%s:%d", pairs.Name, first.Line)
	}
	others := ""
	if n := len(both) - 1; n > 0 {
		others = fmt.Sprintf(" (and so are %s)", count(n, "other person", "other people"))
	}
	return fmt.Errorf("%s: %s is in the training set too%s; a model must be validated on people it was not trained on: leave them out of one side, of training by a people file",
		where, name, others)
}
