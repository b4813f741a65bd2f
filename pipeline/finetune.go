package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/dataset"
)

// ownNetwork is the Backbone of a run whose network is that of the model it starts from.
const ownNetwork = "init"

// Values of settings.
const (
	headRandom  = "random"
	headMeans   = "means"
	normsBatch  = "batch"
	normsFrozen = "frozen"
)

func (c *Config) checkFineTuning() error {
	err := errors.Join(
		oneOf("head-init", c.HeadInit, headRandom, headMeans),
		oneOf("norms", c.Norms, normsBatch, normsFrozen),
		oneOf("color", c.Color, "", embed.ColorRGB, embed.ColorBGR),
	)
	for _, s := range []struct {
		name  string
		given bool
	}{
		{"head-init", c.HeadInit == headMeans}, {"norms", c.Norms == normsFrozen}, {"freeze-until", c.FreezeUntil != ""},
		{"freeze-backbone", c.FreezeBackbone.N > 0}, {"mean", c.Mean != nil}, {"std", c.Std != nil}, {"color", c.Color != ""},
	} {
		if s.given && c.Init == "" {
			err = errors.Join(err, settingError(s.name, "it goes with --init, the model to start from"))
		}
	}
	if head, _ := c.objective(); !head {
		if c.HeadInit == headMeans {
			err = errors.Join(err, settingError("head-init", "it goes with a head, and --loss is %s", c.Loss))
		}
		if c.FreezeBackbone.N > 0 {
			err = errors.Join(err, settingError("freeze-backbone", "it goes with a head, which is then all that is trained, and --loss is %s", c.Loss))
		}
	}
	return err
}

// checkSize checks the size of a backbone of this program's; a network that is brought along has its own.
func (c *Config) checkSize() error {
	if c.Backbone == ownNetwork {
		return nil
	}
	return c.Size.validate()
}

// start returns the network of a new run, and the model that it starts from, nil for none. A network that that
// brings along decides about Backbone, Embedding and Size.
func (c *Config) start() (*nn.Network, *embed.Model, error) {
	if c.Init == "" {
		n, err := c.network()
		return n, nil, err
	}
	m, err := c.loadInit()
	if err != nil {
		return nil, nil, settingError("init", "%w", err)
	}
	if !embed.IsONNX(c.Init) && slices.Contains(embed.Backbones(), m.Network.Name) {
		n, err := c.network()
		if err != nil {
			return nil, nil, err
		}
		return n, m, c.same(n, m.Network)
	}
	if standard := Default().Backbone; c.Backbone != standard && c.Backbone != ownNetwork {
		return nil, nil, settingError("backbone", "%s: the network is that of %s; leave --backbone out", c.Backbone, c.Init)
	}
	own := Size{m.Contract.Height, m.Contract.Width}
	if standard := Default(); c.Backbone != ownNetwork {
		switch {
		case c.Size != standard.Size && c.Size != own:
			return nil, nil, settingError("size", "the input of %s is %dx%d; leave --size out", c.Init, own.Height, own.Width)
		case c.Embedding != standard.Embedding && c.Embedding != m.Dim():
			return nil, nil, settingError("embedding", "%s gives %d numbers; leave --embedding out", c.Init, m.Dim())
		}
	}
	c.Backbone, c.Embedding, c.Size = ownNetwork, m.Dim(), Size{m.Contract.Height, m.Contract.Width}
	return m.Network, m, nil
}

// loadInit reads the model that --init names.
func (c *Config) loadInit() (*embed.Model, error) {
	if !embed.IsONNX(c.Init) {
		if c.Mean != nil || c.Std != nil || c.Color != "" {
			return nil, fmt.Errorf("--mean, --std and --color are for ONNX files: %s says itself how images become its input", c.Init)
		}
		return embed.OpenModel(c.Init)
	}
	o := embed.ONNXOptions{Color: c.Color, Mean: narrow(c.Mean), Std: narrow(c.Std)}
	m, err := embed.LoadONNX(c.Init, o)
	if errors.Is(err, embed.ErrAnySize) {
		o.Height, o.Width = c.Size.Height, c.Size.Width
		m, err = embed.LoadONNX(c.Init, o)
	}
	if errors.Is(err, embed.ErrNoContract) {
		return nil, fmt.Errorf("%w: --mean and --std say so, such as --mean 127.5 --std 127.5", err)
	}
	return m, err
}

func narrow(x []float64) []float32 {
	var y []float32
	for _, v := range x {
		y = append(y, float32(v))
	}
	return y
}

// same returns an error unless the model of --init has the network that the settings describe.
func (c *Config) same(network, init *nn.Network) error {
	if init.Name != network.Name || init.Dim() != network.Dim() || init.Input != network.Input {
		return settingError("init", "%s holds %s with embeddings of %d and an input of %dx%d, this run trains %s with %d and %dx%d: set --backbone, --embedding and --size alike",
			c.Init, init.Name, init.Dim(), init.Input.H, init.Input.W, network.Name, network.Dim(), network.Input.H, network.Input.W)
	}
	if !reflect.DeepEqual(init.Layers, network.Layers) {
		return settingError("init", "%s was made by a version of this program whose %s had other layers", c.Init, network.Name)
	}
	return nil
}

// frozenBelow returns the offset in theta up to which parameters are those of the layer until and of those before it.
func frozenBelow(network *nn.Network, until string) (int, error) {
	if until == "" {
		return 0, nil
	}
	index := slices.IndexFunc(network.Layers, func(l nn.Layer) bool { return l.Name == until })
	if index < 0 {
		var some []string
		for _, l := range network.Layers {
			if strings.Contains(l.Name, until) && len(some) < 5 {
				some = append(some, l.Name)
			}
		}
		if len(some) == 0 {
			some = []string{network.Layers[0].Name, "...", network.Layers[len(network.Layers)-1].Name}
		}
		return 0, settingError("freeze-until", "there is no layer %q among the %d of %s; there are %s", until, len(network.Layers), network.Name, strings.Join(some, ", "))
	}
	part := nn.Network{Name: network.Name, Input: network.Input, Layers: network.Layers[:index+1]}
	return nn.Len(part.ParamsOfPart()), nil
}

// freeze says what the next step leaves as it is.
func (t *trainer) freeze() {
	below := t.frozen
	if t.Step < t.config.FreezeBackbone.Steps(t.perEpoch) {
		below = t.graph.backboneParams
	}
	t.backbone.FreezeParams(below)
	t.solver.Freeze(below)
	if t.config.Norms == normsFrozen {
		below = nn.AllNorms
	}
	t.backbone.FreezeNorms(t.buffers, below)
}

// meansChunk is how many images' embeddings are held at once.
const meansChunk = 1024

// headFromMeans makes each class's weights the mean of the unit-length embeddings of its images, as long as weights are that
// start at random. A class none of whose images can be read keeps its own. Ranks that share the classes look at the images of their own.
func (t *trainer) headFromMeans(ctx context.Context) error {
	e, err := t.model().Embedder(embed.Options{Threads: t.pool.Threads(), Batch: t.config.Batch})
	if err != nil {
		return err
	}
	defer e.Close()
	set, dim := t.faces.train, t.network.Dim()
	sums := make([]float64, t.classes.count()*dim)
	samples := slices.DeleteFunc(slices.Clone(set.Samples), func(s dataset.Sample) bool { return !t.classes.has(s.Identity) })
	bad := t.bad.add // all see all
	if t.split != nil {
		bad = t.addBad
	}
	load := func(name string) (image.Image, error) {
		return set.Decode(set.FileOf(name)) // which may lie in a pack
	}
	var v []float32
	err = t.ranks.Work(ctx, "the means of classes", nil, func(ctx context.Context, _ func(done, total int)) error {
		for chunk := range slices.Chunk(samples, meansChunk) {
			names := make([]string, len(chunk))
			for i, s := range chunk {
				names[i] = filepath.ToSlash(s.Path)
			}
			vectors, err := eval.EmbedImages(ctx, e, load, names, false, eval.Options{Batch: t.config.Batch})
			if err != nil {
				return fmt.Errorf("--head-init means: %w", err)
			}
			for i, s := range chunk {
				if err := vectors.Failed[names[i]]; err != nil {
					bad(s.Path, err)
					continue
				}
				v = vectors.At(v, names[i], eval.FlipNone)
				addUnit(sums[(s.Identity-t.classes.first)*dim:][:dim], v)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	weights, _ := t.whole()
	centers := t.centers()
	rows := t.classWeights(weights, centers*len(sums))
	for class := range t.classes.count() {
		for k := range centers {
			row := rows[(class*centers+k)*dim:][:dim]
			towards(row, sums[class*dim:][:dim], k > 0)
		}
	}
	return nil
}

// addUnit adds v, at unit length, to sum.
func addUnit(sum []float64, v []float32) {
	n := norm(v)
	if n == 0 {
		return
	}
	for i, x := range v {
		sum[i] += float64(x) / n
	}
}

// norm returns the length of a vector.
func norm(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// towards turns row to the direction of mean, its length unchanged. Of several centers the others keep a part of their own
// direction, as they would else never part.
func towards(row []float32, mean []float64, other bool) {
	length, m := norm(row), 0.0
	for _, x := range mean {
		m += x * x
	}
	if m == 0 || length == 0 {
		return
	}
	const own = 0.25
	m = math.Sqrt(m)
	for i, x := range mean {
		v := x / m
		if other {
			v += own * float64(row[i]) / length
		}
		row[i] = float32(v * length)
	}
	if n := norm(row); n > 0 {
		for i := range row {
			row[i] = float32(float64(row[i]) * length / n)
		}
	}
}
