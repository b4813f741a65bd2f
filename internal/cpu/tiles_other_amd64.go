//go:build amd64 && !linux && !purego

package cpu

// tiles: AMX has not run on this system.
func tiles() bool { return false }
