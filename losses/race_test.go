//go:build race

package losses

// race says that the race detector is on: sync.Pool then forgets at random, and memory is counted otherwise.
const race = true
