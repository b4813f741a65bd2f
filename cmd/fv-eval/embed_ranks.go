package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"time"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/mpi/team"
)

// sharedEmbedding is the work of several ranks: part after part of the images, of which each rank embeds those that its source loads. Rank 0 has
// the vectors of a part together, in the order of the images, and saves them, before the next part is begun.
type sharedEmbedding struct {
	*embedding
	m    eval.Embedder
	bar  *progress
	at   int // images that are done
	next int // images of the next part
}

// sameStart returns an error unless all ranks are about to do the same.
func (w *embedding) sameStart() error {
	if !w.team.Several() {
		return nil
	}
	images := fmt.Sprint(w.source.total)
	if st, err := os.Stat(w.Source); err == nil && w.source.total == 0 {
		images = fmt.Sprint(st.Size(), " bytes")
	}
	return w.team.Same("the start", []team.Fact{
		{What: "settings", Is: fmt.Sprintf("%s, batches of %d", w.what, w.Batch), Cure: team.SameCommand + ", and with the same model"},
		{What: "images", Is: images, Cure: sameImages},
		team.Kernels(kernel.Variant()),
	})
}

const sameImages = "all ranks need the same images"

// run embeds all images that are not done.
func (s *sharedEmbedding) run() error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	chunks, ended, done := make(chan []sourceImage), make(chan error, 1), s.names()
	go func() {
		ended <- s.source.chunks(ctx, s.done, done, func(chunk []sourceImage) error {
			select {
			case chunks <- chunk:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	for {
		var chunk []sourceImage
		err := s.team.Work(s.ctx, "the reading", nil, func(ctx context.Context, _ func(int, int)) error { // which may take long, of an archive
			select {
			case chunk = <-chunks:
				return nil
			case err := <-ended:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil || chunk == nil {
			return err
		}
		if err := s.chunk(chunk); err != nil {
			return err
		}
	}
}

// chunk embeds the images that the source gives at a time.
func (s *sharedEmbedding) chunk(images []sourceImage) error {
	for len(images) > 0 {
		n := min(s.next, len(images))
		if err := s.part(images[:n]); err != nil {
			return err
		}
		images = images[n:]
	}
	return nil
}

func (s *sharedEmbedding) part(images []sourceImage) error {
	names := crc32.NewIEEE()
	var own []sourceImage
	for i, x := range images {
		fmt.Fprintf(names, "%q %q\n", x.name, x.identity)
		if x.load != nil {
			own = append(own, images[i])
		}
	}
	if err := s.team.Same(fmt.Sprintf("the images from %d", s.at), []team.Fact{{What: "images", Is: fmt.Sprint(names.Sum32()), Cure: sameImages}}); err != nil {
		return err
	}
	began := time.Now()
	var rows []matrix.PartRow
	err := s.team.Work(s.ctx, "the embedding", func(done, _ int) { s.bar.set(s.at+done, s.source.total) }, func(ctx context.Context, did func(done, total int)) error {
		return s.vectors(ctx, s.m, own, func(batch []matrix.PartRow) error {
			rows = append(rows, batch...)
			did(len(rows), len(own))
			return nil
		})
	})
	if err != nil {
		return err
	}
	all := make([]matrix.PartRow, len(images))
	err = team.Collect(s.team, rows, func(rank int, theirs []matrix.PartRow) {
		for k, i := 0, (rank-s.at%s.team.Size()+s.team.Size())%s.team.Size(); i < len(all); k, i = k+1, i+s.team.Size() {
			all[i] = theirs[k]
		}
	})
	if err != nil {
		return err
	}
	if s.team.Writes() {
		err = s.parts.Add(all)
	}
	words, err := team.Meet(s.team, "a part's end", s.fitting(len(images), time.Since(began)), err)
	if err != nil {
		return err
	}
	s.next = words[0]
	s.at += len(images)
	return nil
}

// fitting returns how many images a part should have, so that about the time is lost with it at which one process saves what is done: whole batches
// on all ranks, at least one each.
func (s *sharedEmbedding) fitting(n int, took time.Duration) int {
	batches := float64(s.source.age) / float64(max(took, time.Millisecond)) * float64(n) / float64(s.team.Size()*s.Batch)
	return s.team.Size() * s.Batch * int(min(max(batches, 1), 1<<20))
}
