//go:build !purego

package cpu

import (
	"sync"

	"golang.org/x/sys/unix"
)

// tiles asks Linux, once, for the state of AMX's tiles, without which their instructions fault.
var tiles = sync.OnceValue(func() bool {
	const (
		requestPermission = 0x1023 // ARCH_REQ_XCOMP_PERM
		tileData          = 18     // XFEATURE_XTILEDATA
	)
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
})
