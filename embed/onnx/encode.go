package onnx

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

func bits(f float32) uint32 { return math.Float32bits(f) }

// appendFloats appends a packed list.
func appendFloats(b []byte, num protowire.Number, v []float32) []byte {
	b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(4*len(v)))
	for _, x := range v {
		b = protowire.AppendFixed32(b, bits(x))
	}
	return b
}

// attribute is one of a node that is written; its value is an int, float64, string, []int or []float32.
type attribute struct {
	name  string
	value any
}

func (a attribute) append(b []byte) []byte {
	m := appendText(nil, 1, a.name)
	kind := int64(0)
	switch v := a.value.(type) {
	case int:
		m, kind = appendInt(m, 3, int64(v)), attributeInt
	case float64:
		m, kind = protowire.AppendFixed32(protowire.AppendTag(m, 2, protowire.Fixed32Type), bits(float32(v))), attributeFloat
	case string:
		m, kind = appendText(m, 4, v), attributeString
	case []int:
		for _, x := range v {
			m = appendInt(m, 8, int64(x))
		}
		kind = attributeInts
	case []float32:
		m, kind = appendFloats(m, 7, v), attributeFloats
	default:
		panic("onnx: an attribute of an unknown type")
	}
	return appendMessage(b, 5, appendInt(m, 20, kind))
}

// appendTensor appends an initialiser to a graph: float32, half precision or int64, as raw data.
func appendTensor(b []byte, name string, dims []int, a *array, half bool) []byte {
	var m []byte
	for _, d := range dims {
		m = appendInt(m, 1, int64(d))
	}
	var raw []byte
	switch {
	case a.isInt():
		m = appendInt(m, 2, typeInt64)
		for _, v := range a.ints {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	case half:
		m = appendInt(m, 2, typeFloat16)
		raw = slices.Grow(raw, 2*len(a.floats))
		for _, v := range a.floats {
			raw = binary.LittleEndian.AppendUint16(raw, floatToHalf(v))
		}
	default:
		m = appendInt(m, 2, typeFloat)
		raw = slices.Grow(raw, 4*len(a.floats))
		for _, v := range a.floats {
			raw = binary.LittleEndian.AppendUint32(raw, bits(v))
		}
	}
	m = appendText(m, 8, name)
	return appendMessage(b, 5, appendMessage(m, 9, raw))
}

// appendValue appends a float32 input or output of a graph; a side below 1 is the batch's, of any length.
func appendValue(b []byte, num protowire.Number, name string, dims []int) []byte {
	var shape []byte
	for _, d := range dims {
		if d < 1 {
			shape = appendMessage(shape, 1, appendText(nil, 2, "batch"))
		} else {
			shape = appendMessage(shape, 1, appendInt(nil, 1, int64(d)))
		}
	}
	tensor := appendMessage(appendInt(nil, 1, typeFloat), 2, shape)
	return appendMessage(b, num, appendMessage(appendText(nil, 1, name), 2, appendMessage(nil, 1, tensor)))
}
