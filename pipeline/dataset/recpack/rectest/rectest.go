// Package rectest writes small packs, for tests.
package rectest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Magic begins every record, and every part of one.
const Magic = 0xced7230a

// Append appends a record as MXNet writes it: cut where the magic number stands at a multiple of four. flag is the number of
// labels that follow the header, or 0 where label is the only one.
func Append(b []byte, flag uint32, label float32, labels []float32, image []byte) []byte {
	p := binary.LittleEndian.AppendUint32(nil, flag)
	p = binary.LittleEndian.AppendUint32(p, math.Float32bits(label))
	p = append(p, make([]byte, 16)...)
	for _, l := range labels {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(l))
	}
	p = append(p, image...)
	var parts [][]byte
	start := 0
	for i := 0; i+4 <= len(p); i += 4 {
		if binary.LittleEndian.Uint32(p[i:]) == Magic {
			parts = append(parts, p[start:i])
			start = i + 4
		}
	}
	parts = append(parts, p[start:])
	for i, part := range parts {
		kind := uint32(2)
		switch {
		case len(parts) == 1:
			kind = 0
		case i == 0:
			kind = 1
		case i == len(parts)-1:
			kind = 3
		}
		b = binary.LittleEndian.AppendUint32(b, Magic)
		b = binary.LittleEndian.AppendUint32(b, kind<<29|uint32(len(part)))
		b = append(b, part...)
		b = append(b, make([]byte, (4-len(part)%4)%4)...)
	}
	return b
}

// Pack returns an InsightFace pack of the images of the identities 0, 1 ..., and its index: record 0 says where images and
// identities end, then come the images, then a record for each identity with the range of its images.
func Pack(identities [][][]byte) (rec []byte, idx string) {
	images := 0
	for _, id := range identities {
		images += len(id)
	}
	n := 0
	add := func(flag uint32, label float32, labels []float32, image []byte) {
		idx += fmt.Sprintf("%d\t%d\n", n, len(rec))
		rec = Append(rec, flag, label, labels, image)
		n++
	}
	end := float32(images + 1)
	add(2, 0, []float32{end, end + float32(len(identities))}, nil)
	for label, id := range identities {
		for _, image := range id {
			add(0, float32(label), nil, image)
		}
	}
	first := 1
	for _, id := range identities {
		add(2, 0, []float32{float32(first), float32(first + len(id))}, nil)
		first += len(id)
	}
	return rec, idx
}
