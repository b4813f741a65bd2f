//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// archive writes a cpio archive, as the kernel takes the files of its first process from.
type archive struct {
	w    io.Writer
	err  error
	seen map[string]bool
	n    int
}

// entry adds a file, or what else the mode says; its folders have to be there.
func (a *archive) entry(name string, mode uint32, major, minor int, size int64, data io.Reader) {
	a.n++
	header := "070701"
	for _, field := range []int{a.n, int(mode), 0, 0, 1, 0, int(size), 0, 0, major, minor, len(name) + 1, 0} {
		header += fmt.Sprintf("%08x", field)
	}
	header += name + "\x00"
	a.print(header)
	a.pad(int64(len(header)))
	if data != nil && a.err == nil {
		var n int64
		if n, a.err = io.Copy(a.w, data); a.err == nil && n != size {
			a.err = fmt.Errorf("%s changed its size", name)
		}
		a.pad(size)
	}
}

func (a *archive) print(s string) {
	if a.err == nil {
		_, a.err = io.WriteString(a.w, s)
	}
}

func (a *archive) pad(n int64) { a.print("\x00\x00\x00"[:-n&3]) }

// dir adds a folder and those that it lies in.
func (a *archive) dir(name string) {
	if name == "." || a.seen[name] {
		return
	}
	a.dir(path.Dir(name))
	a.seen[name] = true
	a.entry(name, 0o40755, 0, 0, 0, nil)
}

// add adds a file or a folder with all that it holds.
func (a *archive) add(name, from string) error {
	return filepath.WalkDir(from, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(below))
		if d.IsDir() {
			a.dir(to)
			return a.err
		}
		f, err := os.Open(at) // follows links
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", at)
		}
		a.dir(path.Dir(to))
		a.entry(to, 0o100755, 0, 0, info.Size(), f)
		return a.err
	})
}

// writeArchive writes the files, whose names are the keys and that are read from the values.
func writeArchive(to string, files map[string]string) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	a := &archive{w: f, seen: map[string]bool{}}
	a.dir("dev")
	a.entry("dev/console", 0o20600, 5, 1, 0, nil)
	for name, from := range files {
		if err := a.add(name, from); err != nil {
			return err
		}
	}
	a.entry("TRAILER!!!", 0, 0, 0, 0, nil)
	return a.err
}

// loader is isolinux's settings. The kernel is told what the emulated time stamp counter counts, which is instructions, and not to take FSRM for a promise:
// Bochs says in another place that fast strings are off, and Linux then patches its memmove so that it loses its way.
const loader = `default linux
label linux
	kernel /linux
	append initrd=/files console=ttyS0,115200 quiet mitigations=off tsc_early_khz=%d tsc=reliable clearcpuid=fsrm nokaslr panic=-1 reboot=t
`

// disc makes a CD that boots the kernel with the archive of files, at so many million instructions a second.
func disc(dir, kernel, files string, speed int, to string) error {
	for name, from := range map[string]string{
		"linux": kernel, "files": files, "isolinux.bin": "/usr/lib/ISOLINUX/isolinux.bin", "ldlinux.c32": "/usr/lib/syslinux/modules/bios/ldlinux.c32",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("%w (Debian's packages isolinux and syslinux-common)", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "isolinux.cfg"), []byte(fmt.Sprintf(loader, 1000*speed)), 0o666); err != nil {
		return err
	}
	out, err := exec.Command("xorriso", "-as", "mkisofs", "-o", to, "-b", "isolinux.bin", "-c", "boot.cat",
		"-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("xorriso (Debian's package): %w\n%s", err, out)
	}
	return nil
}
