package team

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// processors says which of the machine's processors this process may run on: mpirun may give each rank its own.
func processors() string {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return ""
	}
	return fmt.Sprint(set)
}
