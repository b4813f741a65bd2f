package kernel

// winogradTiling cuts outputs into tiles, and these into groups that are transformed and multiplied together. The patch of
// inputs of a tile begins padH above it and padW before it.
type winogradTiling struct {
	src, dst   Layout
	padH, padW int
	mixed      bool
}

func (t *winogradTiling) rows() int { return even(t.dst.H, winogradTile) }
func (t *winogradTiling) cols() int { return even(t.dst.W, winogradTile) }

// tiles returns the number of tiles of n images.
func (t *winogradTiling) tiles(n int) int { return n * t.rows() * t.cols() }

// unit is the number of tiles that the micro-kernel multiplies at a time.
func (t *winogradTiling) unit() int {
	if t.mixed {
		return pairBlock
	}
	return tileRows()
}

// winogradRun is some tiles side by side in an image, the first at (y, x).
type winogradRun struct{ n, y, x, tiles int }

// runs calls f for tiles first to last, as many at a time as lie side by side; i counts from first.
func (t *winogradTiling) runs(first, last int, f func(i int, r winogradRun)) {
	for tile := first; tile < last; {
		row, col := tile/t.cols(), tile%t.cols()
		r := winogradRun{row / t.rows(), row % t.rows() * winogradTile, col * winogradTile, min(t.cols()-col, last-tile)}
		f(tile-first, r)
		tile += r.tiles
	}
}

// winogradGroup is some tiles, and what they are transformed to.
type winogradGroup struct {
	first, count int
	room         int // tiles that there is room for: count in whole units
	v, m         planes
}

// groups returns how many groups of about size tiles there are of some tiles.
func (t *winogradTiling) groups(tiles, size int) int {
	return even(even(tiles, t.unit()), max(1, size/t.unit()))
}

// group returns group i of count, which free takes back; mixedM says that M is of pairs.
func (t *winogradTiling) group(i, count, tiles int, mixedM bool) winogradGroup {
	units := even(tiles, t.unit())
	first, last := i*units/count*t.unit(), min(tiles, (i+1)*units/count*t.unit())
	room := even(last-first, t.unit()) * t.unit()
	return winogradGroup{first, last - first, room, newPlanes(room, t.src.C, t.mixed), newPlanes(room, t.dst.C, mixedM)}
}

func (g *winogradGroup) free() {
	g.v.free()
	g.m.free()
}

// input transforms the patches of tiles i0 to i1 of a group to V.
func (t *winogradTiling) input(g *winogradGroup, x *reader, i0, i1 int) {
	w := newWindows(t.src, winogradPatch)
	defer w.free()
	t.runs(g.first+i0, g.first+i1, func(i int, r winogradRun) {
		r.y, r.x = r.y-t.padH, r.x-t.padW
		w.read(inputTransform, g.v.from(i0+i), x, r)
	})
}

// planes hold the values of some tiles at all points, as floats or as pairs: [points][room][row].
type planes struct {
	floats    []float32
	pairs     []Pair
	room, row int // tiles, and the distance from one to the next
}

func newPlanes(room, channels int, mixed bool) planes {
	if mixed {
		row := channels/2 + cacheGap
		return planes{pairs: pairBuffers.get(winogradPoints * room * row), room: room, row: row}
	}
	row := channels + cacheGap
	return planes{floats: sumBuffers.get(winogradPoints * room * row), room: room, row: row}
}

func (p *planes) free() {
	if p.pairs != nil {
		pairBuffers.put(p.pairs)
	} else {
		sumBuffers.put(p.floats)
	}
}

// from returns a call of a transform that writes the tiles from i on.
func (p *planes) from(i int) transformCall {
	c := transformCall{dstCol: p.room * p.row, dstTile: p.row}
	if p.pairs != nil {
		c.pairs = p.pairs[i*p.row:]
	} else {
		c.dst = p.floats[i*p.row:]
	}
	return c
}

// at returns where the values of a point, of the tiles from i on, begin.
func (p *planes) at(point, i int) int { return (point*p.room + i) * p.row }

// clearFrom zeroes the pairs of the tiles from i on.
func (p *planes) clearFrom(i int) {
	for point := range winogradPoints {
		clear(p.pairs[p.at(point, i):p.at(point, p.room)])
	}
}
