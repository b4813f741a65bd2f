package dataset

import (
	"errors"
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/random"
)

// MinHeldOut is the fewest held-out identities with two or more images that Split accepts.
// The rates of fewer people say more about those people than about the model.
const MinHeldOut = 4

// errNoSplit is wrapped by errors that no share would mend.
var errNoSplit = errors.New("train without validation (none), or validate with a pairs file of other people")

// Split holds out a share (0 to 1, exclusive) of the identities, drawn from the seed, and
// returns the others and those as sets of their own. Of identities with two or more images,
// which alone make genuine pairs, and of those with one it takes the same share, each
// rounded to the nearest.
//
// It is an error, which says what would be enough, if that holds out fewer than MinHeldOut
// identities with two or more images, or leaves fewer than two identities.
func (s *Set) Split(share float64, seed uint64) (train, val *Set, err error) {
	if !(share > 0 && share < 1) {
		return nil, nil, fmt.Errorf("a share of %v of the identities to hold out; want more than 0 and less than 1", share)
	}
	var single, several []int
	for i, n := range s.Counts() {
		if n > 1 {
			several = append(several, i)
		} else {
			single = append(single, i)
		}
	}
	part := func(of int) int { return int(math.Round(share * float64(of))) }
	if held := part(len(several)); held < MinHeldOut {
		return nil, nil, tooFew(share, len(s.Identities), len(several), held)
	}
	if left := len(s.Identities) - part(len(several)) - part(len(single)); left < 2 {
		return nil, nil, fmt.Errorf("holding out %v of %d identities leaves %d to train on; at least 2 are needed: hold out less", share, len(s.Identities), left)
	}
	kept, held := make([]bool, len(s.Identities)), make([]bool, len(s.Identities))
	for i := range kept {
		kept[i] = true
	}
	rng := random.New(seed, random.Split, 0, 0)
	for _, group := range [][]int{several, single} {
		for _, i := range rng.Perm(len(group))[:part(len(group))] {
			kept[group[i]], held[group[i]] = false, true
		}
	}
	return s.subset(kept), s.subset(held), nil
}

func tooFew(share float64, all, several, held int) error {
	found := fmt.Sprintf("holding out %v of the %d identities with two or more images, of %d in all, gives %d; pairs to validate with need at least %d",
		share, several, all, held, MinHeldOut)
	if several < MinHeldOut || all < MinHeldOut+2 {
		return fmt.Errorf("%s, and two to train on are needed besides: %w", found, errNoSplit)
	}
	// Rounded up to hundredths; a half more than needed would do.
	enough := math.Ceil(100*(MinHeldOut-0.5)/float64(several)) / 100
	return fmt.Errorf("%s: hold out %.2f, or %w", found, enough, errNoSplit)
}
