package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// setOf returns a set of identities p000, p001 ... with the given numbers of images.
func setOf(counts ...int) *Set {
	s := &Set{Root: "root"}
	for i, n := range counts {
		name := fmt.Sprintf("p%03d", i)
		s.Identities = append(s.Identities, name)
		for j := range n {
			s.Samples = append(s.Samples, Sample{fmt.Sprintf("%s/%d.jpg", name, j), i})
		}
	}
	return s
}

// alternating returns n counts: several for even indices, one for odd ones.
func alternating(n int) []int {
	counts := make([]int, n)
	for i := range counts {
		counts[i] = 1
		if i%2 == 0 {
			counts[i] = 2 + i%5
		}
	}
	return counts
}

func TestSplit(t *testing.T) {
	s := setOf(alternating(201)...) // 101 with several images, 100 with one
	for _, share := range []float64{0.04, 0.1, 0.5, 0.9} {
		train, val, err := s.Split(share, 7)
		if err != nil {
			t.Fatal(err)
		}
		several := 0
		for _, n := range val.Counts() {
			if n > 1 {
				several++
			}
		}
		if want := int(math.Round(101 * share)); several != want {
			t.Errorf("share %v: %d with several images, want %d", share, several, want)
		}
		if single, want := len(val.Identities)-several, int(math.Round(100*share)); single != want {
			t.Errorf("share %v: %d with one image, want %d", share, single, want)
		}
		// Both are sets as Open would make them, and each sample is in one of them.
		var identities, samples []string
		for _, part := range []*Set{train, val} {
			if part.Root != s.Root || !slices.IsSorted(part.Identities) || slices.Contains(part.Counts(), 0) {
				t.Errorf("share %v: %+v", share, part)
			}
			identities = append(identities, part.Identities...)
			for i, x := range part.Samples {
				if !strings.HasPrefix(x.Path, part.Identities[x.Identity]+"/") || i > 0 && x.Identity < part.Samples[i-1].Identity {
					t.Errorf("share %v: sample %+v", share, x)
				}
				samples = append(samples, x.Path)
			}
		}
		slices.Sort(identities)
		slices.Sort(samples)
		if !slices.Equal(identities, s.Identities) || len(samples) != len(s.Samples) || len(slices.Compact(samples)) != len(s.Samples) {
			t.Errorf("share %v: identities or samples are lost or doubled", share)
		}
	}
}

// The draw is the seed's alone.
func TestSplitSeed(t *testing.T) {
	s := setOf(alternating(201)...)
	held := func(seed uint64) []string {
		_, val, err := s.Split(0.2, seed)
		if err != nil {
			t.Fatal(err)
		}
		return val.Identities
	}
	if !slices.Equal(held(1), held(1)) {
		t.Error("not reproducible")
	}
	if slices.Equal(held(1), held(2)) {
		t.Error("the seed changes nothing")
	}
}

func TestSplitMistakes(t *testing.T) {
	for _, c := range []struct {
		s     *Set
		share float64
		want  string
	}{
		{setOf(alternating(20)...), 0, "a share of 0"},
		{setOf(alternating(20)...), 1, "a share of 1"},
		{setOf(alternating(20)...), math.NaN(), "a share of NaN"},
		{setOf(alternating(40)...), 0.1, "holding out 0.1 of the 20 identities with two or more images, of 40 in all, gives 2; pairs to validate with need at least 4: hold out 0.18, or train without"},
		{setOf(1, 1, 1, 1, 1, 1, 1, 2), 0.5, "gives 1; pairs to validate with need at least 4, and two to train on"},
		{setOf(2, 2, 2, 2, 2), 0.5, "gives 3; pairs to validate with need at least 4, and two to train on"},
		{setOf(2, 2, 2, 2, 2, 2), 0.9, "leaves 1 to train on"},
	} {
		if _, _, err := c.s.Split(c.share, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("share %v: error is %v; want %q", c.share, err, c.want)
		}
	}
}

// The share that the error asks for is enough, and hardly more than that.
func TestSplitAdvice(t *testing.T) {
	for several := MinHeldOut + 2; several < 300; several++ {
		counts := slices.Repeat([]int{2}, several)
		_, _, err := setOf(counts...).Split(0.001, 1)
		if !errors.Is(err, errNoSplit) {
			t.Fatalf("%d identities: %v", several, err)
		}
		_, advice, _ := strings.Cut(err.Error(), "hold out ")
		var share float64
		if _, err := fmt.Sscanf(advice, "%f", &share); err != nil {
			t.Fatalf("%d identities: %v", several, err)
		}
		_, val, err := setOf(counts...).Split(share, 1)
		if err != nil || len(val.Identities) > MinHeldOut+several/100+1 {
			t.Fatalf("%d identities, share %v: %v", several, share, err)
		}
	}
}
