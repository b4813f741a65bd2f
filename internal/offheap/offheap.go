// Package offheap takes large memory from the operating system instead of the Go heap, so
// that the collector neither scans it nor lets the process grow to twice its size, and asks for huge pages.
package offheap

import "unsafe"

// Bytes returns n zero bytes. They stay until Free.
func Bytes(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	return allocate(n)
}

// Floats returns n zeros, aligned to a page. They stay until FreeFloats.
func Floats(n int) ([]float32, error) {
	b, err := Bytes(4 * n)
	if len(b) == 0 || err != nil {
		return nil, err
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), n), nil
}

// Free gives back what Bytes returned, which must not be used afterwards.
func Free(b []byte) {
	if len(b) > 0 {
		free(b)
	}
}

// FreeFloats gives back what Floats returned, which must not be used afterwards.
func FreeFloats(x []float32) {
	if len(x) > 0 {
		free(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x)))
	}
}

// hugePage is the size of a huge page on amd64, and on arm64 with pages of 4 KiB.
const hugePage = 2 << 20

// AdviseHuge asks for huge pages under the whole ones of them that x, of the Go heap, covers. It should be new: a page that
// has been written to stays small for long.
func AdviseHuge[T any](x []T) {
	var element T
	n := cap(x) * int(unsafe.Sizeof(element))
	first := int(-uintptr(unsafe.Pointer(unsafe.SliceData(x))) & (hugePage - 1))
	if pages := (n - first) / hugePage; pages > 0 {
		advise(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), n)[first:][:pages*hugePage])
	}
}
