package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/embed"
)

// Train starts a run in the folder c.Out, trains to its end and returns the outcome. The folder
// must not hold another run, unless c.Force is set.
//
// A cancelled context ends the run after the step under way with an *InterruptedError. A loss or
// gradient that is not finite ends it with an error that wraps ErrDiverged, embeddings that
// are all alike with one that wraps ErrCollapsed; the last checkpoint is good then. A mistake in a
// setting is a *SettingError.
func Train(ctx context.Context, c Config, events Events) (*Result, error) {
	if c.Data == "" {
		return nil, settingError("data", "name the folder that has one sub-folder of images for each identity")
	}
	if err := c.Resolve(); err != nil {
		return nil, err
	}
	if err := c.absolute(); err != nil {
		return nil, err
	}
	force := c.Force
	c.Force = false // it is not part of what is run
	if err := errors.Join(checkApart(c.Out, c.Data), checkRunFolder(c.Out, force)); err != nil {
		return nil, err
	}
	network, from, err := c.start()
	if err != nil {
		return nil, err
	}
	contract := embed.DefaultContract(c.Size.Height, c.Size.Width)
	if from != nil {
		contract = from.Contract
	}
	contract.Fit = c.Fit
	t, err := newTrainer(c, network, contract, events)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := createRunFolder(t.dir, force); err != nil {
		return nil, err
	}
	unlock, err := lockRun(t.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := t.begin(); err != nil {
		return nil, err
	}
	if t.log, err = openLog(t.dir, 0); err != nil {
		return nil, err
	}
	t.initialise(from)
	if c.HeadInit == headMeans {
		if err := t.headFromMeans(ctx); err != nil {
			return nil, err
		}
	}
	t.startAverage()
	if err := t.checkpoint(); err != nil {
		return nil, err
	}
	return t.run(ctx)
}

// begin writes the settings to the run folder and readies the position.
func (t *trainer) begin() error {
	text := t.config.encode()
	t.position.Config, t.Data = string(text), t.faces.digest
	return writeList(filepath.Join(t.dir, ConfigFile), []string{string(text)})
}

// Resume goes on with the run in the folder dir from its newest checkpoint, to the bit as if it
// had not stopped. Settings that are given must be those of the run, but for those that are Free.
func Resume(ctx context.Context, dir string, given []Field, events Events) (*Result, error) {
	if _, err := os.Stat(filepath.Join(dir, ConfigFile)); err != nil {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("there is no run to resume: %w", err)
		}
		return nil, fmt.Errorf("%s is not a run folder: it has no %s", dir, ConfigFile)
	}
	unlock, err := lockRun(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	saved, warning, err := readNewestCheckpoint(filepath.Join(dir, checkpointsDir))
	if err != nil {
		return nil, err
	}
	if warning != nil {
		events.warn("going on from the checkpoint of step %d, as a later one is damaged: %v", saved.Step, warning)
	}
	c := Default()
	if err := c.DecodeConfig("the checkpoint's settings", []byte(saved.Config)); err != nil {
		return nil, err
	}
	if err := c.override(given); err != nil {
		return nil, err
	}
	c.Out = dir
	if err := c.Resolve(); err != nil {
		return nil, err
	}
	network := saved.Network
	if network == nil {
		if network, err = c.network(); err != nil {
			return nil, err
		}
	}
	t, err := newTrainer(c, network, saved.Contract, events)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := saved.Data.diff(t.faces.digest); err != nil {
		return nil, err
	}
	if err := errors.Join(t.begin(), t.restore(saved), t.bad.read()); err != nil {
		return nil, err
	}
	step := t.Step
	if t.Pending != nil {
		step--
	}
	if t.log, err = openLog(t.dir, step); err != nil {
		return nil, err
	}
	return t.run(ctx)
}
