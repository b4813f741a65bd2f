package eval

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// realData returns the path of a file of real data below $FV_DATA, by default
// ../shared/data beside the module; the test is skipped where it is absent.
func realData(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("FV_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(root, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s: set FV_DATA to the folder that has it", path)
	}
	return path
}

func TestPairsOfLFW(t *testing.T) {
	for _, c := range []struct {
		file               string
		genuine, impostors int
		first, last        Pair
	}{
		{"pairs.txt", 3000, 3000,
			Pair{A: "Abel_Pacheco/Abel_Pacheco_0001.jpg", B: "Abel_Pacheco/Abel_Pacheco_0004.jpg", Same: true, Line: 2},
			Pair{A: "Slobodan_Milosevic/Slobodan_Milosevic_0002.jpg", B: "Sok_An/Sok_An_0001.jpg", Fold: 9, Line: 6001}},
		{"pairsDevTest.txt", 500, 500,
			Pair{A: "Abdullah_Gul/Abdullah_Gul_0013.jpg", B: "Abdullah_Gul/Abdullah_Gul_0014.jpg", Same: true, Line: 2},
			Pair{A: "Todd_Petit/Todd_Petit_0001.jpg", B: "Vicente_Fernandez/Vicente_Fernandez_0003.jpg", Fold: 9, Line: 1001}},
		{"pairsDevTrain.txt", 1100, 1100, Pair{}, Pair{}},
	} {
		p, err := ReadPairs(realData(t, "lfw112/"+c.file))
		if err != nil {
			t.Fatal(err)
		}
		var counts [10][2]int
		for _, pair := range p.Pairs {
			counts[pair.Fold][kind(pair.Same)]++
		}
		for f, n := range counts {
			if n != [2]int{c.impostors / 10, c.genuine / 10} {
				t.Errorf("%s: fold %d has %d impostor and %d genuine pairs", c.file, f+1, n[0], n[1])
			}
		}
		if first, last := p.Pairs[0], p.Pairs[len(p.Pairs)-1]; c.first.A != "" && (first != c.first || last != c.last) {
			t.Errorf("%s: first %+v, last %+v", c.file, first, last)
		}
		if _, err := p.Resolve(realData(t, "lfw112/images")); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}

// AUC and EER of the points that LFW's site publishes. Eigenfaces and the others come
// from either end, one has NaN rows. The values follow from the files by the definitions;
// numpy's trapezoid gives the same.
func TestPublishedCurves(t *testing.T) {
	for _, c := range []struct {
		name            string
		points, skipped int
		auc, eer        float64
	}{
		{"deepface_ensemble", 6002, 0, 0.9967904, 0.0263333},
		{"dlib_LFW_roc_curve", 6000, 0, 0.9990523, 0.0070000},
		{"eigenfaces-original-roc", 870, 130, 0.6482893, 0.3953000},
		{"fisher-vector-faces-unrestricted", 6000, 0, 0.9817004, 0.0687000},
	} {
		curve, err := ReadCurve(realData(t, "roc/"+c.name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if curve.Name != c.name || len(curve.FAR) != c.points || curve.Skipped != c.skipped || math.Abs(curve.AUC()-c.auc) > 1e-7 || math.Abs(curve.EER()-c.eer) > 1e-7 {
			t.Errorf("%s: %d points, %d skipped, AUC %.7f, EER %.7f", curve.Name, len(curve.FAR), curve.Skipped, curve.AUC(), curve.EER())
		}
	}
}

// Every published file can be drawn.
func TestEveryPublishedCurve(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realData(t, "roc"), "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		c, err := ReadCurve(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if auc, eer := c.AUC(), c.EER(); !(auc > 0.6 && auc <= 1) || !(eer >= 0 && eer < 0.4) {
			t.Errorf("%s: AUC %v, EER %v", strings.TrimPrefix(file, "roc/"), auc, eer)
		}
	}
}
