package compare_test

import (
	"fmt"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/compare"
)

// Two systems have scored the same pairs. So few prove nothing: the second decides two more of them
// rightly, which chance does every second time.
func ExampleNew() {
	pairs := &eval.Pairs{Folds: 1, Pairs: []eval.Pair{
		{A: "ada/1", B: "ada/2", Same: true}, {A: "bob/1", B: "bob/2", Same: true}, {A: "cleo/1", B: "cleo/2", Same: true}, {A: "dan/1", B: "dan/2", Same: true},
		{A: "ada/1", B: "bob/1"}, {A: "bob/2", B: "cleo/1"}, {A: "cleo/2", B: "dan/1"}, {A: "dan/2", B: "ada/2"},
	}}
	system := func(name string, scores ...float64) compare.System {
		roc, err := eval.NewROC(scores, pairs.Same())
		if err != nil {
			panic(err)
		}
		return compare.System{Name: name, Scores: scores, ROC: roc}
	}
	before := system("before", 0.9, 0.8, 0.4, 0.7, 0.6, 0.2, 0.1, 0.3)
	after := system("after", 0.9, 0.8, 0.6, 0.7, 0.5, 0.2, 0.1, 0.3)
	for _, d := range compare.New(before, after, pairs, compare.Options{}).Differences {
		fmt.Printf("%s: %.3f and %.3f\n", d.Quantity, d.A, d.B)
		if m := d.McNemar; m != nil {
			fmt.Printf("  only one decides rightly: %d and %d pairs, p = %.2f\n", m.OnlyA, m.OnlyB, m.P)
		}
	}
	// Output:
	// AUC: 0.938 and 1.000
	// EER: 0.250 and 0.000
	//   only one decides rightly: 0 and 2 pairs, p = 0.50
}
