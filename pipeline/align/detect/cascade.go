package detect

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/embed/onnx"
	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/align"
)

// MTCNN (Zhang et al. 2016): a first network gives proposals at all places of a pyramid of sizes, a second and a third look at each that is left, and the third gives
// landmarks. What is done with their outputs follows facenet-pytorch 2.6.0 step by step, odd ones included.

// stages are the files of the three networks.
var stages = [3]string{"pnet.onnx", "rnet.onnx", "onet.onnx"}

const (
	smallestFace  = 20    // pixels: what the largest picture of the pyramid makes a cell of
	cell          = 12    // pixels that the first network sees at a place
	cellStride    = 2     // pixels between its places
	pyramidFactor = 0.709 // of the sides, from one picture to the next

	proposalScore = 0.6
	refinedScore  = 0.7
)

// laterSides are those of what the second and the third network read.
var laterSides = [2]int{24, 48}

// cascade is MTCNN as its files have it.
type cascade struct {
	first []byte    // of pnet.onnx: a network is made of it for each size of picture
	later [2]*stage // the second and the third
}

// stage is a network with the places of its outputs.
type stage struct {
	*onnx.Model
	box, landmarks, score int
}

// openCascade reads the three networks in a folder.
func openCascade(dir string) (*cascade, string, error) {
	var paths []string
	for _, name := range stages {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err != nil || !st.Mode().IsRegular() {
			return nil, "", fmt.Errorf("%s has no file %s; MTCNN is %s, %s and %s in one folder, any other detector a file", dir, name, stages[0], stages[1], stages[2])
		}
		paths = append(paths, p)
	}
	digest, err := digestOf(paths...)
	if err != nil {
		return nil, "", err
	}
	c := &cascade{}
	if c.first, err = os.ReadFile(paths[0]); err != nil {
		return nil, "", err
	}
	if _, err := c.proposer(image.Pt(64, 64)); err != nil {
		return nil, "", fmt.Errorf("%s: %w", paths[0], err)
	}
	for i, side := range laterSides {
		p := paths[1+i]
		m, err := onnx.Read(p, onnx.Options{})
		if errors.Is(err, onnx.ErrAnySize) {
			m, err = onnx.Read(p, onnx.Options{Height: side, Width: side})
		}
		if err != nil {
			return nil, "", err
		}
		if c.later[i], err = newStage(m, side, side, 1, i == 1); err != nil {
			return nil, "", fmt.Errorf("%s: %w", p, err)
		}
	}
	return c, digest, nil
}

// proposer returns the first network for pictures of a size.
func (c *cascade) proposer(size image.Point) (*stage, error) {
	m, err := onnx.Decode(c.first, "", onnx.Options{Height: size.Y, Width: size.X})
	if err != nil {
		return nil, err
	}
	places := (size.X + cellStride - 1) / cellStride * ((size.Y + cellStride - 1) / cellStride)
	return newStage(m, size.Y, size.X, places, false)
}

// newStage finds the outputs by how many numbers they have at each of at most so many places.
func newStage(m *onnx.Model, height, width, places int, landmarks bool) (*stage, error) {
	if want := (nn.Shape{C: 3, H: height, W: width}); m.Network.Input != want {
		return nil, fmt.Errorf("its input is %v; want %v", m.Network.Input, want)
	}
	s := &stage{m, -1, -1, -1}
	for i, dims := range m.Dims {
		channels, n := 0, 1
		for k, d := range dims {
			if k == 1 {
				channels = d
			} else {
				n *= d
			}
		}
		at := map[int]*int{4: &s.box, 10: &s.landmarks, 2: &s.score}[channels]
		if at == nil || n > places {
			return nil, fmt.Errorf("its output %q is %v; want 2 scores, 4 offsets of a box and, of the third network, 10 of landmarks", m.Outputs[i], dims)
		}
		*at = i
	}
	if s.box < 0 || s.score < 0 || landmarks && s.landmarks < 0 {
		return nil, fmt.Errorf("its outputs %q are of the shapes %v; want scores (2), a box (4) and, of the third network, landmarks (10)", m.Outputs, m.Dims)
	}
	return s, nil
}

// candidate is a box on its way through the networks, in the coordinates that facenet-pytorch has.
type candidate struct {
	Box
	score     float64
	offsets   [4]float64
	landmarks align.Landmarks
}

func scoreOf(c *candidate) float64 { return c.score }

func boxOverlap(a, b *candidate) float64 { return iou(a.Box, b.Box) }

// finder returns the networks with memory.
func (c *cascade) finder(minScore float64, pool *kernel.Pool) (finder, error) {
	f := &mtcnn{cascade: c, minScore: minScore, pool: pool}
	for i, s := range c.later {
		plan, err := nn.NewInference(s.Network, s.Theta, s.Buffers, stageBatch, nn.FP32, pool)
		if err != nil {
			f.close()
			return nil, err
		}
		f.plans[i] = plan
	}
	return f, nil
}
