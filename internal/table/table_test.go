package table

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	in, err := Open(strings.NewReader("\ufeffName , Identity\na,\"b\nc\"\nd,e\n"), "f.csv", "names")
	if err != nil {
		t.Fatal(err)
	}
	if in.Column("identity") != 1 || in.Column("who", "name") != 0 || in.Column("x") != -1 || in.Header()[0] != "Name" {
		t.Errorf("columns of %q", in.Header())
	}
	n := 0
	for record, err := range in.Records() {
		if n++; err != nil {
			t.Fatal(err)
		}
		if want := []string{"a", "d"}[n-1]; record[0] != want || in.Line(0) != 2*n {
			t.Errorf("record %d: %q on line %d", n, record, in.Line(0))
		}
		if err := in.Errorf(1, "bad %s", "e"); n == 2 && err.Error() != "f.csv:4: bad e" {
			t.Error(err)
		}
	}
	if n != 2 {
		t.Errorf("%d records", n)
	}
}

func TestMistakes(t *testing.T) {
	if _, err := Open(strings.NewReader(""), "f.csv", "the column a"); err == nil || !strings.Contains(err.Error(), "f.csv: no header; want the column a") {
		t.Error(err)
	}
	in, err := Open(strings.NewReader("a,b\n1\n"), "f.csv", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Need("a and c", "a", "c"); err == nil || err.Error() != `f.csv:1: the header has no column "c"; want a and c` {
		t.Error(err)
	}
	for record, err := range in.Records() {
		if err == nil || !strings.Contains(err.Error(), "f.csv: record on line 2: wrong number of fields") {
			t.Errorf("%q, %v", record, err)
		}
	}
}

// Whatever the text, records have as many fields as the header, and nothing panics.
func FuzzTable(f *testing.F) {
	for _, s := range []string{"", "a,b\n1,2\n", "\ufeffa\n\"", "a\n\"x\ny\"\n", "a,a\n1,2,3\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Open(strings.NewReader(text), "f.csv", "any")
		if err != nil {
			return
		}
		for record, err := range in.Records() {
			if err == nil && (len(record) != len(in.Header()) || in.Line(0) < 1) {
				t.Fatalf("%d fields on line %d, header %q", len(record), in.Line(0), in.Header())
			}
		}
	})
}
