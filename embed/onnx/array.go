package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

func float32from(bits uint32) float32 { return math.Float32frombits(bits) }

// array is a constant: its numbers in row-major order. Integers and booleans are in ints, all others in floats.
type array struct {
	dims   []int
	floats []float32
	ints   []int64 // nil unless the array is of integers
}

// maxElements bounds arrays that a small file can ask for: ConstantOfShape, Expand and the like.
const maxElements = 1 << 26

func (a *array) len() int { return count(a.dims) }

func (a *array) isInt() bool { return a.ints != nil }

func ints(dims []int, v ...int64) *array {
	if v == nil {
		v = []int64{}
	}
	return &array{dims: dims, ints: v}
}

func vectorOf(v []int) *array {
	a := ints([]int{len(v)})
	for _, x := range v {
		a.ints = append(a.ints, int64(x))
	}
	return a
}

// at returns an element as a float64.
func (a *array) at(i int) float64 {
	if a.isInt() {
		return float64(a.ints[i])
	}
	return float64(a.floats[i])
}

// float returns the elements as float32.
func (a *array) float() []float32 {
	if !a.isInt() {
		return a.floats
	}
	f := make([]float32, len(a.ints))
	for i, v := range a.ints {
		f[i] = float32(v)
	}
	return f
}

// list returns the elements as integers.
func (a *array) list() ([]int, error) {
	if !a.isInt() {
		return nil, fmt.Errorf("an array of floats where integers are wanted")
	}
	if len(a.ints) > 1<<16 {
		return nil, fmt.Errorf("%d integers where a few are wanted", len(a.ints))
	}
	v := make([]int, len(a.ints))
	for i, x := range a.ints {
		v[i] = int(x)
	}
	return v, nil
}

// count returns the number of elements; it is right for dims that checkDims accepted.
func count(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// checkDims returns an error unless the sides are possible and give at most most elements.
func checkDims(dims []int, most int) error {
	n := 1
	for _, d := range dims {
		if d < 0 || d > most {
			return fmt.Errorf("a shape of %v", dims)
		}
		if n *= d; n > most {
			return fmt.Errorf("a shape of %v is too large", dims)
		}
	}
	return nil
}

// Types of tensors.
const (
	typeFloat    = 1
	typeUint8    = 2
	typeInt8     = 3
	typeUint16   = 4
	typeInt16    = 5
	typeInt32    = 6
	typeInt64    = 7
	typeString   = 8
	typeBool     = 9
	typeFloat16  = 10
	typeDouble   = 11
	typeUint32   = 12
	typeUint64   = 13
	typeBFloat16 = 16
)

// sizes are the bytes of an element in raw data.
var sizes = map[int64]int{typeFloat: 4, typeUint8: 1, typeInt8: 1, typeUint16: 2, typeInt16: 2, typeInt32: 4, typeInt64: 8,
	typeBool: 1, typeFloat16: 2, typeDouble: 8, typeUint32: 4, typeUint64: 8, typeBFloat16: 2}

// array decodes a tensor; external data are read from files in dir.
func (t *tensorProto) array(dir string) (*array, error) {
	fail := func(format string, args ...any) (*array, error) {
		return nil, fmt.Errorf("tensor %q: %s", t.name, fmt.Sprintf(format, args...))
	}
	size, ok := sizes[t.kind]
	if !ok {
		return fail("type %d is not supported", t.kind)
	}
	if t.segment {
		return fail("it is in segments, which are not supported")
	}
	a := &array{dims: make([]int, len(t.dims))}
	for i, d := range t.dims {
		if d < 0 || d > math.MaxInt32 {
			return fail("its shape is %v", t.dims)
		}
		a.dims[i] = int(d)
	}
	if err := checkDims(a.dims, math.MaxInt32); err != nil {
		return fail("%v", err)
	}
	n := a.len()
	raw := t.raw
	if t.external != nil {
		var err error
		if raw, err = t.readExternal(dir, n*size); err != nil {
			return fail("%v", err)
		}
	}
	// What there is decides how much memory is taken, not what the shape says.
	given := len(raw) / size
	switch {
	case raw != nil:
		if len(raw) != n*size {
			return fail("a shape of %v wants %d bytes, it has %d", a.dims, n*size, len(raw))
		}
	case t.kind == typeFloat:
		raw, given = t.floats, len(t.floats)/4
	case t.kind == typeDouble:
		raw, given = t.doubles, len(t.doubles)/8
	default:
		given = len(t.ints)
	}
	if given != n {
		return fail("a shape of %v wants %d numbers, it has %d", a.dims, n, given)
	}
	if raw == nil && n > 0 {
		a.fromInts(t)
		return a, nil
	}
	a.fromRaw(t.kind, raw, n)
	return a, nil
}

// isInteger reports whether a type is of whole numbers or booleans.
func isInteger(kind int64) bool {
	return !slices.Contains([]int64{typeFloat, typeDouble, typeFloat16, typeBFloat16}, kind)
}

// fromInts takes the numbers of int32_data, int64_data or uint64_data; 16-bit floats come as their bits.
func (a *array) fromInts(t *tensorProto) {
	if isInteger(t.kind) {
		a.ints = t.ints
		return
	}
	a.floats = make([]float32, len(t.ints))
	for i, v := range t.ints {
		if t.kind == typeFloat16 {
			a.floats[i] = halfToFloat(uint16(v))
		} else {
			a.floats[i] = float32from(uint32(uint16(v)) << 16)
		}
	}
}

func (a *array) fromRaw(kind int64, raw []byte, n int) {
	le := binary.LittleEndian
	if isInteger(kind) {
		a.ints = make([]int64, n)
		for i := range a.ints {
			switch kind {
			case typeUint8, typeBool:
				a.ints[i] = int64(raw[i])
			case typeInt8:
				a.ints[i] = int64(int8(raw[i]))
			case typeUint16:
				a.ints[i] = int64(le.Uint16(raw[2*i:]))
			case typeInt16:
				a.ints[i] = int64(int16(le.Uint16(raw[2*i:])))
			case typeInt32:
				a.ints[i] = int64(int32(le.Uint32(raw[4*i:])))
			case typeUint32:
				a.ints[i] = int64(le.Uint32(raw[4*i:]))
			default:
				a.ints[i] = int64(le.Uint64(raw[8*i:]))
			}
		}
		return
	}
	a.floats = make([]float32, n)
	for i := range a.floats {
		switch kind {
		case typeFloat:
			a.floats[i] = float32from(le.Uint32(raw[4*i:]))
		case typeDouble:
			a.floats[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		case typeFloat16:
			a.floats[i] = halfToFloat(le.Uint16(raw[2*i:]))
		default:
			a.floats[i] = float32from(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	}
}

// halfToFloat converts IEEE 754's 16-bit floating point.
func halfToFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exponent {
	case 0:
		v := float32(fraction) / (1 << 24)
		return float32from(sign | math.Float32bits(v))
	case 31:
		return float32from(sign | 0x7f800000 | fraction<<13)
	}
	return float32from(sign | (exponent+112)<<23 | fraction<<13)
}

// floatToHalf rounds to the nearest 16-bit floating point number, to the even one of two; what is too large becomes infinite.
func floatToHalf(f float32) uint16 {
	bits := math.Float32bits(f)
	sign, x := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case x > 0x7f800000:
		return sign | 0x7e00
	case x >= 0x477ff000:
		return sign | 0x7c00
	case x < 0x38800000: // below the least normal number
		return sign | uint16(math.RoundToEven(math.Abs(float64(f))*(1<<24)))
	}
	x += 0xfff + x>>13&1
	return sign | uint16((x-0x38000000)>>13)
}

// readExternal reads what a tensor keeps in another file.
func (t *tensorProto) readExternal(dir string, want int) ([]byte, error) {
	name := t.external["location"]
	if name == "" || !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("its data are in %q, which is not a file beside the model", name)
	}
	number := func(key string, def int64) (int64, error) {
		text, ok := t.external[key]
		if !ok {
			return def, nil
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v < 0 {
			return 0, fmt.Errorf("external data: %s is %q", key, text)
		}
		return v, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return nil, err
	}
	length, err := number("length", int64(want))
	if err != nil {
		return nil, err
	}
	if length != int64(want) {
		return nil, fmt.Errorf("%d bytes of external data, its shape wants %d", length, want)
	}
	root, err := os.OpenRoot(dir) // through which no link leads out
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("its data are in another file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || offset > info.Size() || length > info.Size()-offset {
		return nil, fmt.Errorf("its data are %d bytes from %d on of %s, which has %d", length, offset, name, info.Size())
	}
	raw := make([]byte, length)
	_, err = io.ReadFull(io.NewSectionReader(f, offset, length), raw)
	return raw, err
}
