package pipeline

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// One process trains in a folder at a time.
func TestLockRun(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockRun(dir); err == nil || !strings.Contains(err.Error(), "another process is training in "+dir) {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	again, err := lockRun(dir)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	again()
}

// A list that is read again knows its images, whatever their names are.
func TestQuarantineRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), QuarantineFile)
	names := []string{"ann/1.jpg", "Who: Dr/1.jpg", "a: b: c.png", "two\nlines.png", "tab\t.png", "bad\xff.png"}
	q := quarantine{path: path}
	for _, n := range names {
		q.add(n, errors.New("JPEG cannot be decoded: short Huffman data"))
	}
	if _, err := q.news(); err != nil {
		t.Fatal(err)
	}
	r := quarantine{path: path}
	if err := r.read(); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		r.add(n, errors.New("cut short"))
	}
	if r.count() != len(names) {
		t.Errorf("%d images after reading the list of %d again", r.count(), len(names))
	}
}
