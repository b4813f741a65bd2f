package pipeline

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// disk is a file system of its own, of so many bytes until resize.
type disk struct{ dir string }

func newDisk(t *testing.T, bytes int) disk {
	t.Helper()
	d := disk{t.TempDir()}
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skip("a small disk wants the right to mount one:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d disk) remount(t *testing.T, flags uintptr, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", unix.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

// used returns the bytes that files take.
func (d disk) used(t *testing.T) int {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		t.Fatal(err)
	}
	return int(st.Blocks-st.Bfree) * int(st.Bsize)
}

const roomy = 64 << 20

// diskRun is a short run with all that is written in the course of one.
func diskRun(t *testing.T, data string) Config {
	return tiny(t, data, "val=0.34", "val-every=3", "checkpoint-every=1", "max-steps=3")
}

// Whatever the disk is full at, the run ends with an error that says so, no half file has a real name, and with more room
// the run goes on to the bit.
func TestDiskFull(t *testing.T) {
	data := drawFaces(t, 12)
	whole := diskRun(t, data)
	d := newDisk(t, roomy)
	whole.Out = filepath.Join(d.dir, "run")
	train(t, whole, Events{})
	peak := d.used(t)
	const limits = 4
	stages := map[int]bool{}
	for i := range limits {
		small := newDisk(t, (peak*(i+1)/(limits+1))&^4095)
		c := diskRun(t, data)
		c.Out = filepath.Join(small.dir, "run")
		_, err := Train(t.Context(), c, Events{})
		var full *WriteError
		if !errors.As(err, &full) || !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "cannot write to the run folder") {
			t.Errorf("limit %d: error %v, want one of a full disk", i, err)
			continue
		}
		stages[full.Step] = true
		checkWhole(t, c.Out)
		small.remount(t, 0, fmt.Sprintf("size=%d", roomy))
		if _, err := Resume(t.Context(), c.Out, nil, Events{}); err != nil && full.Step < 0 {
			_, err = Train(t.Context(), c, Events{})
			if err != nil {
				t.Errorf("limit %d: error %v of a new run with room", i, err)
			}
		} else if err != nil {
			t.Errorf("limit %d: error %v of going on with room", i, err)
		}
		sameRun(t, whole.Out, c.Out)
	}
	if len(stages) < 2 {
		t.Errorf("the disk was full after the checkpoints of steps %v only", stages)
	}
}

// A run folder that cannot be written to is told of as such, before anything is done.
func TestReadOnly(t *testing.T) {
	data := drawFaces(t, 8)
	d := newDisk(t, roomy)
	c := tiny(t, data, "max-steps=2")
	c.Out = filepath.Join(d.dir, "run")
	train(t, c, Events{})
	d.remount(t, unix.MS_RDONLY, "")
	other := c
	other.Out = filepath.Join(d.dir, "other")
	_, err1 := Resume(t.Context(), c.Out, nil, Events{})
	_, err2 := Train(t.Context(), other, Events{})
	for _, err := range []error{err1, err2} {
		if !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("error %v of a read-only folder", err)
		}
	}
	d.remount(t, 0, "")
	if _, err := Resume(t.Context(), c.Out, []Field{{Name: "max-steps", Value: "3"}}, Events{}); err != nil {
		t.Errorf("error %v of a folder that can be written to again", err)
	}
}
