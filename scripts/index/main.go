//go:build linux

// Command index measures what many images cost: it draws 50 faces, links them under 40 000 people, lists these two million images as
// CSV, .lst and Parquet, and trains one step on each list; and one on 200 000 files that lie in a single person's folder. It prints the
// seconds until the run starts and the most memory that the process had, with no cache of decoded images.
//
//	go run ./scripts/index [--people 40000] [--files 200000]
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/faceverify/fv/pipeline/synth"
)

const imagesEach = 50

type row struct {
	Path     string `parquet:"path"`
	Identity string `parquet:"identity"`
}

func main() {
	people := flag.Int("people", 40_000, "people, each with 50 images")
	files := flag.Int("files", 200_000, "files in one folder")
	flag.Parse()
	if err := run(*people, *files); err != nil {
		fmt.Fprintln(os.Stderr, "index:", err)
		os.Exit(1)
	}
}

func run(people, files int) error {
	dir, err := os.MkdirTemp("", "index-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "fv-train")
	build := exec.Command("go", "build", "-o", program, "./cmd/fv-train")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	faces := filepath.Join(dir, "faces")
	if err := synth.Write(context.Background(), faces, synth.Options{Identities: 1, Images: imagesEach, Seed: 5, Size: 32, Quality: -1}); err != nil {
		return err
	}
	if err := link(faces, people); err != nil {
		return err
	}
	for _, ext := range []string{".csv", ".lst", ".parquet"} {
		list := filepath.Join(faces, "list"+ext)
		if err := write(list, people); err != nil {
			return err
		}
		if err := measure(program, ext, filepath.Join(dir, "run"+ext), list); err != nil {
			return err
		}
	}
	crowded := filepath.Join(dir, "crowded")
	if err := crowd(faces, crowded, files); err != nil {
		return err
	}
	return measure(program, "folder", filepath.Join(dir, "run"), "--val", "none", crowded)
}

// crowd makes a folder of two people, one of whom has nearly all files.
func crowd(faces, to string, files int) error {
	for i, name := range []string{"few", "many"} {
		if err := os.MkdirAll(filepath.Join(to, name), 0o777); err != nil {
			return err
		}
		for k := range []int{imagesEach, files - imagesEach}[i] {
			old := filepath.Join(faces, synth.Name(0), image(k%imagesEach))
			if err := os.Link(old, filepath.Join(to, name, fmt.Sprintf("%07d.png", k))); err != nil {
				return err
			}
		}
	}
	return nil
}

// person is the name of a folder of images.
func person(i int) string { return fmt.Sprintf("person-of-the-list-%06d", i) }

func image(k int) string { return fmt.Sprintf("%04d.png", k) }

func link(faces string, people int) error {
	for i := range people {
		if err := os.Symlink(synth.Name(0), filepath.Join(faces, person(i))); err != nil {
			return err
		}
	}
	return nil
}

// write lists the images in an order that is not sorted.
func write(list string, people int) error {
	f, err := os.Create(list)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	if filepath.Ext(list) == ".csv" {
		fmt.Fprintln(b, "path,identity")
	}
	rows := parquet.NewGenericWriter[row](io.Writer(b))
	for k := range imagesEach {
		for i := range people {
			path := person(i) + "/" + image(k)
			switch filepath.Ext(list) {
			case ".csv":
				fmt.Fprintf(b, "%s,%s\n", path, person(i))
			case ".lst":
				fmt.Fprintf(b, "%d\t%d\t%s\n", k*people+i, i, path)
			default:
				if _, err := rows.Write([]row{{path, person(i)}}); err != nil {
					return err
				}
			}
		}
	}
	if filepath.Ext(list) == ".parquet" {
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return b.Flush()
}

// measure trains one step, and prints what that took.
func measure(program, what, out string, data ...string) error {
	cmd := exec.Command(program, append([]string{"--out", out, "--max-steps", "1", "--size", "16", "--backbone", "sfnet4", "--embedding", "16", "--batch", "16",
		"--cache", "0", "--sample-classes", "0.01"}, data...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	var started time.Duration
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		if started == 0 && strings.Contains(scan.Text(), " identities, ") {
			started = time.Since(began)
			fmt.Printf("%s: %s\n", what, scan.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Printf("%s: starts after %.1f s (%.1f s of processor time in all), at most %d MiB of memory\n",
		what, started.Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), usage.Maxrss>>10)
	return nil
}
