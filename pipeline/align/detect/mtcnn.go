package detect

import (
	"image"
	"math"
	"slices"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/align"
)

const (
	// stageBatch is how many candidates the second and the third network look at together.
	stageBatch = 64
	// keptProposers is for how many sizes of pictures the first network is kept. A pyramid has about nine; to make one takes 2 ms.
	keptProposers = 32
)

// mtcnn runs a cascade.
type mtcnn struct {
	*cascade
	minScore  float64
	pool      *kernel.Pool
	plans     [2]*nn.Inference // of the later networks
	proposers []*proposer      // those used last at the end
	sums      sums
	input     []float32
}

// proposer is the first network for one size of pictures.
type proposer struct {
	size image.Point
	*stage
	plan *nn.Inference
}

func (f *mtcnn) close() {
	for _, p := range f.plans {
		if p != nil {
			p.Close()
		}
	}
	for _, p := range f.proposers {
		p.plan.Close()
	}
}

// proposer returns the first network for pictures of a size.
func (f *mtcnn) proposer(size image.Point) (*proposer, error) {
	if i := slices.IndexFunc(f.proposers, func(p *proposer) bool { return p.size == size }); i >= 0 {
		p := f.proposers[i]
		f.proposers = append(slices.Delete(f.proposers, i, i+1), p)
		return p, nil
	}
	s, err := f.cascade.proposer(size)
	if err != nil {
		return nil, err
	}
	plan, err := nn.NewInference(s.Network, s.Theta, s.Buffers, 1, nn.FP32, f.pool)
	if err != nil {
		return nil, err
	}
	if len(f.proposers) == keptProposers {
		f.proposers[0].plan.Close()
		f.proposers = slices.Delete(f.proposers, 0, 1)
	}
	p := &proposer{size, s, plan}
	f.proposers = append(f.proposers, p)
	return p, nil
}

func (f *mtcnn) find(img *image.RGBA) ([]Face, error) {
	f.sums.load(img)
	list, err := f.propose()
	if err != nil {
		return nil, err
	}
	list = f.look(list, 0, refinedScore)
	list = suppress(list, scoreOf, 0.7, boxOverlap)
	for i := range list {
		list[i].shift(1)
		list[i].square()
	}
	list = f.look(list, 1, f.minScore)
	for i := range list {
		list[i].shift(1)
	}
	// A box within another one is left out too: half a face in a whole one.
	list = suppress(list, scoreOf, 0.7, func(a, b *candidate) float64 {
		area := func(b Box) float64 { return (b.Width() + 1) * (b.Height() + 1) }
		return intersection(a.Box, b.Box, 1) / math.Min(area(a.Box), area(b.Box))
	})
	var faces []Face
	for _, c := range list {
		faces = append(faces, Face{c.Box, c.landmarks, c.score})
	}
	return faces, nil
}

// propose looks for faces of all sizes.
func (f *mtcnn) propose() ([]candidate, error) {
	var all []candidate
	scale := float64(cell) / smallestFace
	for shorter := float64(min(f.sums.width, f.sums.height)) * scale; shorter >= cell; shorter *= pyramidFactor {
		list, err := f.proposeAt(scale)
		if err != nil {
			return nil, err
		}
		all = append(all, suppress(list, scoreOf, 0.5, boxOverlap)...)
		scale *= pyramidFactor
	}
	all = suppress(all, scoreOf, 0.7, boxOverlap)
	for i := range all {
		all[i].shift(0)
		all[i].square()
	}
	return all, nil
}

// proposeAt looks for faces of one size.
func (f *mtcnn) proposeAt(scale float64) ([]candidate, error) {
	p, err := f.proposer(image.Pt(int(float64(f.sums.width)*scale+1), int(float64(f.sums.height)*scale+1)))
	if err != nil {
		return nil, err
	}
	f.grow(p.Network.Input.Len())
	f.sums.resize(f.input, p.size.X, p.size.Y, image.Rect(0, 0, f.sums.width, f.sums.height))
	p.plan.Forward(f.input, 1)
	scores, s := p.plan.Output(p.score, 1)
	offsets, _ := p.plan.Output(p.box, 1)
	var list []candidate
	// In float32, as PyTorch divides: floor tells the difference.
	place := func(cells int) float64 { return math.Floor(float64(float32(cells) / float32(scale))) }
	for i := range s.H * s.W {
		score := float64(scores[2*i+1])
		if !(score >= proposalScore) {
			continue
		}
		x, y := cellStride*(i%s.W), cellStride*(i/s.W)
		c := candidate{Box: Box{place(x + 1), place(y + 1), place(x + cell), place(y + cell)}, score: score}
		for k := range c.offsets {
			c.offsets[k] = float64(offsets[4*i+k])
		}
		list = append(list, c)
	}
	return list, nil
}

// shift moves the sides by the offsets, in units of the box's sides and so many pixels more.
func (c *candidate) shift(more float64) {
	w, h := c.Width()+more, c.Height()+more
	c.Left += c.offsets[0] * w
	c.Top += c.offsets[1] * h
	c.Right += c.offsets[2] * w
	c.Bottom += c.offsets[3] * h
}

// square makes the shorter sides as long as the longer ones.
func (c *candidate) square() {
	w, h := c.Width(), c.Height()
	l := math.Max(w, h)
	c.Left += w/2 - l/2
	c.Top += h/2 - l/2
	c.Right, c.Bottom = c.Left+l, c.Top+l
}

// part returns the pixels of the box that are in the picture; its numbers begin at 1.
func (c *candidate) part(width, height int) image.Rectangle {
	clamp := func(v float64, low, high int) int {
		if !(v > float64(low)) { // also what is no number
			return low
		}
		return int(math.Min(v, float64(high)))
	}
	return image.Rectangle{
		Min: image.Pt(clamp(c.Left, 1, width+1)-1, clamp(c.Top, 1, height+1)-1),
		Max: image.Pt(clamp(c.Right, 0, width), clamp(c.Bottom, 0, height)),
	}
}

// look returns the candidates that a later network scores higher than minScore, with its score, offsets and landmarks.
func (f *mtcnn) look(list []candidate, k int, minScore float64) []candidate {
	list = slices.DeleteFunc(list, func(c candidate) bool {
		r := c.part(f.sums.width, f.sums.height)
		return r.Dx() < 1 || r.Dy() < 1
	})
	s, plan, side := f.later[k], f.plans[k], laterSides[k]
	each := 3 * side * side
	f.grow(stageBatch * each)
	var kept []candidate
	for part := range slices.Chunk(list, stageBatch) {
		for i, c := range part {
			f.sums.resize(f.input[i*each:], side, side, c.part(f.sums.width, f.sums.height))
		}
		n := len(part)
		plan.Forward(f.input[:n*each], n)
		scores, _ := plan.Output(s.score, n)
		offsets, _ := plan.Output(s.box, n)
		for i, c := range part {
			if c.score = float64(scores[2*i+1]); !(c.score > minScore) {
				continue
			}
			for j := range c.offsets {
				c.offsets[j] = float64(offsets[4*i+j])
			}
			if s.landmarks >= 0 {
				points, _ := plan.Output(s.landmarks, n)
				for j := range c.landmarks {
					c.landmarks[j] = align.Point{
						X: (c.Width()+1)*float64(points[10*i+j]) + c.Left - 1,
						Y: (c.Height()+1)*float64(points[10*i+5+j]) + c.Top - 1,
					}
				}
			}
			kept = append(kept, c)
		}
	}
	return kept
}

// grow makes room for an input of n numbers.
func (f *mtcnn) grow(n int) {
	if len(f.input) < n {
		f.input = make([]float32, n)
	}
}
