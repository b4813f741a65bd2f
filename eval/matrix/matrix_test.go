package matrix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is written is read again, in every format.
func TestRoundTrip(t *testing.T) {
	for _, ext := range []string{".npy", ".parquet", ".csv"} {
		const n = 1000
		path := writeVectors(t, ext, n)
		m, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Len() != n || m.Dim != 3 || m.Path != path {
			t.Fatalf("%s: %d rows of %d", ext, m.Len(), m.Dim)
		}
		for i := range n {
			x := float32(i)
			if r := m.Row(i); r[0] != x || r[1] != x+0.25 || r[2] != -x {
				t.Fatalf("%s: row %d is %v", ext, i, r)
			}
			if m.Identities[i] != fmt.Sprint("Ëda, ", i%7) || m.Names[i] != fmt.Sprintf("%d.jpg", i) {
				t.Fatalf("%s: row %d is %s of %s", ext, i, m.Names[i], m.Identities[i])
			}
		}
	}
}

// npy returns a file of the given header and float32 values.
func npy(header string, values ...float32) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(header)))
	b = append(b, header...)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

const twoByTwo = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n"

// Every way in which a file can be wrong is said with what would be right.
func TestMistakes(t *testing.T) {
	nan := float32(math.NaN())
	names := "identity,name\nAda,a.jpg\nBob,b.jpg\n"
	for _, c := range []struct {
		file, names string
		content     []byte
		want        string
	}{
		{"a.npy", "", npy(twoByTwo, 1, 2, 3, 4), "the names of its rows are missing: want"},
		{"a.npy", names, nil, "not a .npy file"},
		{"a.npy", names, []byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f"), "the header is said to have"},
		{"a.npy", names, npy(twoByTwo, 1, 2, 3), "cut off: the header announces 2 rows of 2 values, which take 16 bytes, and 12 are there: 1 whole rows"},
		{"a.npy", names, npy(twoByTwo, 1, 2, 3, 4, 5), "4 bytes more than"},
		{"a.npy", names, npy(strings.Replace(twoByTwo, "<f4", "<i4", 1), 1, 2, 3, 4), `values of type "<i4"; want float32`},
		{"a.npy", names, npy(strings.Replace(twoByTwo, "False", "True", 1), 1, 2, 3, 4), "stored by columns"},
		{"a.npy", names, npy(strings.Replace(twoByTwo, "(2, 2)", "(4,)", 1), 1, 2, 3, 4), "want a matrix"},
		{"a.npy", names, npy(strings.Replace(twoByTwo, "(2, 2)", "(0, 2)", 1)), "holds no embeddings"},
		{"a.npy", names, npy(strings.Replace(twoByTwo, "(2, 2)", "(99999999999, 2)", 1)), "too large"},
		{"a.npy", names, npy("{}"), "no 'descr'"},
		{"a.npy", names, npy(twoByTwo, 1, nan, 3, 4), "a.npy: row 1 (a.jpg): value 2 is NaN"},
		{"a.npy", names, npy(twoByTwo, 1, 1, 0, 0), "a.npy: row 2 (b.jpg): all values are 0"},
		{"a.npy", names + "Cleo,c.jpg\n", npy(twoByTwo, 1, 2, 3, 4), "names 3 rows"},
		{"a.npy", "who,what\n", npy(twoByTwo, 1, 2, 3, 4), "a.names.csv:1: the header is"},
		{"a.csv", "", []byte("identity,name,e0,e1\nAda,a,1,x\n"), `a.csv:2: column e1: "x" is not a number`},
		{"a.csv", "", []byte("identity,name,e0,e1\nAda,a,1\n"), "a.csv: record on line 2: wrong number of fields"},
		{"a.csv", "", []byte("identity,name\nAda,a\n"), "no embeddings: 1 rows of 0 values"},
		{"a.csv", "", []byte("identity,name,e0\nAda,a,inf\n"), "row 1 (a): value 1 is +Inf"},
		{"a.csv", "", nil, "no header"},
		{"a.parquet", "", []byte("PAR1 is not all of it"), "a.parquet: "},
		{"a.txt", "", nil, "want a name that ends in .npy, .parquet or .csv"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.names != "" {
			if err := os.WriteFile(NamesPath(path), []byte(c.names), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := Read(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got %v, %v; want an error with %q", c.file, c.content, m, err, c.want)
		}
	}
}

// Float64 matrices, Windows line ends and a byte order mark are read too.
func TestOtherWriters(t *testing.T) {
	header := strings.Replace(twoByTwo, "<f4", "<f8", 1)
	b := npy(header)
	for _, v := range []float64{1, 0.5, -2, 4} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(NamesPath(path), []byte("\ufeffname,identity\r\nä.jpg,Ëda\r\nb.jpg,Bob\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(m.Data, m.Names, m.Identities) != "[1 0.5 -2 4] [ä.jpg b.jpg] [Ëda Bob]" {
		t.Errorf("got %v %v %v", m.Data, m.Names, m.Identities)
	}
}

// No bytes make the parser panic, or take more memory than the file has.
func FuzzNpy(f *testing.F) {
	f.Add(npy(twoByTwo, 1, 2, 3, 4))
	f.Add(npy(twoByTwo, 1, 2))
	f.Add([]byte("\x93NUMPY\x02\x00\x10\x00\x00\x00{'shape': (1, 1)}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseNpy(bytes.NewReader(b), "f.npy", int64(len(b)))
		if err == nil && (len(m.Data)*4 > len(b) || len(m.Data)%m.Dim != 0) {
			t.Errorf("%d values of rows of %d from %d bytes", len(m.Data), m.Dim, len(b))
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("identity,name,e0,e1\nAda,a,1,2\n"))
	f.Add([]byte("name,e0,identity\r\n\"a\nb\",1e30,x\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseCSV(bytes.NewReader(b), "f.csv")
		if err == nil && (len(m.Data) != m.Len()*m.Dim || len(m.Identities) != m.Len()) {
			t.Errorf("%d values, %d names, %d identities, %d columns", len(m.Data), m.Len(), len(m.Identities), m.Dim)
		}
	})
}
