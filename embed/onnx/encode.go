package onnx

import (
	"math"

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
