package dataset

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// An index says what two maps would.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, lines, images := newIndex(), map[string]int{}, map[string][]string{}
		paths := rapid.SliceOfN(rapid.StringN(1, 3, 6), 0, 3000).Draw(t, "paths")
		for i, path := range paths {
			if i%500 == 3 {
				path = strings.Repeat(path, blockBytes/2) // longer than what is left of a block
			}
			identity := string(rune('a' + len(path)*i%7))
			before, twice := x.add(path, identity, i+1)
			if was, ok := lines[path]; ok != twice || was != before {
				t.Fatalf("%.10q on line %d: before on %d, %v; want %d, %v", path, i+1, before, twice, was, ok)
			}
			if !twice {
				lines[path] = i + 1
				images[identity] = append(images[identity], path)
			}
		}
		groups := x.grouped()
		if len(groups) != len(images) {
			t.Fatalf("%d identities, want %d", len(groups), len(images))
		}
		for k, name := range x.names {
			if !slices.Equal(groups[k], images[name]) {
				t.Fatalf("identity %s has %.40q, want %.40q", name, groups[k], images[name])
			}
		}
	})
}
