package binpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// A pickle is a program for a machine with a stack, which can call any function of Python. This
// machine knows the opcodes that lists of bytes, flags and numpy arrays are made of, and calls nothing:
// a function's name is a symbol, and calling it makes an object that remembers what was called. Only
// the symbols of allowed exist.
// https://github.com/python/cpython/blob/main/Lib/pickletools.py describes the opcodes.

// symbol is the name of a function or class.
type symbol string

// The symbols that packs have. numpy renamed its modules in version 2.
const (
	encode      symbol = "_codecs.encode"
	reconstruct symbol = "numpy.core.multiarray._reconstruct"
	fromBuffer  symbol = "numpy.core.numeric._frombuffer"
	scalar      symbol = "numpy.core.multiarray.scalar"
	ndarray     symbol = "numpy.ndarray"
	dtype       symbol = "numpy.dtype"
)

var allowed = map[string]symbol{
	"_codecs.encode":                      encode,
	"numpy.core.multiarray._reconstruct":  reconstruct,
	"numpy._core.multiarray._reconstruct": reconstruct,
	"numpy.core.numeric._frombuffer":      fromBuffer,
	"numpy._core.numeric._frombuffer":     fromBuffer,
	"numpy.core.multiarray.scalar":        scalar,
	"numpy._core.multiarray.scalar":       scalar,
	"numpy.ndarray":                       ndarray,
	"numpy.dtype":                         dtype,
}

// What is on the stack: []byte, string, int64, bool, nil, symbol, tuple, *list, *object, or mark.
type (
	tuple  []any
	list   struct{ items []any }
	object struct { // what calling a symbol would have made
		of    symbol
		args  tuple
		state any // given by BUILD
	}
	mark struct{}
)

type machine struct {
	data  []byte
	at    int
	op    int // where the current opcode is
	stack []any
	memo  map[uint64]any
}

// run returns what the program leaves.
func (m *machine) run() (any, error) {
	for {
		m.op = m.at
		b, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if b[0] == '.' {
			return m.pop()
		}
		if err := m.step(b[0]); err != nil {
			return nil, err
		}
	}
}

func (m *machine) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %w", m.op, fmt.Errorf(format, args...))
}

func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		_, err := m.take(1)
		return err
	case 0x95: // FRAME
		_, err := m.take(8)
		return err
	case '(':
		m.push(mark{})
	case ']':
		m.push(&list{})
	case ')':
		m.push(tuple{})
	case 'N':
		m.push(nil)
	case 0x88, 0x89:
		m.push(op == 0x88)
	case 'K', 'M', 'J', 'I':
		return m.integer(op)
	case 'C', 'B', 0x8e, 'U', 'T', 0x96: // bytes, and strings of Python 2, which are bytes
		b, err := m.counted(map[byte]int{'C': 1, 'B': 4, 0x8e: 8, 'U': 1, 'T': 4, 0x96: 8}[op])
		m.push(b)
		return err
	case 0x8c, 'X', 0x8d: // text
		b, err := m.counted(map[byte]int{0x8c: 1, 'X': 4, 0x8d: 8}[op])
		m.push(string(b))
		return err
	case 'q', 'r', 0x94, 'h', 'j':
		return m.remember(op)
	case 'a', 'e':
		return m.extend(op)
	case 0x85, 0x86, 0x87, 't':
		return m.tuple(op)
	case 'c', 0x93:
		return m.global(op)
	case 'R':
		return m.call()
	case 'b':
		return m.build()
	case '0':
		_, err := m.pop()
		return err
	default:
		return m.errorf("opcode %q has no place in a list of images; the file is not trusted and is not run", op)
	}
	return nil
}

func (m *machine) push(x any) { m.stack = append(m.stack, x) }

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, m.errorf("the stack is empty")
	}
	x := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := x.(mark); ok {
		return nil, m.errorf("a mark stands where a value should")
	}
	return x, nil
}

// popMark takes all down to the last mark.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := m.stack[i+1:]
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, m.errorf("no mark on the stack")
}

// take returns the next n bytes of the file, not copied.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.at) {
		return nil, m.errorf("cut off: %d bytes are wanted, %d are left", n, len(m.data)-m.at)
	}
	b := m.data[m.at : m.at+int(n) : m.at+int(n)]
	m.at += int(n)
	return b, nil
}

// number reads a little-endian number of size bytes.
func (m *machine) number(size int) (uint64, error) {
	b, err := m.take(uint64(size))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// counted reads bytes after their number.
func (m *machine) counted(size int) ([]byte, error) {
	n, err := m.number(size)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

// line reads up to the end of a line.
func (m *machine) line() (string, error) {
	n := bytes.IndexByte(m.data[m.at:], '\n')
	if n < 0 || n > 1000 {
		return "", m.errorf("the line has no end")
	}
	b, err := m.take(uint64(n + 1))
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

func (m *machine) integer(op byte) error {
	if op == 'I' { // decimal; 00 and 01 are the flags of the oldest protocols
		text, err := m.line()
		if err != nil {
			return err
		}
		if text == "00" || text == "01" {
			m.push(text == "01")
			return nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return m.errorf("%q is not a whole number", text)
		}
		m.push(n)
		return nil
	}
	n, err := m.number(map[byte]int{'K': 1, 'M': 2, 'J': 4}[op])
	if op == 'J' {
		m.push(int64(int32(uint32(n))))
	} else {
		m.push(int64(n))
	}
	return err
}

// remember stores the top of the stack, or fetches what was stored.
func (m *machine) remember(op byte) error {
	if op == 0x94 { // MEMOIZE
		return m.store(uint64(len(m.memo)))
	}
	size := 1
	if op == 'r' || op == 'j' {
		size = 4
	}
	i, err := m.number(size)
	if err != nil {
		return err
	}
	if op == 'q' || op == 'r' {
		return m.store(i)
	}
	x, ok := m.memo[i]
	if !ok {
		return m.errorf("nothing was stored under %d", i)
	}
	m.push(x)
	return nil
}

func (m *machine) store(i uint64) error {
	x, err := m.pop()
	if err != nil {
		return err
	}
	m.push(x)
	m.memo[i] = x
	return nil
}

// extend appends to a list.
func (m *machine) extend(op byte) error {
	var items []any
	var err error
	if op == 'a' {
		var x any
		x, err = m.pop()
		items = []any{x}
	} else {
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	to, err := m.pop()
	if err != nil {
		return err
	}
	l, ok := to.(*list)
	if !ok {
		return m.errorf("appends to what is no list")
	}
	l.items = append(l.items, items...)
	m.push(l)
	return nil
}

func (m *machine) tuple(op byte) error {
	if op == 't' {
		items, err := m.popMark()
		m.push(append(tuple{}, items...))
		return err
	}
	out := make(tuple, int(op)-0x84)
	for i := range out {
		x, err := m.pop()
		if err != nil {
			return err
		}
		out[len(out)-1-i] = x
	}
	m.push(out)
	return nil
}

func (m *machine) global(op byte) error {
	var module, name string
	if op == 'c' {
		var err error
		if module, err = m.line(); err != nil {
			return err
		}
		if name, err = m.line(); err != nil {
			return err
		}
	} else {
		n, err1 := m.pop()
		o, err2 := m.pop()
		var ok1, ok2 bool
		name, ok1 = n.(string)
		module, ok2 = o.(string)
		if err1 != nil || err2 != nil || !ok1 || !ok2 {
			return m.errorf("a name is no text")
		}
	}
	s, ok := allowed[module+"."+name]
	if !ok {
		return m.errorf("%q: images and flags need no such function; the file is not trusted and is not run", module+"."+name)
	}
	m.push(s)
	return nil
}

// call makes an object of a symbol and its arguments; encoded text becomes bytes at once.
func (m *machine) call() error {
	a, err := m.pop()
	if err != nil {
		return err
	}
	f, err := m.pop()
	if err != nil {
		return err
	}
	args, ok1 := a.(tuple)
	of, ok2 := f.(symbol)
	if !ok1 || !ok2 {
		return m.errorf("calls what is no function, or not with a tuple")
	}
	if of != encode {
		m.push(&object{of: of, args: args})
		return nil
	}
	if len(args) == 2 && args[1] == "latin1" {
		if text, ok := args[0].(string); ok {
			b := make([]byte, 0, len(text))
			for _, r := range text {
				if r > math.MaxUint8 {
					return m.errorf("text that stands for bytes has %q", r)
				}
				b = append(b, byte(r))
			}
			m.push(b)
			return nil
		}
	}
	return m.errorf("encodes other than text in latin1")
}

// build gives an object its state.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	x, err := m.pop()
	if err != nil {
		return err
	}
	o, ok := x.(*object)
	if !ok {
		return m.errorf("gives a state to what is no object")
	}
	o.state = state
	m.push(o)
	return nil
}
