//go:build linux

// Command pack measures what one file of many images could save a training: it copies a folder of JPEGs, packs the same bytes as an
// InsightFace .rec and as a tar, and reads all of each, in the random order of an epoch (of the tar in its own), when the system
// has none of it in memory and when it has all; then it decodes them, which comes after every reading. Microseconds an image, one thread.
//
//	go run ./scripts/pack FACES
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/faceverify/fv/pipeline/dataset"
	"github.com/faceverify/fv/pipeline/dataset/recpack"
	"github.com/faceverify/fv/pipeline/dataset/recpack/rectest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pack FACES")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// copies are the same images as files, in a pack and in an archive.
type copies struct {
	files      []string // in random order
	rec, tar   string
	everything []string // all files that hold images
}

func run(faces string) error {
	dir, err := os.MkdirTemp(".", "pack-") // on the disk, where the folder for temporary files may be in memory
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := copyTo(dir, faces)
	if err != nil {
		return err
	}
	fmt.Printf("%d images\n", len(c.files))
	for _, cold := range []bool{true, false} {
		for _, way := range []struct {
			name string
			read func(each func([]byte) error) error
		}{{"folder", c.readFiles}, {".rec", c.readRec}, {"tar", c.readTar}} {
			if cold {
				if err := c.forget(); err != nil {
					return err
				}
			}
			if err := timed(fmt.Sprintf("read, %s, %s", map[bool]string{true: "from disk", false: "from memory"}[cold], way.name), len(c.files), way.read); err != nil {
				return err
			}
		}
	}
	return timed("read from memory and decoded, folder", len(c.files), func(func([]byte) error) error {
		return c.readFiles(func(b []byte) error {
			_, err := dataset.Decode(b, dataset.Limits{})
			return err
		})
	})
}

// timed prints what reading all images takes, in time and in processor time.
func timed(what string, images int, read func(each func([]byte) error) error) error {
	began, used := time.Now(), processor()
	n := 0
	if err := read(func(b []byte) error { n += len(b); return nil }); err != nil {
		return err
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(images) }
	fmt.Printf("%-40s %7.1f µs an image, %7.1f of the processor\n", what, each(time.Since(began)), each(processor()-used))
	return nil
}

func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func copyTo(dir, faces string) (*copies, error) {
	c := &copies{rec: filepath.Join(dir, "train.rec"), tar: filepath.Join(dir, "train.tar")}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	var people [][][]byte
	last := ""
	err := filepath.WalkDir(faces, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if person := filepath.Dir(path); person != last {
			people, last = append(people, nil), person
		}
		people[len(people)-1] = append(people[len(people)-1], b)
		name, err := filepath.Rel(faces, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, "faces", name)
		c.files = append(c.files, to)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o777), os.WriteFile(to, b, 0o666),
			w.WriteHeader(&tar.Header{Name: name, Size: int64(len(b)), Mode: 0o644}), justErr(w.Write(b)))
	})
	if err != nil {
		return nil, err
	}
	if len(c.files) == 0 {
		return nil, fmt.Errorf("%s holds no files", faces)
	}
	rec, idx := rectest.Pack(people)
	c.everything = append(slices.Clone(c.files), c.rec, c.tar)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(c.files), func(i, j int) { c.files[i], c.files[j] = c.files[j], c.files[i] })
	return c, errors.Join(w.Close(), os.WriteFile(c.tar, archive.Bytes(), 0o666), os.WriteFile(c.rec, rec, 0o666), os.WriteFile(recpack.IndexPath(c.rec), []byte(idx), 0o666))
}

func justErr(_ int, err error) error { return err }

// forget drops the system's copies of the files in memory.
func (c *copies) forget() error {
	syscall.Sync() // what is not written yet cannot be dropped
	for _, path := range c.everything {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (c *copies) readFiles(each func([]byte) error) error {
	for _, path := range c.files {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := each(b); err != nil {
			return err
		}
	}
	return nil
}

func (c *copies) readRec(each func([]byte) error) error {
	p, err := recpack.Open(c.rec)
	if err != nil {
		return err
	}
	defer p.Close()
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(p.Len()) {
		x, err := p.Read(i)
		if err != nil {
			return err
		}
		if err := each(x.Data); err != nil {
			return err
		}
	}
	return nil
}

func (c *copies) readTar(each func([]byte) error) error {
	f, err := os.Open(c.tar)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := each(b); err != nil {
			return err
		}
	}
}
