package onnx

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// These are the messages of onnx.proto, as far as they are read. Byte slices are parts of the file.

type modelProto struct {
	ir       int64
	producer string
	opsets   map[string]int64 // version by domain
	metadata map[string]string
	graph    *graphProto
}

type graphProto struct {
	nodes           []nodeProto
	tensors         []tensorProto
	inputs, outputs []valueProto
}

type nodeProto struct {
	name, op, domain string
	inputs, outputs  []string
	attributes       []attributeProto
}

// String is how errors call a node.
func (n *nodeProto) String() string {
	if n.name != "" {
		return fmt.Sprintf("node %q (%s)", n.name, n.op)
	}
	if len(n.outputs) > 0 {
		return fmt.Sprintf("the node (%s) that gives %q", n.op, n.outputs[0])
	}
	return fmt.Sprintf("a node (%s)", n.op)
}

type attributeProto struct {
	name    string
	kind    int64
	f       float32
	i       int64
	s       string
	t       *tensorProto
	floats  []float32
	ints    []int64
	strings []string
}

// Kinds of attributes.
const (
	attributeFloat   = 1
	attributeInt     = 2
	attributeString  = 3
	attributeTensor  = 4
	attributeGraph   = 5
	attributeFloats  = 6
	attributeInts    = 7
	attributeStrings = 8
)

type tensorProto struct {
	name     string
	dims     []int64
	kind     int64
	raw      []byte
	floats   []byte // packed, as the other lists: converted when it is known how many there are to be
	ints     []int64
	doubles  []byte
	external map[string]string // nil unless the data are in another file
	segment  bool
}

type valueProto struct {
	name string
	kind int64
	dims []dimProto // nil if the shape is not known
	rank bool       // whether it is
}

// dimProto is a side: a number, or a name, or nothing.
type dimProto struct {
	n    int64
	name string
}

// field is one of a message.
type field struct {
	num   protowire.Number
	bytes []byte // of a length-delimited field
	n     uint64 // of any other
	wire  protowire.Type
}

var errWire = errors.New("this is no ONNX file, or it is damaged")

// each calls f for every field of a message.
func each(b []byte, f func(field) error) error {
	for len(b) > 0 {
		num, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		b = b[n:]
		v := field{num: num, wire: wire}
		switch wire {
		case protowire.VarintType:
			v.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			v.n = uint64(x)
		case protowire.Fixed64Type:
			v.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = -1
		}
		if n < 0 {
			return errWire
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// ints appends the numbers of a field of a list of integers, packed or not.
func (v field) ints(dst []int64) ([]int64, error) {
	if v.wire == protowire.VarintType {
		return append(dst, int64(v.n)), nil
	}
	for b := v.bytes; len(b) > 0; {
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, errWire
		}
		dst, b = append(dst, int64(x)), b[n:]
	}
	return dst, nil
}

// fixed appends the bytes of a field of a list of numbers of fixed size, packed or not.
func (v field) fixed(dst []byte) []byte {
	switch v.wire {
	case protowire.Fixed32Type:
		return protowire.AppendFixed32(dst, uint32(v.n))
	case protowire.Fixed64Type:
		return protowire.AppendFixed64(dst, v.n)
	}
	if dst == nil {
		return v.bytes[:len(v.bytes):len(v.bytes)]
	}
	return append(dst, v.bytes...)
}

func parseModel(b []byte) (*modelProto, error) {
	m := &modelProto{opsets: map[string]int64{}, metadata: map[string]string{}}
	err := each(b, func(v field) (err error) {
		switch v.num {
		case 1:
			m.ir = int64(v.n)
		case 2:
			m.producer = string(v.bytes)
		case 7:
			m.graph, err = parseGraph(v.bytes)
		case 8:
			var domain string
			var version int64
			err = each(v.bytes, func(v field) error {
				switch v.num {
				case 1:
					domain = string(v.bytes)
				case 2:
					version = int64(v.n)
				}
				return nil
			})
			if domain == "ai.onnx" {
				domain = ""
			}
			m.opsets[domain] = version
		case 14:
			var k, x string
			k, x, err = parseEntry(v.bytes)
			m.metadata[k] = x
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.graph == nil {
		return nil, errWire
	}
	return m, nil
}

func parseEntry(b []byte) (key, value string, err error) {
	err = each(b, func(v field) error {
		switch v.num {
		case 1:
			key = string(v.bytes)
		case 2:
			value = string(v.bytes)
		}
		return nil
	})
	return key, value, err
}

func parseGraph(b []byte) (*graphProto, error) {
	g := &graphProto{}
	err := each(b, func(v field) error {
		switch v.num {
		case 1:
			n, err := parseNode(v.bytes)
			g.nodes = append(g.nodes, n)
			return err
		case 5:
			t, err := parseTensor(v.bytes)
			g.tensors = append(g.tensors, t)
			return err
		case 11, 12:
			x, err := parseValue(v.bytes)
			if v.num == 11 {
				g.inputs = append(g.inputs, x)
			} else {
				g.outputs = append(g.outputs, x)
			}
			return err
		case 15:
			return fmt.Errorf("it has sparse weights, which are not supported")
		}
		return nil
	})
	return g, err
}

func parseNode(b []byte) (n nodeProto, err error) {
	err = each(b, func(v field) error {
		switch v.num {
		case 1:
			n.inputs = append(n.inputs, string(v.bytes))
		case 2:
			n.outputs = append(n.outputs, string(v.bytes))
		case 3:
			n.name = string(v.bytes)
		case 4:
			n.op = string(v.bytes)
		case 5:
			a, err := parseAttribute(v.bytes)
			n.attributes = append(n.attributes, a)
			return err
		case 7:
			if n.domain = string(v.bytes); n.domain == "ai.onnx" {
				n.domain = ""
			}
		}
		return nil
	})
	return n, err
}

func parseAttribute(b []byte) (a attributeProto, err error) {
	var floats []byte
	err = each(b, func(v field) (err error) {
		switch v.num {
		case 1:
			a.name = string(v.bytes)
		case 2:
			a.f = float32from(uint32(v.n))
			a.kind = max(a.kind, attributeFloat)
		case 3:
			a.i = int64(v.n)
		case 4:
			a.s = string(v.bytes)
		case 5:
			t, err := parseTensor(v.bytes)
			a.t = &t
			return err
		case 6, 11:
			a.kind = attributeGraph
		case 7:
			floats = v.fixed(floats)
		case 8:
			a.ints, err = v.ints(a.ints)
		case 9:
			a.strings = append(a.strings, string(v.bytes))
		case 20:
			a.kind = int64(v.n)
		case 21:
			return fmt.Errorf("attribute %q refers to one of a function, which are not supported", a.name)
		}
		return err
	})
	for len(floats) >= 4 {
		x, _ := protowire.ConsumeFixed32(floats)
		a.floats, floats = append(a.floats, float32from(x)), floats[4:]
	}
	return a, err
}

func parseTensor(b []byte) (t tensorProto, err error) {
	err = each(b, func(v field) (err error) {
		switch v.num {
		case 1:
			t.dims, err = v.ints(t.dims)
		case 2:
			t.kind = int64(v.n)
		case 3:
			t.segment = true
		case 4:
			t.floats = v.fixed(t.floats)
		case 5, 7, 11:
			t.ints, err = v.ints(t.ints)
		case 8:
			t.name = string(v.bytes)
		case 9:
			t.raw = v.bytes
		case 10:
			t.doubles = v.fixed(t.doubles)
		case 13:
			if t.external == nil {
				t.external = map[string]string{}
			}
			k, x, err := parseEntry(v.bytes)
			t.external[k] = x
			return err
		case 14:
			if v.n == 1 && t.external == nil {
				t.external = map[string]string{}
			}
		}
		return err
	})
	return t, err
}

func parseValue(b []byte) (x valueProto, err error) {
	err = each(b, func(v field) error {
		switch v.num {
		case 1:
			x.name = string(v.bytes)
		case 2:
			return each(v.bytes, func(v field) error {
				if v.num == 1 {
					return x.parseType(v.bytes)
				}
				return nil
			})
		}
		return nil
	})
	return x, err
}

func (x *valueProto) parseType(b []byte) error {
	return each(b, func(v field) error {
		switch v.num {
		case 1:
			x.kind = int64(v.n)
		case 2:
			x.rank = true
			return each(v.bytes, func(v field) error {
				if v.num != 1 {
					return nil
				}
				d := dimProto{n: -1}
				err := each(v.bytes, func(v field) error {
					switch v.num {
					case 1:
						d.n = int64(v.n)
					case 2:
						d.name = string(v.bytes)
					}
					return nil
				})
				x.dims = append(x.dims, d)
				return err
			})
		}
		return nil
	})
}
