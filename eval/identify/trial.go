package identify

import (
	"context"
	"fmt"
	"iter"

	"github.com/faceverify/fv/eval/matrix"
	"github.com/faceverify/fv/internal/kernel"
)

// Trial is a measurement under way: a gallery, and what it has said to probes.
//
// Processes that share one make a Trial each, of the same matrices, and each searches for another part of the probes. Once what each has found
// is put into one of them, its Result is that of one process.
type Trial struct {
	o        Options
	g        *gallery
	z        *normaliser
	tiles    []tile
	searches []Search // of the tiles, one after the other
	result   Result
	probes   int // in the file of probes
}

// tile is some rows of a matrix, whose scores are held at once. What a product rounds to may depend on its number of rows, so that parts of a trial are
// whole tiles.
type tile struct {
	m    *matrix.Matrix
	rows []int
	at   int // in searches
}

// tileScores is about how many scores are held at once.
const tileScores = 1 << 22

// NewTrial enrols gallery and prepares to search it for probes and unknown; see [Measure]. Options.Progress is not used.
func NewTrial(gallery, probes, unknown *matrix.Matrix, o Options) (*Trial, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	t := &Trial{o: o, probes: probes.Len()}
	if t.g, err = enrol(gallery, o.Enrol); err != nil {
		return nil, err
	}
	t.result = Result{Enrol: o.Enrol, Gallery: len(t.g.names), GalleryImages: gallery.Len(), Dim: gallery.Dim, Normalise: o.Normalise, Rank: o.Rank, CMC: []RankRate{}, Points: []Point{}}
	if o.Normalise != NoNorm {
		t.result.Cohort = o.Cohort.Len()
	}
	pool := kernel.NewPool(o.Threads)
	defer pool.Close()
	if t.z, err = t.g.newNormaliser(pool, o.Cohort, o.Normalise); err != nil {
		return nil, err
	}
	for _, m := range []*matrix.Matrix{probes, unknown} {
		if m == nil {
			continue
		}
		if m.Dim != gallery.Dim {
			return nil, fmt.Errorf("%s has embeddings of %d values, %s of %d; were they made by one model?", gallery.Path, gallery.Dim, m.Path, m.Dim)
		}
		rows := make([]int, 0, m.Len())
		for i, name := range m.Names {
			switch _, enrolled := t.g.index[m.Identities[i]]; {
			case m.Identities[i] == "":
				return nil, fmt.Errorf("%s has no identity", m.Describe(i))
			case m == unknown && enrolled:
				return nil, fmt.Errorf("%s is an unknown probe, but %s is enrolled", m.Describe(i), m.Identities[i])
			case t.g.images[name] && enrolled:
				t.result.Excluded++
			default:
				rows = append(rows, i)
			}
		}
		t.add(m, rows)
	}
	return t, nil
}

// add makes tiles of the rows of m.
func (t *Trial) add(m *matrix.Matrix, rows []int) {
	size := max(1, tileScores/len(t.g.names))
	for len(rows) > 0 {
		n := min(size, len(rows))
		t.tiles = append(t.tiles, tile{m, rows[:n], len(t.searches)})
		t.searches = append(t.searches, make([]Search, n)...)
		rows = rows[n:]
	}
}

// Search searches for one of some parts of the probes, 0 to parts-1, which are whole tiles. progress, if not nil, is told how many of its
// probes are scored.
func (t *Trial) Search(ctx context.Context, part, parts int, progress func(done, total int)) error {
	pool := kernel.NewPool(t.o.Threads)
	defer pool.Close()
	total, largest := 0, 0
	for tile := range t.part(part, parts) {
		total += len(tile.rows)
		largest = max(largest, len(tile.rows))
	}
	unit, scores := make([]float32, largest*t.g.dim), make([]float32, largest*len(t.g.names))
	done := 0
	for tile := range t.part(part, parts) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.search(pool, tile, unit, scores); err != nil {
			return err
		}
		if done += len(tile.rows); progress != nil {
			progress(done, total)
		}
	}
	return nil
}

// part goes through the tiles of one of some parts.
func (t *Trial) part(part, parts int) iter.Seq[tile] {
	return func(yield func(tile) bool) {
		for i := part; i < len(t.tiles) && yield(t.tiles[i]); i += parts {
		}
	}
}

// search scores a tile against the gallery.
func (t *Trial) search(pool *kernel.Pool, tile tile, unit, scores []float32) error {
	g, m, n := t.g, tile.m, len(t.g.names)
	for i, row := range tile.rows {
		norm := length(m.Row(row))
		for j, x := range m.Row(row) {
			unit[i*g.dim+j] = float32(float64(x) / norm)
		}
	}
	kernel.Gemm(pool, len(tile.rows), n, g.dim, unit, g.dim, false, g.templates, g.dim, true, scores, n, false)
	err := t.z.apply(pool, scores[:len(tile.rows)*n], unit[:len(tile.rows)*g.dim], func(i int) string { return m.Describe(tile.rows[i]) })
	if err != nil {
		return err
	}
	pool.Run(len(tile.rows), func(i int) {
		mate, ok := g.index[m.Identities[tile.rows[i]]]
		if !ok {
			mate = -1
		}
		t.searches[tile.at+i] = searchRow(scores[i*n:][:n], mate)
	})
	return nil
}

// Found returns what was found of a part.
func (t *Trial) Found(part, parts int) []Search {
	var found []Search
	for tile := range t.part(part, parts) {
		found = append(found, t.searches[tile.at:][:len(tile.rows)]...)
	}
	return found
}

// Put takes what another process found of a part. It panics if that is another number of probes.
func (t *Trial) Put(part, parts int, found []Search) {
	for tile := range t.part(part, parts) {
		found = found[copy(t.searches[tile.at:][:len(tile.rows)], found[:len(tile.rows)]):]
	}
	if len(found) > 0 {
		panic(fmt.Sprintf("identify: %d more probes than part %d of %d has", len(found), part, parts))
	}
}

// Result works out the rates. It is an error if there are no mated probes.
func (t *Trial) Result() (*Result, error) {
	r := t.result
	r.count(t.searches, t.o)
	if r.Mated > 0 {
		return &r, nil
	}
	if r.Excluded >= t.probes {
		return nil, fmt.Errorf("all %d probes are images of the gallery; name other images", t.probes)
	}
	return nil, fmt.Errorf("none of the %d probes shows one of the %d people enrolled (%d probes are enrolled images themselves)", len(t.searches)+r.Excluded, r.Gallery, r.Excluded)
}
