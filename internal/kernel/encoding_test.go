package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Go's assembler does not know every instruction of the kernels; the generators write those as bytes below a comment. objdump, which knows them,
// must see in the bytes what the comment says.
func TestEncodings(t *testing.T) {
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("no objdump (Debian's package binutils)")
	}
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly: %v", err)
	}
	var code []byte
	var want []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		comment, inBytes := "", false
		for n, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			b, isByte := strings.CutPrefix(line, "BYTE $")
			if isByte && !inBytes {
				if comment == "" {
					t.Fatalf("%s:%d: bytes without a comment that says what they are", file, n+1)
				}
				want = append(want, comment)
			}
			if isByte {
				v, err := strconv.ParseUint(b, 0, 8)
				if err != nil {
					t.Fatalf("%s:%d: %v", file, n+1, err)
				}
				code = append(code, byte(v))
			}
			inBytes = isByte
			comment, _ = strings.CutPrefix(line, "// ")
			if comment == line {
				comment = ""
			}
		}
	}
	raw := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(raw, code, 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-D", "-z", "--insn-width=16", "-b", "binary", "-m", "i386:x86-64", raw).Output()
	if err != nil {
		t.Skipf("objdump does not disassemble for amd64: %v", err)
	}
	var got []string
	instruction := regexp.MustCompile(`^ *[0-9a-f]+:\t[0-9a-f ]+\t(.*)$`)
	for line := range strings.Lines(string(out)) {
		if m := instruction.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			got = append(got, strings.Join(strings.Fields(m[1]), " "))
		}
	}
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("%d instructions in the bytes, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("instruction %d of those written as bytes is %q, want %q", i, got[i], want[i])
		}
	}
}
