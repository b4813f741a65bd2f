package pipeline

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/losses"
)

// A file holds the weights of all classes one after the other, whoever has them: a run can go on with any number of ranks. Rank 0 alone writes and
// reads; what other ranks have comes and goes in pieces, as all of it may be more than rank 0 has memory for.

// pieceLen is how many numbers ranks send each other of a file at a time.
const pieceLen = 1 << 20

// stretch is numbers that follow each other in a file, and in the arena of the ranks that have them.
type stretch struct {
	rank  int // the one that has them, or everyone
	at, n int // in its arena
}

// everyone stands for all ranks, which have the same numbers.
const everyone = -1

// stretches returns where the numbers of backbone and head lie: a list for the backbone, and one for each parameter of the head.
func (t *trainer) stretches() [][]stretch {
	params := nn.Len(t.network.Params())
	all := [][]stretch{{{everyone, 0, params}}}
	if t.head == nil {
		return all
	}
	ranks := []classRange{t.classes}
	if t.split != nil {
		ranks = nil
		for r := range t.ranks.Size() {
			ranks = append(ranks, classesOf(r, t.ranks.Size(), t.classes.all))
		}
	}
	at := make([]int, len(ranks)) // in the arena of each
	for i := range at {
		at[i] = params
	}
	for k, p := range losses.ParamShapes(t.head, t.classes.all, t.network.Dim()) {
		var own []stretch
		for r, c := range ranks {
			n := losses.ParamShapes(t.head, c.count(), t.network.Dim())[k].Len()
			rank := everyone
			if t.split != nil && perClass(t.head, p) {
				rank = r
			}
			if rank == r || r == t.ranks.Rank() || t.split == nil {
				own = append(own, stretch{rank, at[r], n})
			}
			at[r] += n
		}
		all = append(all, own)
	}
	return all
}

// length returns how many numbers stretches have.
func length(ss []stretch) int {
	n := 0
	for _, s := range ss {
		n += s.n
	}
	return n
}

// arenas returns what this rank has of the tensors that are laid out as the arena is, by their names in a checkpoint.
func (t *trainer) arenas() map[string][]float32 {
	weights, moments := t.whole()
	all := map[string][]float32{"weights": weights}
	for name, m := range moments {
		all["optimizer."+name] = m
	}
	if t.average != nil {
		all["average.weights"] = t.average.weights
	}
	return all
}

// stretchesOf returns where the numbers of one of the arenas lie: an average may be of the backbone alone.
func (t *trainer) stretchesOf(arena []float32) []stretch {
	all := t.stretches()
	if len(arena) == t.graph.backboneParams {
		return all[0]
	}
	return slices.Concat(all...)
}

// lent is the arenas of all ranks, as rank 0 sees them.
type lent struct {
	ranks *ranks
	names []string
	own   map[string][]float32
	piece []float32
}

// lend calls write on rank 0, for which the others meanwhile send what it asks for of their arenas. Where all have all they have nothing to do.
func (t *trainer) lend(write func(*lent) error) error {
	l := &lent{ranks: t.ranks, own: t.arenas()}
	if t.split == nil {
		if t.ranks.writes() {
			return write(l)
		}
		return nil
	}
	if _, err := t.ranks.meet("a file", word{}, nil); err != nil {
		return err
	}
	l.names = slices.Sorted(maps.Keys(l.own))
	l.piece = make([]float32, pieceLen)
	if !t.ranks.writes() {
		return l.serve()
	}
	err := write(l)
	if errors.Is(err, mpi.ErrBroken) {
		return err
	}
	return errors.Join(err, l.ask(request{}))
}

// request is what rank 0 wants of another rank's arena. That of no numbers ends.
type request struct{ Arena, Rank, At, N int64 }

// ask makes a request known to all ranks.
func (l *lent) ask(r request) error {
	var text [32]byte
	if _, err := binary.Encode(text[:], binary.LittleEndian, r); err != nil {
		return err
	}
	return l.ranks.plain.Broadcast(text[:], 0)
}

// serve sends rank 0 what it asks for.
func (l *lent) serve() error {
	for {
		var text [32]byte
		var r request
		if err := l.ranks.plain.Broadcast(text[:], 0); err != nil {
			return err
		}
		if _, err := binary.Decode(text[:], binary.LittleEndian, &r); err != nil || r.N == 0 {
			return err
		}
		x := l.piece[:r.N]
		if int(r.Rank) == l.ranks.Rank() {
			x = l.own[l.names[r.Arena]][r.At:][:r.N]
		}
		if err := mpi.MoveFloats(l.ranks.plain, x, int(r.Rank), 0); err != nil {
			return err
		}
	}
}

// stream returns a function that calls write with the numbers of an arena that lie in the stretches, one piece after the other: see tensorfile.Tensor.
func (l *lent) stream(arena string, ss []stretch) func(write func([]float32) error) error {
	return func(write func([]float32) error) error {
		for _, s := range ss {
			for at := 0; at < s.n; at += pieceLen {
				x, err := l.read(arena, stretch{s.rank, s.at + at, min(pieceLen, s.n-at)})
				if err == nil {
					err = write(x)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// read returns a piece, until the next call.
func (l *lent) read(arena string, s stretch) ([]float32, error) {
	if s.rank == everyone || s.rank == l.ranks.Rank() {
		return l.own[arena][s.at:][:s.n], nil
	}
	x := l.piece[:s.n]
	if err := l.ask(request{int64(slices.Index(l.names, arena)), int64(s.rank), int64(s.at), int64(s.n)}); err != nil {
		return nil, err
	}
	return x, mpi.MoveFloats(l.ranks.plain, x, s.rank, 0)
}

// load fills this rank's arenas with what rank 0 reads from a checkpoint that has them all. Ranks that come to other ends know it at the next meeting.
func (t *trainer) load(c *checkpoint) error {
	if t.ranks.several() {
		if _, err := t.ranks.meet("a checkpoint's weights", word{}, nil); err != nil {
			return err
		}
	}
	arenas := t.arenas()
	piece := make([]float32, pieceLen)
	var failed error
	for _, name := range slices.Sorted(maps.Keys(arenas)) {
		place := 0 // in the file
		for _, s := range t.stretchesOf(arenas[name]) {
			for at := 0; at < s.n; at += pieceLen {
				x := piece[:min(pieceLen, s.n-at)]
				mine := s.rank == everyone || s.rank == t.ranks.Rank()
				if mine {
					x = arenas[name][s.at+at:][:len(x)]
				}
				if t.ranks.writes() && failed == nil {
					failed = c.file.ReadAt(x, name, place)
				}
				place += len(x)
				if err := t.pass(x, s.rank); err != nil {
					return err
				}
			}
		}
	}
	return failed
}

// pass gives numbers that rank 0 has to another rank, or to everyone.
func (t *trainer) pass(x []float32, to int) error {
	if to == everyone {
		return mpi.BroadcastFloats(t.ranks.plain, x, 0)
	}
	return mpi.MoveFloats(t.ranks.plain, x, 0, to)
}
