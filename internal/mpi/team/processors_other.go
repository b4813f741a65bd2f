//go:build !linux

package team

// processors says which of the machine's processors this process may run on; "" where that is not known.
func processors() string { return "" }
