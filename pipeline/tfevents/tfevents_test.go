package tfevents

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The test reads what is written by the definitions alone: CRC-32C bit by bit, and protobuf's wire format by hand.

func crc(data []byte) uint32 {
	c := ^uint32(0)
	for _, b := range data {
		c ^= uint32(b)
		for range 8 {
			c = c>>1 ^ 0x82f63b78*(c&1)
		}
	}
	return ^c
}

func unmask(m uint32) uint32 {
	r := m - 0xa282ead8
	return r>>17 | r<<15
}

// records cuts a file into the data of its records.
func records(t *testing.T, file []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for len(file) > 0 {
		if len(file) < 16 {
			t.Fatalf("%d bytes are no record", len(file))
		}
		n := binary.LittleEndian.Uint64(file)
		if got, want := unmask(binary.LittleEndian.Uint32(file[8:])), crc(file[:8]); got != want {
			t.Fatalf("the sum of a length is %#x, want %#x", got, want)
		}
		data := file[12:][:n]
		if got, want := unmask(binary.LittleEndian.Uint32(file[12+n:])), crc(data); got != want {
			t.Fatalf("the sum of a record is %#x, want %#x", got, want)
		}
		all, file = append(all, data), file[16+n:]
	}
	return all
}

// fields takes a message apart: uint64 for numbers, []byte for parts.
func fields(t *testing.T, b []byte) map[int][]any {
	t.Helper()
	all := map[int][]any{}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		b = b[n:]
		var v any
		switch key & 7 {
		case 0:
			x, n := binary.Uvarint(b)
			v, b = x, b[n:]
		case 1:
			v, b = binary.LittleEndian.Uint64(b), b[8:]
		case 2:
			x, n := binary.Uvarint(b)
			v, b = b[n:][:x], b[n+int(x):]
		case 5:
			v, b = uint64(binary.LittleEndian.Uint32(b)), b[4:]
		default:
			t.Fatalf("wire type %d", key&7)
		}
		all[int(key>>3)] = append(all[int(key>>3)], v)
	}
	return all
}

func TestWriter(t *testing.T) {
	if got := crc([]byte("123456789")); got != 0xe3069283 { // the check value of CRC-32C's definition
		t.Fatalf("the test's own sum is %#x", got)
	}
	dir, before := t.TempDir(), float64(time.Now().Unix())
	want := map[int][]Scalar{5: {{"loss", 1.5}, {"val/auc", 0.25}}, 300: {{"loss", -2}}, 301: nil}
	w, err := Create(dir, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{5, 300, 301} {
		if err := w.Write(step, want[step]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, Pattern))
	if len(names) != 1 {
		t.Fatalf("files %v", names)
	}
	file, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	all := records(t, file)
	if len(all) != 5 {
		t.Fatalf("%d records, want 5", len(all))
	}
	for i, data := range all {
		event := fields(t, data)
		if at := math.Float64frombits(event[1][0].(uint64)); !(at >= before && at < before+600) {
			t.Errorf("record %d is of the time %v, want one after %v", i, at, before)
		}
		step := int(event[2][0].(uint64))
		switch i {
		case 0:
			if v := string(event[3][0].([]byte)); v != "brain.Event:2" || step != 0 {
				t.Errorf("version %q at step %d", v, step)
			}
		case 1: // what a resumed run takes anew is to be forgotten
			if status := fields(t, event[7][0].([]byte))[1][0].(uint64); status != 1 || step != 5 {
				t.Errorf("session status %d at step %d, want the start, 1, at step 5", status, step)
			}
		default:
			var got []Scalar
			for _, v := range fields(t, event[5][0].([]byte))[1] {
				value := fields(t, v.([]byte))
				got = append(got, Scalar{string(value[1][0].([]byte)), float64(math.Float32frombits(uint32(value[2][0].(uint64))))})
			}
			if wanted, ok := want[step]; !ok || fmt.Sprint(got) != fmt.Sprint(wanted) {
				t.Errorf("step %d has %v, want %v", step, got, wanted)
			}
		}
	}
}

// Files of one second have different names, in the order in which they were made.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		w, err := Create(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	if names, _ := filepath.Glob(filepath.Join(dir, Pattern)); len(names) != 3 {
		t.Errorf("files %v, want 3", names)
	}
	if _, err := Create(filepath.Join(dir, "absent"), 1); err == nil {
		t.Error("a file in a folder that is not there")
	}
}
