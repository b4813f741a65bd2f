//go:build amd64 && !purego

package cpu

import "golang.org/x/sys/cpu"

func best() Variant {
	x := &cpu.X86
	avx512 := x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasFMA
	switch {
	case avx512 && x.HasAVX512BF16 && x.HasAMXTile && x.HasAMXBF16 && tiles():
		return AMX
	case avx512 && x.HasAVX512BF16:
		return AVX512BF16
	case avx512:
		return AVX512
	case x.HasAVX2 && x.HasFMA:
		return AVX2
	}
	return Generic
}
