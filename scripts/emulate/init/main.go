//go:build linux && amd64

// Command init is the first process of the machine that scripts/emulate starts: it runs the jobs of jobs.json, prints what they print to the serial port,
// and switches the machine off.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/faceverify/fv/scripts/emulate/job"
)

func main() {
	fmt.Println("\n" + job.Started)
	failed, err := run()
	if err != nil {
		fmt.Println("init:", err)
		failed = true
	}
	status := job.Passed
	if failed {
		status = job.Failed
	}
	fmt.Println(status)
	off()
}

// run returns whether a job failed.
func run() (failed bool, err error) {
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}} {
		if err := errors.Join(os.MkdirAll(m.at, 0o755), unix.Mount(m.kind, m.at, m.kind, 0, "")); err != nil {
			return false, fmt.Errorf("%s: %w", m.at, err)
		}
	}
	data, err := os.ReadFile("/jobs.json")
	if err != nil {
		return false, err
	}
	var jobs []job.Job
	if err := json.Unmarshal(data, &jobs); err != nil {
		return false, err
	}
	if err := describe(); err != nil {
		return false, err
	}
	for _, j := range jobs {
		c := exec.Command(j.Program, j.Arguments...)
		c.Dir, c.Env = j.Dir, append(j.Environment, "HOME=/tmp", "TMPDIR=/tmp")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		fmt.Println("==", j.Name)
		if err := c.Run(); err != nil {
			fmt.Println(err)
			failed = true
		}
	}
	return failed, nil
}

// describe prints the processor, as far as the kernels are concerned.
func describe() error {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	var model string
	var flags []string
	for line := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "flags":
			flags = nil
			for _, f := range strings.Fields(value) {
				if strings.HasPrefix(f, "avx") || strings.HasPrefix(f, "amx") || f == "fma" {
					flags = append(flags, f)
				}
			}
		}
	}
	fmt.Printf("%s: %s, Linux %s\n", model, strings.Join(flags, " "), unix.ByteSliceToString(name.Release[:]))
	return nil
}

// off ends Bochs: the kernel resets the processor by a triple fault (reboot=t), at which Bochs stops (reset_on_triple_fault=0).
func off() {
	unix.Sync()
	fmt.Println("init:", unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
}
