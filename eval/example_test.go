package eval_test

import (
	"fmt"
	"strings"

	"github.com/faceverify/fv/eval"
)

// Scores from anywhere give an exact ROC and thresholds that keep their promise.
func ExampleNewROC() {
	scores := []float64{0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1}
	same := []bool{true, true, false, true, true, false, false, false}
	roc, err := eval.NewROC(scores, same)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := roc.AtFAR(0.25)
	fmt.Printf("AUC %.3f, EER %.3f\n", roc.AUC(), roc.EER().Value)
	fmt.Printf("cosine >= %.1f accepts %d of %d genuine and %d of %d impostor pairs\n",
		p.Threshold.Score, p.TAR.Count, p.TAR.Total, p.FAR.Count, p.FAR.Total)
	// Output:
	// AUC 0.875, EER 0.250
	// cosine >= 0.4 accepts 4 of 4 genuine and 1 of 4 impostor pairs
}

// Errors in a pairs file name the line.
func ExampleParsePairs() {
	_, err := eval.ParsePairs(strings.NewReader("1\nAda 1 2\nAda 1 3\n"), "pairs.txt")
	fmt.Println(err)
	// Output:
	// pairs.txt:3: 3 fields; line 1 of 1 impostor pairs of fold 1 has 4: "name1 i name2 j"
}

func ExampleClopperPearson() {
	low, high := eval.ClopperPearson(9856, 10000, 0.95)
	fmt.Printf("[%.5f, %.5f]\n", low, high)
	// Output:
	// [0.98307, 0.98784]
}

// Groups of pairs at the threshold that all pairs gave.
func ExampleResult_GroupBy() {
	scores := []float64{0.9, 0.8, 0.4, 0.7, 0.2, 0.1}
	pairs := &eval.Pairs{Folds: 1, Pairs: []eval.Pair{
		{A: "ann/1", B: "ann/2", Same: true}, {A: "bob/1", B: "bob/2", Same: true}, {A: "cleo/1", B: "cleo/2", Same: true},
		{A: "cleo/1", B: "dora/1"}, {A: "ann/1", B: "bob/1"}, {A: "bob/2", B: "ann/2"},
	}}
	result, err := eval.Evaluate(scores, pairs, eval.Options{Protocols: []string{eval.OpenSphere}, FARs: []float64{0.34}})
	if err != nil {
		panic(err)
	}
	camera := []string{"new", "new", "old", "old", "new", "new"}
	at := result.GroupBy("camera", func(pair int) string { return camera[pair] }).At[1]
	fmt.Printf("%s, score %.1f\n", at.For, at.Threshold.Score)
	for _, g := range at.Groups {
		fmt.Printf("%s: FMR %d of %d, FNMR %d of %d\n", g.Name, g.FMR.Count, g.FMR.Total, g.FNMR.Count, g.FNMR.Total)
	}
	// Output:
	// FAR ≤ 0.34, score 0.4
	// new: FMR 0 of 2, FNMR 0 of 2
	// old: FMR 1 of 1, FNMR 0 of 1
}
