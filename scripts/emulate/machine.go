//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/faceverify/fv/scripts/emulate/job"
)

// machine is what Bochs emulates.
type machine struct {
	model                     string
	processors, memory, speed int
	bochs, kernel             string // files
}

// find finds the emulator and the kernel: those of prepare.sh, unless BOCHS and KERNEL name others.
func (m *machine) find() error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		to         *string
		name, file string
	}{{&m.bochs, "BOCHS", "bochs"}, {&m.kernel, "KERNEL", "vmlinuz"}} {
		*f.to = os.Getenv(f.name)
		if *f.to == "" {
			*f.to = filepath.Join(cache, "fv-emulate", f.file)
		}
		if _, err := os.Stat(*f.to); err != nil {
			return fmt.Errorf("%w: run scripts/emulate/prepare.sh first, or name one by %s", err, f.name)
		}
	}
	return nil
}

const settings = `display_library: nogui
cpu: model=%s, count=%d, ips=%d, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=%d, host=%[4]d
romimage: file=/usr/share/seabios/bios.bin
vgaromimage: file=/usr/share/seabios/vgabios-stdvga.bin
clock: sync=none, time0=1767225600
ata0-master: type=cdrom, path=%s/disc, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=%[5]s/serial
log: %[5]s/log
panic: action=fatal
error: action=ignore
info: action=report
`

// load writes what the machine boots from.
func (m *machine) load(dir string, files map[string]string) error {
	if err := writeArchive(filepath.Join(dir, "files"), files); err != nil {
		return err
	}
	contents := filepath.Join(dir, "contents")
	if err := os.Mkdir(contents, 0o777); err != nil {
		return err
	}
	if err := disc(contents, m.kernel, filepath.Join(dir, "files"), m.speed, filepath.Join(dir, "disc")); err != nil {
		return err
	}
	text := fmt.Sprintf(settings, m.model, m.processors, m.speed*1e6, m.memory, dir)
	return os.WriteFile(filepath.Join(dir, "bochsrc"), []byte(text), 0o666)
}

// run starts the machine, copies what it prints to standard output, and waits until it is off.
func (m *machine) run(ctx context.Context, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "serial"), nil, 0o666); err != nil {
		return err
	}
	serial, err := os.Open(filepath.Join(dir, "serial"))
	if err != nil {
		return err
	}
	defer serial.Close()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return err
	}
	defer out.Close()
	c := exec.CommandContext(ctx, m.bochs, "-q", "-f", filepath.Join(dir, "bochsrc"))
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		return err
	}
	off := make(chan error, 1)
	go func() { off <- c.Wait() }()
	p := printer{from: bufio.NewReader(serial), to: os.Stdout}
	for tick := time.Tick(100 * time.Millisecond); ; {
		select {
		case err = <-off: // Bochs' status says little: it is 1 when the machine switches itself off
			if err := p.copy(); err != nil {
				return err
			}
			switch {
			case p.status == job.Passed:
				return nil
			case p.status == job.Failed:
				return errors.New("a job failed")
			case ctx.Err() != nil:
				return context.Cause(ctx)
			}
			printed, _ := os.ReadFile(serial.Name())
			said, _ := os.ReadFile(out.Name())
			return fmt.Errorf("the machine stopped: %v\n%s%s", err, tail(printed), tail(said))
		case <-tick:
			if err := p.copy(); err != nil {
				return err
			}
		}
	}
}

// tail is the last lines of a text.
func tail(text []byte) string {
	lines := strings.SplitAfter(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "")
}

// printer copies whole lines, without those of the kernel before init starts and after it ends.
type printer struct {
	from   *bufio.Reader
	to     io.Writer
	part   string // of a line
	status string // the last of job's lines
}

// copy copies what there is.
func (p *printer) copy() error {
	for {
		text, err := p.from.ReadString('\n')
		p.part += text
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line := strings.TrimRight(p.part, "\r\n")
		p.part = ""
		switch {
		case line == job.Started || line == job.Passed || line == job.Failed:
			p.status = line
		case p.status == job.Started:
			if _, err := fmt.Fprintln(p.to, line); err != nil {
				return err
			}
		}
	}
}
