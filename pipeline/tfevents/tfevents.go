// Package tfevents writes the event files that TensorBoard reads: scalars by tag and step.
//
// A file is a sequence of TFRecords,
//
//	uint64 length, uint32 masked CRC-32C of the length, data [length], uint32 masked CRC-32C of the data
//
// in little endian, each of which holds an Event message (tensorflow/core/util/event.proto). The first one names the version of
// the format.
package tfevents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Pattern matches the names of event files.
const Pattern = "events.out.tfevents.*"

// version is that of the format: steps may be purged.
const version = "brain.Event:2"

// Numbers of fields, and the session's status, in event.proto and summary.proto.
const (
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5
	eventSessionLog  = 7

	sessionStatus = 1
	sessionStart  = 1

	summaryValue = 1
	valueTag     = 1
	valueSimple  = 2
)

// Scalar is a number by its tag. Tags with the same part before a slash are shown together.
type Scalar struct {
	Tag   string
	Value float64 // stored as float32
}

// Writer writes one event file. Its methods are for one goroutine.
type Writer struct {
	file *os.File
	now  func() time.Time
}

// Create makes a new event file in the folder dir, beside those that may be there, for scalars from the given step on: TensorBoard then
// forgets what older files say of that step and later ones, which a run that was stopped and resumed takes anew.
func Create(dir string, first int) (*Writer, error) {
	w := &Writer{now: time.Now}
	// TensorBoard reads the files of a folder in the order of their names: the time comes first.
	at := w.now().Unix()
	older, err := fs.Glob(os.DirFS(dir), Pattern)
	if err != nil {
		return nil, err
	}
	for _, name := range older { // the clock may have been set back
		var then int64
		if _, err := fmt.Sscanf(name, "events.out.tfevents.%d.", &then); err == nil {
			at = max(at, then+1)
		}
	}
	for ; w.file == nil; at++ {
		name := fmt.Sprintf("events.out.tfevents.%010d.%09d", at, first)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		w.file = f
	}
	start := protowire.AppendVarint(protowire.AppendTag(nil, sessionStatus, protowire.VarintType), sessionStart)
	b := record(nil, w.event(0, eventFileVersion, []byte(version)))
	b = record(b, w.event(first, eventSessionLog, start))
	if _, err := w.file.Write(b); err != nil {
		w.file.Close()
		return nil, err
	}
	return w, nil
}

// Write writes the scalars of a step, as one event. They are in the file when it returns, though not yet on the disk.
func (w *Writer) Write(step int, scalars []Scalar) error {
	var summary []byte
	for _, s := range scalars {
		v := protowire.AppendString(protowire.AppendTag(nil, valueTag, protowire.BytesType), s.Tag)
		v = protowire.AppendFixed32(protowire.AppendTag(v, valueSimple, protowire.Fixed32Type), math.Float32bits(float32(s.Value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, summaryValue, protowire.BytesType), v)
	}
	_, err := w.file.Write(record(nil, w.event(step, eventSummary, summary)))
	return err
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// event returns an Event of now with one part.
func (w *Writer) event(step int, part protowire.Number, data []byte) []byte {
	seconds := float64(w.now().UnixMicro()) / 1e6
	b := protowire.AppendFixed64(protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type), math.Float64bits(seconds))
	b = protowire.AppendVarint(protowire.AppendTag(b, eventStep, protowire.VarintType), uint64(step))
	return protowire.AppendBytes(protowire.AppendTag(b, part, protowire.BytesType), data)
}

// record appends a TFRecord.
func record(b, data []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b[at:]))
	return binary.LittleEndian.AppendUint32(append(b, data...), masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the CRC-32C of data, changed so that data which holds such sums has another sum than it would.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
