package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// Groups add up to all pairs, and their counts are those of going through the pairs.
func TestGroupBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores, pairs := drawPeople(t)
		group := make([]string, len(scores))
		for i := range group {
			group[i] = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "group")
		}
		r, err := Evaluate(scores, pairs, Options{Protocols: []string{OpenSphere}, FARs: []float64{0.5, 0.001}})
		if err != nil {
			return // one class
		}
		b := r.GroupBy("column", func(i int) string { return group[i] })
		if b.At[0].For != "EER" || len(b.At) > 2 {
			t.Fatalf("%+v", b)
		}
		for _, at := range b.At {
			n := 0
			for _, g := range at.Groups {
				var right, genuine, impostor, accepted, refused int
				for i, s := range scores {
					if name := group[i]; name != g.Name && !(name == "" && g.Name == UnknownGroup) {
						continue
					}
					yes := s >= at.Threshold.Score
					if yes == pairs.Pairs[i].Same {
						right++
					}
					switch {
					case pairs.Pairs[i].Same:
						genuine++
						if !yes {
							refused++
						}
					default:
						impostor++
						if yes {
							accepted++
						}
					}
				}
				n += genuine + impostor
				if g.Genuine != genuine || g.Impostor != impostor || g.Accuracy.Count != right ||
					(g.FMR == nil) != (impostor == 0) || g.FMR != nil && g.FMR.Count != accepted ||
					(g.FNMR == nil) != (genuine == 0) || g.FNMR != nil && g.FNMR.Count != refused {
					t.Fatalf("%+v: %d right, %d of %d accepted, %d of %d refused", g, right, accepted, impostor, refused, genuine)
				}
			}
			if n != len(scores) {
				t.Fatalf("the groups have %d pairs of %d", n, len(scores))
			}
		}
	})
}

func TestAttributes(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a.csv":   "\ufeffname,Sex,identity\r\nada/1.png,f,\r\n,m,bob\r\nbob/2.jpg,f,bob\r\n",
		"bad.csv": "identity,sex\nada,f\nada,m\n",
		"no.csv":  "who,sex\nada,f\n",
	})
	a, err := ReadAttributes(filepath.Join(dir, "a.csv"), "sex")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ a, b, want string }{
		{"ada/1.jpg", "ada/1.jpg", "f"}, {"bob/1.jpg", "bob/3.jpg", "m"}, {"bob/1.jpg", "ada/1.jpg", "f × m"},
		{"bob/2.jpg", "ada/1.jpg", "f"}, {"x/1.jpg", "ada/1.jpg", "f × unknown"}, {"x/1.jpg", "y/1.jpg", ""},
	} {
		if got := a.Group(&Pairs{}, Pair{A: c.a, B: c.b}); got != c.want {
			t.Errorf("%s and %s: %q, want %q", c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct{ file, column, want string }{
		{"a.csv", "age", `a.csv:1: no column "age"; it has name, Sex, identity`},
		{"bad.csv", "sex", "bad.csv:3: ada is m, and f on an earlier line"},
		{"no.csv", "sex", "want a column name (images) or identity (people)"},
		{"absent.csv", "sex", "no such file"},
	} {
		if _, err := ReadAttributes(filepath.Join(dir, c.file), c.column); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
	}
}

// A Parquet score file gives what the CSV file of the same scores does, whatever types its columns have.
func TestParquetScores(t *testing.T) {
	type row struct {
		Label bool     `parquet:"label"`
		Score float32  `parquet:"score"`
		A     string   `parquet:"a,dict"`
		B     *string  `parquet:"b,optional"`
		Fold  *float64 `parquet:"fold,optional"`
		Site  string   `parquet:"site"`
	}
	b, fold := "y/2.jpg", 2.0
	rows := make([]row, 5000)
	for i := range rows {
		rows[i] = row{Label: i%2 == 0, Score: float32(i) / 8192, A: "x/1.jpg", B: &b, Fold: &fold, Site: fmt.Sprint("s", i%3)}
	}
	file := filepath.Join(t.TempDir(), "s.parquet")
	if err := parquet.WriteFile(file, rows); err != nil {
		t.Fatal(err)
	}
	scores, pairs, err := ReadScores(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(scores) != len(rows) || pairs.Folds != 2 {
		t.Fatalf("%d scores, %d folds", len(scores), pairs.Folds)
	}
	for i, p := range pairs.Pairs {
		if want := (Pair{A: "x/1.jpg", B: b, Same: i%2 == 0, Fold: 1, Line: i + 1}); p != want || scores[i] != float64(rows[i].Score) {
			t.Fatalf("row %d: %v %+v, want %+v", i+1, scores[i], p, want)
		}
	}
	sites, err := ReadScoreColumn(file, "site")
	if err != nil || len(sites) != len(rows) || sites[4] != "s1" {
		t.Errorf("%v, %v", sites, err)
	}
	if _, err := ReadScoreColumn(file, "age"); err == nil || !strings.Contains(err.Error(), "no column \"age\"; it has label, score, a, b, fold, site") {
		t.Error(err)
	}
	rows[7].Fold, rows[8].Score = nil, float32(-1/zero)
	for _, want := range []string{`row 8: fold "": want a number from 1`, `row 9: score "-Inf": want a finite number`} {
		if err := parquet.WriteFile(file, rows); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadScores(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		rows[7].Fold = &fold
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 3, 100, len(whole) / 2, len(whole) - 9} {
		if err := os.WriteFile(file, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadScores(file); err == nil || !strings.Contains(err.Error(), "s.parquet") {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

var zero float64

// eval/testdata/scores.parquet was written by pyarrow: see scripts/golden/parquet.py.
func TestParquetScoresOfPyArrow(t *testing.T) {
	scores, pairs, err := ReadScores("testdata/scores.parquet")
	if err != nil {
		t.Fatal(err)
	}
	same := []bool{true, false, true, false}
	for i, want := range []float64{0.75, -0.5, 1e-300, 0.1} {
		if scores[i] != want || pairs.Pairs[i].Same != same[i] || pairs.Pairs[i].A != []string{"Ëda/1.jpg", "王/1.jpg"}[i%2] {
			t.Errorf("row %d: %v %+v", i+1, scores[i], pairs.Pairs[i])
		}
	}
	sites, err := ReadScoreColumn("testdata/scores.parquet", "site")
	if err != nil || fmt.Sprint(sites) != "[1 2 1 ]" {
		t.Errorf("%q, %v", sites, err)
	}
}

// Whatever the bytes, they are an error, or scores as many as pairs: the library panics on some damaged files.
func FuzzParquetScores(f *testing.F) {
	whole, err := os.ReadFile("testdata/scores.parquet")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "s.parquet")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		scores, pairs, err := ReadScores(path)
		if err == nil && (len(scores) == 0 || len(scores) != len(pairs.Pairs)) {
			t.Errorf("%d scores, %d pairs", len(scores), len(pairs.Pairs))
		}
	})
}
