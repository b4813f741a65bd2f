//go:build linux && amd64

// Command emulate runs the tests of packages, or a command, on a processor that is emulated by Bochs, under Linux: kernels for instruction sets that no
// machine at hand has.
//
//	scripts/emulate/prepare.sh                                        # once: builds Bochs, fetches a kernel
//	go run ./scripts/emulate ./internal/kernel -- -test.run Pair
//	go run ./scripts/emulate --isa avx512bf16 ./internal/cpu ./internal/kernel
//	go run ./scripts/emulate --with FACES ./cmd/fv-train -- train --precision bf16 FACES
//
// What they print comes out as it is printed, and the exit status is theirs: 1 where a test fails. It takes a hundred times as long as on a processor.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/faceverify/fv/internal/cpu"
	"github.com/faceverify/fv/scripts/emulate/job"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var m machine
	var with, environment list
	isa := flag.String("isa", "amx", "the kernels' variant: "+cpu.Env+" of the programs; empty for the one that they choose")
	flag.StringVar(&m.model, "model", "sapphire_rapids", "the processor, of those that bochs --help cpu lists")
	flag.IntVar(&m.processors, "cpus", 1, "processors, which share one of this machine's")
	flag.IntVar(&m.memory, "memory", 1024, "of the machine, in MiB")
	flag.IntVar(&m.speed, "speed", 50, "million instructions in a second of the machine's time: fewer have more timer interrupts between them")
	limit := flag.Duration("limit", time.Hour, "time after which the machine is switched off")
	flag.Var(&with, "with", "a file or folder to have in the programs' working folder; may be given again")
	flag.Var(&environment, "env", "NAME=VALUE, in the programs' environment; may be given again")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./scripts/emulate [flags] PACKAGE... [-- ARGUMENT...]\n\nThe arguments go to each test program (-test.run, -test.v ...), or to the command that a package is.")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done after %v (--limit)", *limit))
	defer cancel()
	if *isa != "" {
		environment = append(environment, cpu.Env+"="+*isa)
	}
	packages, arguments := flag.Args(), []string(nil)
	if i := slices.Index(packages, "--"); i >= 0 {
		packages, arguments = packages[:i], packages[i+1:]
	}
	if err := run(ctx, m, packages, arguments, with, environment); err != nil {
		fmt.Fprintln(os.Stderr, "emulate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, m machine, packages, arguments, with, environment []string) error {
	if len(packages) == 0 {
		return errors.New("want a package; --help says how")
	}
	if err := m.find(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "emulate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files := map[string]string{"init": filepath.Join(dir, "init"), "jobs.json": filepath.Join(dir, "jobs.json")}
	if err := build(ctx, "build", files["init"], "./scripts/emulate/init"); err != nil {
		return err
	}
	var jobs []job.Job
	for i, p := range packages {
		j, err := program(ctx, p, filepath.Join(dir, fmt.Sprint(i)), files)
		if err != nil {
			return err
		}
		for _, w := range with {
			files[path.Join(j.Dir, filepath.Base(w))[1:]] = w
		}
		j.Arguments, j.Environment = append(j.Arguments, arguments...), environment
		jobs = append(jobs, j)
	}
	data, err := json.Marshal(jobs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(files["jobs.json"], data, 0o666); err != nil {
		return err
	}
	if err := m.load(dir, files); err != nil {
		return err
	}
	return m.run(ctx, dir)
}

// program builds a package's tests, or the command that it is, and names what the machine needs for it in files.
func program(ctx context.Context, pkg, to string, files map[string]string) (job.Job, error) {
	list := exec.CommandContext(ctx, "go", "list", "-f", "{{.Name}} {{.ImportPath}} {{.Dir}}", pkg)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return job.Job{}, fmt.Errorf("go list %s: %w", pkg, err)
	}
	fields := strings.SplitN(strings.TrimSpace(string(out)), " ", 3)
	if len(fields) < 3 || strings.Contains(fields[2], "\n") {
		return job.Job{}, fmt.Errorf("%s is not one package", pkg)
	}
	name, dir := fields[1], fields[2]
	at := "/" + filepath.Base(to)
	j := job.Job{Name: name, Program: at + "/program", Dir: at}
	files[j.Program[1:]] = to
	if fields[0] == "main" {
		return j, build(ctx, "build", to, pkg)
	}
	if data := filepath.Join(dir, "testdata"); isDir(data) {
		files[at[1:]+"/testdata"] = data
	}
	j.Arguments = []string{"-test.timeout=0"} // the machine's time is not ours
	return j, build(ctx, "test", to, "-c", pkg)
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// build is go build or go test, of a static program.
func build(ctx context.Context, command, to string, arguments ...string) error {
	c := exec.CommandContext(ctx, "go", append([]string{command, "-o", to}, arguments...)...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s %s: %w", command, strings.Join(arguments, " "), err)
	}
	return nil
}
