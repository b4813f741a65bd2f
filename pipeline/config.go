package pipeline

import (
	"errors"
	"math"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/pipeline/augment"
	"github.com/faceverify/fv/pipeline/optim"
)

// Config is everything that a run depends on. Its fields are fv-train's flags and the keys
// of its YAML files: the tags hold name, default and description of each, and Default
// reads the defaults from there.
//
// Fields tagged keep:"free" may differ when a run is resumed.
type Config struct {
	Data      string `name:"data" keep:"free" group:"Data" placeholder:"DIR" help:"Folder with one sub-folder of images for each identity; or an InsightFace pack (.rec), a list of images (.lst; .csv or .parquet with the columns path and identity) or an idx file of images (MNIST); also the argument FOLDER."`
	Images    string `name:"images" keep:"free" group:"Data" placeholder:"DIR" help:"Folder that the paths of a list start from. Default: the list's."`
	Out       string `name:"out" keep:"free" group:"Data" short:"o" default:"run" placeholder:"DIR" help:"Run folder to write. Default: ${default}."`
	Force     bool   `name:"force" keep:"free" group:"Data" default:"false" help:"Replace the run that the run folder holds. Default: ${default}."`
	People    string `name:"people" group:"Data" placeholder:"FILE" help:"Train on the identities that this file names: an LFW people file, or a name a line. Default: all."`
	MinImages int    `name:"min-images" group:"Data" default:"1" help:"Leave out identities with fewer images. Default: ${default}."`
	MaxImages int    `name:"max-images" group:"Data" default:"0" help:"Use at most this many images of an identity; 0 means all. Default: ${default}."`
	Val       string `name:"val" group:"Data" default:"0.1" placeholder:"SHARE|FILE|none" help:"Validation: the share of identities to hold out and make pairs of, a pairs file in one of LFW's formats, or none. Default: ${default}."`
	ValImages string `name:"val-images" group:"Data" placeholder:"DIR" help:"Folder with the images of a pairs file. Default: the training folder."`
	Fit       string `name:"fit" group:"Data" default:"crop" placeholder:"crop|stretch|pad" help:"What becomes of images of another shape: crop, stretch or pad. Default: ${default}."`
	Size      Size   `name:"size" group:"Data" default:"112x112" placeholder:"HxW" help:"Height and width of the network's input, multiples of 16. Default: ${default}."`
	Cache     Bytes  `name:"cache" keep:"free" group:"Data" default:"auto" placeholder:"SIZE" help:"Memory for decoded images, such as 2GiB; auto means a quarter of RAM, 0 none. Default: ${default}."`

	MaxMemory Bytes `name:"max-memory" keep:"free" group:"Data" default:"0" placeholder:"SIZE" help:"Most memory that the run may take, such as 4GiB: the cache gets what the rest leaves, and a batch that cannot fit is refused. 0 means any. Default: ${default}."`

	Augment    string   `name:"augment" group:"Augmentation" default:"light" placeholder:"none|light|strong" help:"Preset of the random changes to training images. Default: ${default}."`
	Flip       *float64 `name:"flip" group:"Augmentation" placeholder:"P" help:"Probability of mirroring. Default: the preset's."`
	Shift      *float64 `name:"shift" group:"Augmentation" placeholder:"P" help:"Probability of shifting. Default: the preset's."`
	ShiftBy    *int     `name:"shift-by" group:"Augmentation" placeholder:"PIXELS" help:"Most pixels to shift by in each direction; what is uncovered is black. Default: the preset's."`
	RandomCrop *float64 `name:"random-crop" group:"Augmentation" placeholder:"P" help:"Probability of blackening all but a random crop. Default: the preset's."`
	Downscale  *float64 `name:"downscale" group:"Augmentation" placeholder:"P" help:"Probability of scaling down and back up. Default: the preset's."`
	Jitter     *float64 `name:"jitter" group:"Augmentation" placeholder:"P" help:"Probability of changing brightness, contrast and saturation. Default: the preset's."`
	Grey       *float64 `name:"grey" group:"Augmentation" placeholder:"P" help:"Probability of taking the colour away. Default: the preset's."`
	Rotate     *float64 `name:"rotate" group:"Augmentation" placeholder:"P" help:"Probability of a small rotation. Default: the preset's."`

	Backbone  string `name:"backbone" group:"Model" default:"mobilefacenet" placeholder:"NAME" help:"Network: sfnet4, 10, 20, 36 or 64, each also with -bn; mobilefacenet; iresnet18, 34, 50 or 100. Default: ${default}."`
	Embedding int    `name:"embedding" group:"Model" default:"512" help:"Numbers in an embedding. Default: ${default}."`
	Init      string `name:"init" group:"Model" placeholder:"MODEL" help:"Model file, run folder or ONNX file whose weights to start from; an ONNX file brings its own network. Default: random weights."`

	Mean           []float64 `name:"mean" group:"Fine-tuning" placeholder:"M|R,G,B" help:"Of an ONNX file: what is subtracted from pixels of 0 to 255, one number or one a channel in the order of --color. Default: as the file says."`
	Std            []float64 `name:"std" group:"Fine-tuning" placeholder:"S|R,G,B" help:"Of an ONNX file: what they are then divided by. Default: as the file says."`
	Color          string    `name:"color" group:"Fine-tuning" placeholder:"rgb|bgr" help:"Of an ONNX file: the order of the channels. Default: as the file says, or rgb."`
	HeadInit       string    `name:"head-init" group:"Fine-tuning" default:"random" placeholder:"random|means" help:"Where the classes' weights start: at random, or at the mean embedding of each class's images under the model of --init. Default: ${default}."`
	FreezeUntil    string    `name:"freeze-until" group:"Fine-tuning" placeholder:"LAYER" help:"Train only the layers after this one; fv-train summary --model MODEL lists them. Default: all."`
	FreezeBackbone Span      `name:"freeze-backbone" group:"Fine-tuning" default:"0" placeholder:"N|Nepochs" help:"Steps or epochs over which only the head is trained. Default: ${default}."`
	LRBackbone     Factor    `name:"lr-backbone" group:"Fine-tuning" default:"1x" placeholder:"Fx" help:"The backbone's learning rate, as a share of the head's, such as 0.1x. Default: ${default}."`
	Norms          string    `name:"norms" group:"Fine-tuning" default:"batch" placeholder:"batch|frozen" help:"What batch norms normalise by: the batch, or the statistics that the model of --init holds, which then stay. Where weights are frozen, so are norms. Default: ${default}."`

	Head           string   `name:"head" group:"Head" default:"amsoftmax" placeholder:"NAME" help:"Classification head: softmax, modified, normface, lsoftmax, asoftmax, sphereface, sphereface-r-v1, sphereface-r-v2, amsoftmax, cosface, arcface, arcface-fallback, arcface-easy, combined, adaface, magface, curricularface, subcenter-arcface, circle, elasticface-arc, elasticface-cos or sphereface2; fv-train losses explains them. Default: ${default}."`
	Scale          *Scale   `name:"scale" group:"Head" placeholder:"S|auto" help:"The head's scale s; auto takes the least that is recommended for the number of classes (CosFace, eq. 6). Default: the head's."`
	Margin         *float64 `name:"margin" group:"Head" placeholder:"M" help:"The head's margin m; an angle is in radians. Default: the head's."`
	MarginWarmup   float64  `name:"margin-warmup" group:"Head" default:"0" placeholder:"EPOCHS" help:"Epochs over which the margin grows, linearly from none to its value. Default: ${default}."`
	MarginGradient string   `name:"margin-gradient" group:"Head" placeholder:"exact|detached" help:"Whether what the margin adds is differentiated. Default: the head's."`
	FeatureNorm    string   `name:"feature-norm" group:"Head" placeholder:"scaled|kept" help:"Whether the head gives embeddings the length s, or keeps their own. Default: the head's."`
	SampleClasses  float64  `name:"sample-classes" group:"Head" default:"1" placeholder:"SHARE" help:"Share of the classes that a step compares with: those of its batch, and others drawn at random (Partial FC). For hundreds of thousands of classes, such as 0.1. Default: ${default}."`
	HeadParams     Params   `name:"head-params" group:"Head" placeholder:"NAME=V;..." help:"The head's other settings, such as lambda-min=0 of asoftmax. Default: the head's."`

	Filter float64 `name:"interclass-filter" group:"Head" default:"0" placeholder:"COSINE" help:"Take the cosine to another class for 0 where it is above this, such as 0.4: what is mislabelled is not pushed away from where it belongs. 0 means nowhere. Default: ${default}."`

	Loss       string  `name:"loss" group:"Loss" default:"head" placeholder:"head|NAME|head+NAME" help:"What is minimised: the head's loss; a loss that compares the embeddings of a batch with each other (triplet, contrastive, n-pair, angular, multi-similarity or supcon; fv-train losses explains them); or both, such as head+triplet or head+center. Default: ${default}."`
	LossWeight float64 `name:"loss-weight" group:"Loss" default:"1" help:"Factor of the other loss beside the head's. Default: ${default}."`
	LossParams Params  `name:"loss-params" group:"Loss" placeholder:"NAME=V;..." help:"The other loss's settings, such as margin=0.3 of triplet. Default: the loss's."`
	Mining     string  `name:"mining" group:"Loss" placeholder:"NAME" help:"Which triplets count: all, hard, semi-hard, or batch-hard (the farthest positive and the nearest negative of each image). Default: batch-hard."`

	Batch       int       `name:"batch" group:"Optimisation" default:"64" help:"Images in a batch, at least 2; the last, partial batch of an epoch is dropped. Default: ${default}."`
	PerIdentity int       `name:"per-identity" group:"Optimisation" default:"0" placeholder:"K" help:"Images of each identity in a batch, which then has batch/K identities that take turns; 0 shows all images in any order. Default: ${default}."`
	Sampler     string    `name:"sampler" group:"Optimisation" placeholder:"NAME" help:"Which images an epoch shows, which is as many as there are: images (each once), identities (all people equally often, however many images they have), sqrt (people by the square root of that number) or pxk (what --per-identity says). Default: pxk with --per-identity, else images."`
	Accumulate  int       `name:"accumulate" group:"Optimisation" default:"1" help:"Batches whose gradients are averaged for one step. Default: ${default}."`
	Epochs      int       `name:"epochs" group:"Optimisation" default:"16" help:"Passes over the data. Default: ${default}."`
	MaxSteps    int       `name:"max-steps" keep:"free" group:"Optimisation" default:"0" help:"End after this many steps, the schedule unchanged; 0 means after the last epoch. Default: ${default}."`
	Optimizer   string    `name:"optimizer" group:"Optimisation" default:"sgd" placeholder:"sgd|adamw" help:"Optimiser. Default: ${default}."`
	LR          *float64  `name:"lr" group:"Optimisation" placeholder:"RATE" help:"Highest learning rate. Default: 0.1 for sgd, 0.001 for adamw."`
	Momentum    float64   `name:"momentum" group:"Optimisation" default:"0.9" help:"Momentum of sgd. Default: ${default}."`
	Nesterov    bool      `name:"nesterov" group:"Optimisation" default:"false" negatable:"" help:"Nesterov's momentum. Default: ${default}."`
	WeightDecay *float64  `name:"weight-decay" group:"Optimisation" placeholder:"WD" help:"Weight decay; never of biases, norms and PReLU slopes. Default: 0.0005 for sgd, 0.05 for adamw."`
	Beta1       float64   `name:"beta1" group:"Optimisation" default:"0.9" help:"Decay of adamw's mean of gradients. Default: ${default}."`
	Beta2       float64   `name:"beta2" group:"Optimisation" default:"0.999" help:"Decay of adamw's mean of squares. Default: ${default}."`
	Epsilon     float64   `name:"epsilon" group:"Optimisation" default:"1e-8" help:"Added to adamw's denominator. Default: ${default}."`
	Clip        float64   `name:"clip" group:"Optimisation" default:"5" help:"Largest norm of the gradient, of backbone and head together; 0 means any. Default: ${default}."`
	Schedule    string    `name:"schedule" group:"Optimisation" default:"cosine" placeholder:"NAME" help:"Fall of the learning rate: cosine, polynomial, linear, step or constant. Default: ${default}."`
	Warmup      Span      `name:"warmup" group:"Optimisation" default:"0" placeholder:"N|Nepochs" help:"Steps, or epochs such as 0.5epochs, over which the rate rises to what the schedule says. Default: ${default}."`
	Milestones  []float64 `name:"milestones" group:"Optimisation" placeholder:"EPOCH,..." help:"Epochs after which the step schedule lowers the rate. Default: none."`
	Gamma       float64   `name:"gamma" group:"Optimisation" default:"0.1" help:"Factor of the step schedule. Default: ${default}."`
	Power       float64   `name:"power" group:"Optimisation" default:"1" help:"Power of the polynomial schedule. Default: ${default}."`
	EMA         float64   `name:"ema" group:"Optimisation" default:"0" placeholder:"DECAY" help:"Average the weights over the steps, each counting this share of the one after it, such as 0.999; validation and the written model are of the average. 0 means none. Default: ${default}."`
	Seed        uint64    `name:"seed" group:"Optimisation" default:"1" help:"Seed of every random draw. Default: ${default}."`

	Precision       string `name:"precision" group:"Running" default:"fp32" placeholder:"fp32|bf16" help:"What convolutions multiply: float32, or bfloat16, which is less exact, takes less memory and is faster where the processor has AVX512-BF16 (with AVX2 alone it may be slower). Default: ${default}."`
	Threads         int    `name:"threads" keep:"free" group:"Running" default:"0" help:"Threads; 0 means one for each processor. The result is the same. Default: ${default}."`
	CheckpointEvery Span   `name:"checkpoint-every" keep:"free" group:"Running" default:"1epochs" placeholder:"N|Nepochs" help:"Steps or epochs between checkpoints. Default: ${default}."`
	ValEvery        Span   `name:"val-every" keep:"free" group:"Running" default:"1epochs" placeholder:"N|Nepochs" help:"Steps or epochs between validations. Default: ${default}."`
	OnNaN           string `name:"on-nan" keep:"free" group:"Running" default:"stop" placeholder:"stop|skip|rollback" help:"What follows a step whose loss or gradient is NaN or infinite: stop with an error; skip the step; or rollback to the last checkpoint and go on with half the learning rate. Default: ${default}."`
	Rollbacks       int    `name:"rollbacks" keep:"free" group:"Running" default:"3" placeholder:"N" help:"Most rollbacks of a run. Default: ${default}."`
	SyncNorms       bool   `name:"sync-norms" group:"Running" default:"true" negatable:"" help:"Of several ranks (docs/mpi.md): whether batch norms normalise by the whole batch, so that the run is the same for any number of ranks, or by each rank's part of it. Default: ${default}."`
	SplitHead       bool   `name:"split-head" keep:"free" group:"Running" default:"true" negatable:"" help:"Of several ranks: whether each holds the head's weights of its part of the classes only, with their gradients and momentum, or all hold all. Default: ${default}."`
	Exchange        string `name:"exchange" keep:"free" group:"Running" default:"fp32" placeholder:"fp32|bf16" help:"Of several ranks: how the backbone's gradients are exchanged; bf16 sends half of the bytes, and rounds. Default: ${default}."`
	MPITimeout      int    `name:"mpi-timeout" keep:"free" group:"Running" default:"600" placeholder:"SECONDS" help:"Of several ranks: seconds that ranks wait for each other before they give up; more than a checkpoint and the report take. 0 means any. Default: ${default}."`
	LogEvery        int    `name:"log-every" keep:"free" group:"Running" default:"20" help:"Steps between lines of text; log.jsonl has every step. Default: ${default}."`
}

// Resolve fills in the defaults that depend on other settings, so that the Config says
// all. It returns errors for settings that cannot be, all of them at once.
func (c *Config) Resolve() error {
	rate, decay := 0.1, 5e-4
	if c.Optimizer == optim.AdamW {
		rate, decay = 1e-3, 0.05
	}
	if c.LR == nil {
		c.LR = &rate
	}
	if c.WeightDecay == nil {
		c.WeightDecay = &decay
	}
	return errors.Join(c.resolveHead(), c.resolveLoss(), c.checkFilter(), c.checkData(), c.resolveAugmentation(), c.checkOptimisation())
}

func (c *Config) resolveHead() error {
	spec, err := losses.Describe(c.Head)
	if err != nil {
		return settingError("head", "%s", strings.TrimPrefix(err.Error(), "losses: "))
	}
	c.Head = spec.Name
	if _, err := c.head(); err != nil {
		return c.headError(err)
	}
	o, err := spec.Resolve(c.headOptions())
	if err != nil {
		return err
	}
	c.HeadParams = nil
	for name, v := range o.Params {
		switch name {
		case "scale":
			if s := Scale(v); !c.autoScale() {
				c.Scale = &s
			}
		case "margin":
			c.Margin = &v
		default:
			if c.HeadParams == nil {
				c.HeadParams = Params{}
			}
			c.HeadParams[name] = v
		}
	}
	c.MarginGradient, c.FeatureNorm = string(o.MarginGradient), string(o.FeatureNorm)
	return errors.Join(c.checkMarginWarmup(), c.checkScale())
}

// head makes the head that the settings describe.
func (c *Config) head() (losses.Head, error) { return losses.New(c.Head, c.headOptions()) }

func (c *Config) headOptions() losses.Options {
	return losses.Options{
		Params: c.headValues(), MarginGradient: losses.MarginGradient(c.MarginGradient),
		FeatureNorm: losses.FeatureNorm(c.FeatureNorm), Seed: c.Seed,
	}
}

func (c *Config) headValues() map[string]float64 {
	values := map[string]float64{}
	for name, v := range c.HeadParams {
		values[name] = v
	}
	if c.Scale != nil && !c.autoScale() {
		values["scale"] = float64(*c.Scale)
	}
	if c.Margin != nil {
		values["margin"] = *c.Margin
	}
	return values
}

// resolveAugmentation fills in what the preset says where nothing else is said.
func (c *Config) resolveAugmentation() error {
	s, err := augment.Preset(c.Augment)
	if err != nil {
		return oneOf("augment", c.Augment, augment.Presets()...)
	}
	if c.ShiftBy == nil {
		c.ShiftBy = &s.ShiftBy
	}
	for _, p := range []struct {
		set    **float64
		preset float64
	}{
		{&c.Flip, s.Flip}, {&c.Shift, s.Shift}, {&c.RandomCrop, s.RandomCrop}, {&c.Downscale, s.Downscale},
		{&c.Jitter, s.Jitter}, {&c.Grey, s.Grey}, {&c.Rotate, s.Rotate},
	} {
		if *p.set == nil {
			*p.set = &p.preset
		}
	}
	if err := c.augmentation().Validate(); err != nil {
		return blame("augment", "augment: ", err)
	}
	return nil
}

// augmentation returns the random changes that resolved settings describe.
func (c *Config) augmentation() augment.Settings {
	return augment.Settings{
		Flip: *c.Flip, Shift: *c.Shift, ShiftBy: *c.ShiftBy, RandomCrop: *c.RandomCrop,
		Downscale: *c.Downscale, Jitter: *c.Jitter, Grey: *c.Grey, Rotate: *c.Rotate,
	}
}

func (c *Config) optimizer() optim.Settings {
	return optim.Settings{
		Name: c.Optimizer, Momentum: c.Momentum, Nesterov: c.Nesterov,
		Beta1: c.Beta1, Beta2: c.Beta2, Epsilon: c.Epsilon,
		Decay: *c.WeightDecay, Clip: c.Clip,
	}
}

// schedule returns the learning rate for epochs of so many steps.
func (c *Config) schedule(perEpoch int) optim.Schedule {
	s := optim.Schedule{
		Base: *c.LR, Steps: c.Epochs * perEpoch, Warmup: c.Warmup.Steps(perEpoch),
		Decay: c.Schedule, Power: c.Power, Gamma: c.Gamma,
	}
	for _, m := range c.Milestones {
		s.Milestones = append(s.Milestones, int(math.Round(m*float64(perEpoch))))
	}
	return s
}

// absolute makes the paths of resolved settings independent of the folder that the program runs in.
func (c *Config) absolute() error {
	_, file, err := c.validation()
	if err != nil {
		return err
	}
	paths := []*string{&c.Data, &c.Images, &c.People, &c.ValImages, &c.Init}
	if file != "" {
		paths = append(paths, &c.Val)
	}
	for _, p := range paths {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	return nil
}

// override sets what is given over the settings of a run. What is not Free must be as it was.
func (c *Config) override(given []Field) error {
	was, changed := *c, *c
	if err := was.Resolve(); err != nil { // its file leaves out what the head is like where there is none
		return err
	}
	for _, g := range given {
		if err := changed.Set(g.Name, g.Value); err != nil {
			return err
		}
	}
	if err := changed.Resolve(); err != nil {
		return err
	}
	if err := changed.absolute(); err != nil {
		return err
	}
	var errs []error
	before := was.Fields()
	for i, f := range changed.Fields() {
		if was := before[i].Value; !f.Free && f.Value != was {
			errs = append(errs, settingError(f.Name, "a run keeps this setting when it is resumed: it is %q, not %q", was, f.Value))
		}
	}
	*c = changed
	return errors.Join(errs...)
}
