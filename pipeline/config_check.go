package pipeline

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/kernel"
	"github.com/faceverify/fv/internal/nn"
	"github.com/faceverify/fv/pipeline/optim"
	"github.com/faceverify/fv/pipeline/sampler"
)

func oneOf(name, value string, values ...string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return settingError(name, "there is no %q; there are %s", value, strings.Join(values, ", "))
}

func atLeast(name string, value, least int) error {
	if value < least {
		return settingError(name, "%d is too small, want at least %d", value, least)
	}
	return nil
}

func (c *Config) checkData() error {
	_, file, err := c.validation()
	if err == nil && file == "" && c.ValImages != "" {
		err = settingError("val-images", "it goes with a pairs file, and --val is %s", c.Val)
	}
	return errors.Join(
		err,
		atLeast("min-images", c.MinImages, 1),
		atLeast("max-images", c.MaxImages, 0),
		atLeast("embedding", c.Embedding, 1),
		oneOf("fit", c.Fit, "crop", "stretch", "pad"),
		c.checkSize(),
		c.checkMaxMemory(),
	)
}

func (c *Config) checkMaxMemory() error {
	if c.MaxMemory < 0 {
		return settingError("max-memory", "want an amount, such as 4GiB, or 0 for any")
	}
	return nil
}

func (c *Config) checkOptimisation() error {
	err := errors.Join(
		atLeast("batch", c.Batch, 2),
		c.checkPerIdentity(),
		atLeast("accumulate", c.Accumulate, 1),
		c.checkSample(),
		c.checkEMA(),
		atLeast("epochs", c.Epochs, 1),
		atLeast("max-steps", c.MaxSteps, 0),
		atLeast("threads", c.Threads, 0),
		atLeast("log-every", c.LogEvery, 1),
		atLeast("rollbacks", c.Rollbacks, 0),
		oneOf("on-nan", c.OnNaN, onNaNStop, onNaNSkip, onNaNRollback),
		c.checkPrecision(),
		oneOf("exchange", c.Exchange, string(nn.FP32), string(nn.BF16)),
		atLeast("mpi-timeout", c.MPITimeout, 0),
		c.checkRate(),
		c.checkFineTuning(),
		c.checkMilestones(),
		oneOf("schedule", c.Schedule, optim.Decays()...),
		oneOf("optimizer", c.Optimizer, optim.SGD, optim.AdamW),
	)
	if c.CheckpointEvery.N == 0 {
		err = errors.Join(err, settingError("checkpoint-every", "want steps or epochs above 0"))
	}
	if c.ValEvery.N == 0 {
		err = errors.Join(err, settingError("val-every", "want steps or epochs above 0"))
	}
	if err != nil {
		return err
	}
	if err := c.optimizer().Validate(); err != nil {
		return blame("optimizer", "", err)
	}
	return nil
}

func (c *Config) checkPerIdentity() error {
	if c.Sampler == "" {
		c.Sampler = sampler.Images
		if c.PerIdentity > 0 {
			c.Sampler = sampler.PxK
		}
	}
	switch {
	case !slices.Contains(sampler.Names(), c.Sampler):
		return oneOf("sampler", c.Sampler, sampler.Names()...)
	case c.Sampler == sampler.PxK && c.PerIdentity == 0:
		return settingError("sampler", "pxk needs --per-identity K, the number of images of each identity in a batch, such as 4")
	case c.Sampler != sampler.PxK && c.PerIdentity > 0:
		return settingError("sampler", "%s does not go with --per-identity %d, which is pxk; leave one of them out", c.Sampler, c.PerIdentity)
	}
	if k := c.PerIdentity; k < 0 || k > 0 && c.Batch%k != 0 {
		return settingError("per-identity", "%d does not divide the batch of %d", k, c.Batch)
	}
	return nil
}

func (c *Config) checkRate() error {
	if lr := c.LR; lr != nil && (!(*lr > 0) || math.IsInf(*lr, 0)) {
		return settingError("lr", "%v: want a number above 0", *lr)
	}
	return nil
}

func (c *Config) checkMilestones() error {
	switch ms := c.Milestones; {
	case c.Schedule != optim.Step && len(ms) > 0:
		return settingError("milestones", "they go with --schedule step, and the schedule is %s", c.Schedule)
	case c.Schedule == optim.Step && len(ms) == 0:
		return settingError("milestones", "the step schedule needs some, such as 10,14")
	case len(ms) > 0 && (!slices.IsSorted(ms) || !(ms[0] > 0)):
		return settingError("milestones", "%v: they must rise from above 0", ms)
	}
	return nil
}

func (c *Config) checkSample() error {
	switch s := c.SampleClasses; {
	case !(s > 0 && s <= 1):
		return settingError("sample-classes", "%v: want a share above 0, up to 1", s)
	case s < 1 && c.Accumulate > 1:
		return settingError("sample-classes", "%v: it does not go with --accumulate %d, whose batches have different classes; use a larger --batch", s, c.Accumulate)
	}
	return nil
}

func (c *Config) checkPrecision() error {
	if err := oneOf("precision", c.Precision, string(nn.FP32), string(nn.BF16)); err != nil {
		return err
	}
	if !nn.Precision(c.Precision).Supported() {
		return settingError("precision", "bf16 needs a processor with AVX2, and this program runs %s kernels here; use fp32", kernel.Variant())
	}
	return nil
}
