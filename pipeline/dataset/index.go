package dataset

import (
	"hash/maphash"
	"unsafe"
)

// index holds the rows of a list of millions of images without an object for each: paths lie one after another in large blocks,
// identities are numbered, and the table that finds a path again holds row numbers.
type index struct {
	paths    []string // views of blocks
	identity []int32  // of each path, index into names
	line     []int32  // of each path, in the file
	names    []string
	number   map[string]int32 // of each name
	block    []byte           // the newest

	seed  maphash.Seed
	table []int32 // open addressing: 1 + the number of a path, or 0
}

const blockBytes = 1 << 20

func newIndex() *index {
	return &index{number: map[string]int32{}, seed: maphash.MakeSeed(), table: make([]int32, 1<<10)}
}

// intern returns a copy of a text that lies in a block.
func (x *index) intern(text string) string {
	if len(text) > cap(x.block)-len(x.block) {
		x.block = make([]byte, 0, max(blockBytes, len(text)))
	}
	at := len(x.block)
	x.block = append(x.block, text...)
	return unsafe.String(&x.block[at], len(text)) // what a block holds never changes
}

// add takes a path that is not empty. If the index has it already, it returns the line on which it was.
func (x *index) add(path, identity string, line int) (before int, twice bool) {
	if 2*len(x.paths) >= len(x.table) {
		x.grow()
	}
	slot := x.find(path)
	if k := x.table[slot]; k != 0 {
		return int(x.line[k-1]), true
	}
	number, ok := x.number[identity]
	if !ok {
		number = int32(len(x.names))
		name := x.intern(identity)
		x.names, x.number[name] = append(x.names, name), number
	}
	x.paths, x.identity, x.line = append(x.paths, x.intern(path)), append(x.identity, number), append(x.line, int32(line))
	x.table[slot] = int32(len(x.paths))
	return 0, false
}

// find returns the slot of a path, or the free one that is for it.
func (x *index) find(path string) int {
	mask := len(x.table) - 1
	slot := int(maphash.String(x.seed, path)) & mask
	for x.table[slot] != 0 && x.paths[x.table[slot]-1] != path {
		slot = (slot + 1) & mask
	}
	return slot
}

func (x *index) grow() {
	x.table = make([]int32, 2*len(x.table))
	for i, path := range x.paths {
		x.table[x.find(path)] = int32(i + 1)
	}
}

// grouped returns the paths of each identity, by its number, in the list's order: parts of one slice.
func (x *index) grouped() [][]string {
	start := make([]int, len(x.names)+1)
	for _, k := range x.identity {
		start[k+1]++
	}
	for k := range x.names {
		start[k+1] += start[k]
	}
	all, groups, end := make([]string, len(x.paths)), make([][]string, len(x.names)), append([]int(nil), start...)
	for i, k := range x.identity {
		all[end[k]] = x.paths[i]
		end[k]++
	}
	for k := range groups {
		groups[k] = all[start[k]:start[k+1]:start[k+1]]
	}
	return groups
}
