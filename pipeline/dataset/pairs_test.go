package dataset

import (
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/eval"
)

func identityOf(path string) string {
	name, _, _ := strings.Cut(path, "/")
	return name
}

// checkPairs checks what holds of all pairs, and that there are n of each kind.
func checkPairs(t *testing.T, s *Set, n int) *eval.Pairs {
	t.Helper()
	pairs, err := s.Pairs(3)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, x := range s.Samples {
		known[x.Path] = true
	}
	seen := map[[2]string]bool{}
	genuine := 0
	for i, p := range pairs.Pairs {
		if p.Same {
			genuine++
		}
		key := [2]string{min(p.A, p.B), max(p.A, p.B)}
		if !known[p.A] || !known[p.B] || p.A == p.B || seen[key] || p.Same != (identityOf(p.A) == identityOf(p.B)) || p.Same != (i < n) {
			t.Fatalf("pair %d: %+v", i, p)
		}
		seen[key] = true
	}
	if genuine != n || len(pairs.Pairs) != 2*n {
		t.Fatalf("%d genuine of %d pairs; want %d of each kind", genuine, len(pairs.Pairs), n)
	}
	if want := min(folds, n); pairs.Folds != want {
		t.Errorf("%d folds, want %d", pairs.Folds, want)
	}
	return pairs
}

func TestPairs(t *testing.T) {
	for _, c := range []struct {
		counts []int
		n      int
	}{
		{[]int{2, 1}, 1},                          // one genuine, two impostor
		{[]int{4, 1}, 4},                          // six genuine, four impostor: all of these
		{[]int{2, 2, 2, 2}, 4},                    // all genuine
		{[]int{50, 2, 2, 2}, 312},                 // all impostor pairs: 3*50*2 + 3*2*2
		{[]int{100, 100}, MaxPairs},               // one pair of people, many rounds
		{slices.Repeat([]int{3}, 1200), MaxPairs}, // more pairs of people than pairs wanted
	} {
		checkPairs(t, setOf(c.counts...), c.n)
	}
}

// People with many images do not outweigh the others: nobody has a genuine pair more than another
// who has any left, and so with impostor pairs of two people.
func TestPairsFair(t *testing.T) {
	s := setOf(500, 5, 5, 5, 60)
	pairs := checkPairs(t, s, MaxPairs)
	genuine, impostor := map[string]int{}, map[[2]string]int{}
	for _, p := range pairs.Pairs {
		a, b := identityOf(p.A), identityOf(p.B)
		if p.Same {
			genuine[a]++
		} else {
			impostor[[2]string{min(a, b), max(a, b)}]++
		}
	}
	// 10 each of those with 5 images; the other two share the rest, p004's 1770 being enough.
	for name, want := range map[string]int{"p001": 10, "p002": 10, "p003": 10} {
		if genuine[name] != want {
			t.Errorf("%d genuine pairs of %s, want %d", genuine[name], name, want)
		}
	}
	if a, b := genuine["p000"], genuine["p004"]; a != 1485 || b != 1485 {
		t.Errorf("%d and %d genuine pairs, want 1485 each", a, b)
	}
	// 25 of each two of the small ones; 300 of each with p004; the rest, 2025, with p000, in
	// rounds of four: 300 rounds give the three with p004 all they have.
	for _, small := range []string{"p001", "p002", "p003"} {
		if n := impostor[[2]string{small, "p004"}]; n != 300 {
			t.Errorf("%d impostor pairs of %s and p004, want 300", n, small)
		}
	}
	low, high := MaxPairs, 0
	for _, other := range []string{"p001", "p002", "p003", "p004"} {
		n := impostor[[2]string{"p000", other}]
		low, high = min(low, n), max(high, n)
	}
	if high-low > 1 {
		t.Errorf("%d to %d impostor pairs with p000", low, high)
	}
}

// Pairs are the seed's alone. Those of seed 1 are written out: changing how they are drawn
// makes validations of different versions incomparable, and should be on purpose.
func TestPairsSeed(t *testing.T) {
	s := setOf(3, 1, 2)
	list := func(seed uint64) string {
		pairs, err := s.Pairs(seed)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, p := range pairs.Pairs {
			lines = append(lines, p.A+" "+p.B)
		}
		return strings.Join(lines, "\n")
	}
	const want = `p002/0.jpg p002/1.jpg
p000/0.jpg p000/1.jpg
p000/0.jpg p000/2.jpg
p000/1.jpg p000/2.jpg
p000/0.jpg p002/1.jpg
p000/1.jpg p001/0.jpg
p001/0.jpg p002/0.jpg
p000/2.jpg p002/1.jpg`
	if got := list(1); got != want {
		t.Errorf("pairs are\n%s\nwant\n%s", got, want)
	}
	if list(1) == list(2) {
		t.Error("the seed changes nothing")
	}
}

func TestNoPairs(t *testing.T) {
	for _, s := range []*Set{setOf(), setOf(5), setOf(1, 1, 1)} {
		if _, err := s.Pairs(1); err == nil || !strings.Contains(err.Error(), "no pairs to validate with") {
			t.Errorf("%v: %v", s.Counts(), err)
		}
	}
}

func TestPairAt(t *testing.T) {
	k := 0
	for j := range 300 {
		for i := range j {
			if a, b := pairAt(k); a != i || b != j {
				t.Fatalf("pair %d is %d, %d; want %d, %d", k, a, b, i, j)
			}
			k++
		}
	}
	const people = 1 << 30 // choose2 is about 2^59, beyond what float64 tells apart
	for i, k := range map[int]int{0: choose2(people), people - 1: choose2(people+1) - 1} {
		if a, b := pairAt(k); a != i || b != people {
			t.Errorf("pair %d is %d, %d; want %d, %d", k, a, b, i, people)
		}
	}
}

func TestOverlap(t *testing.T) {
	train := setOf(2, 2, 2)
	pairs := &eval.Pairs{Name: "p.txt", Pairs: []eval.Pair{
		{A: "ann/1.jpg", B: "bob/1.jpg", Line: 2},
		{A: "ann/1.jpg", B: "p0011/1.jpg", Line: 3},
	}}
	if err := Overlap(train, pairs); err != nil {
		t.Error(err)
	}
	pairs.Pairs = append(pairs.Pairs, eval.Pair{A: "ann/1.jpg", B: "p001/x.jpg", Line: 4})
	if err := Overlap(train, pairs); err == nil || !strings.HasPrefix(err.Error(), "p.txt:4: p001 is in the training set too; ") {
		t.Errorf("error is %v", err)
	}
	pairs.Pairs = append(pairs.Pairs, eval.Pair{A: "p001/1.jpg", B: "p002/x.jpg", Line: 5}, eval.Pair{A: "p000/1.jpg", B: "p002/x.jpg", Line: 6})
	if err := Overlap(train, pairs); err == nil || !strings.HasPrefix(err.Error(), "p.txt:4: p001 is in the training set too (and so are 2 other people); ") {
		t.Errorf("error is %v", err)
	}
	// What Split and Pairs make never overlaps.
	train, val, err := setOf(alternating(60)...).Split(0.3, 1)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := val.Pairs(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := Overlap(train, drawn); err != nil {
		t.Error(err)
	}
	drawn.Pairs[0].A = train.Samples[0].Path
	if err := Overlap(train, drawn); err == nil || !strings.HasPrefix(err.Error(), drawn.Name+": "+train.Identities[0]) {
		t.Errorf("error is %v", err)
	}
}

// View 1's people are disjoint; View 2 shares people with it.
func TestOverlapOfLFW(t *testing.T) {
	s, err := Open(realData(t, "lfw112/images"), Options{People: realData(t, "lfw112/peopleDevTrain.txt"), MinImages: 2})
	if err != nil {
		t.Fatal(err)
	}
	for file, overlap := range map[string]bool{"pairsDevTest.txt": false, "pairsDevTrain.txt": true, "pairs.txt": true} {
		pairs, err := eval.ReadPairs(realData(t, "lfw112/"+file))
		if err != nil {
			t.Fatal(err)
		}
		if err := Overlap(s, pairs); (err != nil) != overlap {
			t.Errorf("%s: %v", file, err)
		}
	}
	train, val, err := s.Split(0.1, 1)
	if err != nil || len(val.Identities) != 118 || len(train.Identities) != 1066 {
		t.Fatalf("%v; %d and %d people", err, len(train.Identities), len(val.Identities))
	}
	pairs, err := val.Pairs(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pairs.Resolve(s.Root); err != nil {
		t.Error(err)
	}
}
