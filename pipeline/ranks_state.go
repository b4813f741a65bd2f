package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"unsafe"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/team"
)

// tell makes what rank 0 says of a run that is resumed known to all: whether it has begun, or else its settings.
func (r *ranks) tell(begun bool, c *Config) (bool, error) {
	if !r.several() {
		return begun, nil
	}
	mine := word{}
	if r.writes() {
		mine.Facts = []fact{{What: fmt.Sprint(begun), Is: string(c.encode())}}
	}
	words, err := r.meet("the run to resume", mine, nil)
	if err != nil || r.writes() {
		return begun, err
	}
	said := words[0].Facts[0]
	if said.What == fmt.Sprint(true) {
		return true, nil
	}
	*c = Default()
	return false, c.DecodeConfig("rank 0's settings", []byte(said.Is))
}

// newestCheckpoint opens the newest checkpoint of rank 0's folder.
func (r *ranks) newestCheckpoint(dir string) (c *checkpoint, warning error, err error) {
	if r.writes() {
		c, warning, err = openNewestCheckpoint(dir)
	}
	if !r.several() {
		return c, warning, err
	}
	if _, err := r.meet("a checkpoint", word{}, err); err != nil {
		return nil, nil, err
	}
	c, err = r.shareCheckpoint(c)
	return c, warning, err
}

// shareCheckpoint gives all ranks the checkpoint that rank 0 has opened, but for its arenas.
func (r *ranks) shareCheckpoint(c *checkpoint) (*checkpoint, error) {
	type outline struct {
		Position position
		Lengths  map[string]int
		Arenas   map[string]int
	}
	var text []byte
	if r.writes() {
		o := outline{c.position, map[string]int{}, c.arenas}
		for name, x := range c.tensors() {
			o.Lengths[name] = len(x)
		}
		var err error
		if text, err = json.Marshal(o); err != nil {
			return nil, err
		}
	}
	parts, err := mpi.Gather(r.plain, text)
	if err != nil {
		return nil, err
	}
	var o outline
	if err := json.Unmarshal(parts[0], &o); err != nil {
		return nil, err
	}
	if !r.writes() {
		c = newCheckpoint()
		c.position, c.arenas = o.Position, o.Arenas
		for name, n := range o.Lengths {
			c.set(name, make([]float32, n))
		}
	}
	tensors := c.tensors()
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		if err := mpi.BroadcastFloats(r.plain, tensors[name], 0); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// weights are a fact: all ranks have the same, to the bit, as what they do not exchange they compute alike. Of a head that is split that goes for what
// all classes share.
func (t *trainer) weights() fact {
	weights, _ := t.whole()
	sum := uint32(0)
	for _, s := range slices.Concat(t.stretches()...) {
		if s.rank == everyone && s.n > 0 {
			bytes := unsafe.Slice((*byte)(unsafe.Pointer(&weights[s.at])), 4*s.n)
			sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), bytes)
		}
	}
	return fact{What: "weights", Is: fmt.Sprint(sum), Cure: "they are computed alike from the same numbers: memory or processor of one of the machines may be faulty"}
}

// sameWeights returns an error unless all ranks have got as far as a checkpoint, and have the same weights there. Those that a run begins with are
// compared at the start.
func (t *trainer) sameWeights() error {
	switch {
	case !t.ranks.several() || t.saved < 0 && t.split == nil:
		return nil
	case t.saved < 0:
		_, err := t.ranks.meet("the first checkpoint", word{}, nil)
		return err
	}
	return t.ranks.Same(fmt.Sprintf("the checkpoint of step %d", t.Step), []fact{t.weights()})
}

// embedPairs embeds the images of the validation pairs, each rank a part of them. The error is context.Canceled where any rank was
// interrupted.
func (t *trainer) embedPairs(ctx context.Context, e eval.Embedder, load eval.LoadFunc) (*eval.Vectors, error) {
	r, mirror := t.ranks, t.Contract.Flip != embed.FlipNone
	all := t.faces.pairs.Images()
	names := team.Share(r.Team, all)
	vectors, err := eval.EmbedImages(ctx, e, load, names, mirror, eval.Options{Batch: t.config.Batch})
	if !r.several() {
		return vectors, err
	}
	var mine word
	if mine.Stop = ctx.Err() != nil; mine.Stop {
		err = nil
	} else if err == nil {
		for name, err := range vectors.Failed {
			mine.Bad = append(mine.Bad, badImage{name, err.Error()})
		}
	}
	words, err := r.meet("a validation", mine, err)
	if err != nil {
		return nil, err
	}
	failed := map[string]error{}
	for _, w := range words {
		if w.Stop {
			return nil, context.Canceled
		}
		for _, b := range w.Bad {
			failed[b.Path] = errors.New(b.Why)
		}
	}
	var own []float32
	var v []float32
	flip := eval.FlipNone
	if mirror {
		flip = eval.FlipConcat // an image's vector, then that of its mirror image
	}
	for _, name := range names {
		if failed[name] == nil {
			v = vectors.At(v, name, flip)
			own = append(own, v...)
		}
	}
	rows, err := mpi.GatherParts(r.Group, own)
	if err != nil {
		return nil, err
	}
	return allVectors(all, failed, e.Dim(), rows, mirror)
}

// allVectors makes vectors of the rows of all images but those that failed.
func allVectors(names []string, failed map[string]error, dim int, rows []float32, mirror bool) (*eval.Vectors, error) {
	var read []string
	for _, name := range names {
		if failed[name] == nil {
			read = append(read, name)
		}
	}
	straight, mirrored := rows, []float32(nil)
	if mirror {
		straight = nil
		for row := range slices.Chunk(rows, 2*dim) {
			straight, mirrored = append(straight, row[:dim]...), append(mirrored, row[dim:]...)
		}
	}
	v, err := eval.NewVectors(read, dim, straight, mirrored)
	if err != nil {
		return nil, err
	}
	v.Failed = failed
	return v, nil
}
