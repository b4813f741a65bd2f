package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/mpi"
)

// Train starts a run in the folder c.Out, trains to its end and returns the outcome. The folder
// must not hold another run, unless c.Force is set.
//
// A cancelled context ends the run after the step under way with an *InterruptedError. A loss or
// gradient that is not finite ends it with an error that wraps ErrDiverged, unless Config.OnNaN says otherwise; embeddings that
// are all alike with one that wraps ErrCollapsed; a folder that cannot be written to with a *WriteError. The last
// checkpoint is good then. A mistake in a setting is a *SettingError.
func Train(ctx context.Context, c Config, events Events) (*Result, error) {
	return TrainOn(ctx, mpi.Single, c, events)
}

// TrainOn is Train by the processes of a group, each of which calls it with the same settings. Each works on its part of every batch;
// the run is that of one process, to rounding, if Config.SyncNorms is set. Rank 0 alone writes to the run folder. Where a rank fails all return
// an error; one that wraps mpi.ErrBroken says that they could not agree on it.
func TrainOn(ctx context.Context, g mpi.Group, c Config, events Events) (*Result, error) {
	r, err := newRanks(g)
	if err != nil {
		return nil, err
	}
	t, err := newRun(ctx, c, r, events)
	return trainWith(ctx, r, t, err)
}

// Fail tells the other processes of a group, which call TrainOn or ResumeOn, that this one cannot: err. It returns an error for what
// has happened.
func Fail(g mpi.Group, err error) error {
	r, lost := newRanks(g)
	if lost != nil {
		return errors.Join(err, lost)
	}
	return r.End(err)
}

// trainWith trains if err, that of the preparations, is nil on all ranks.
func trainWith(ctx context.Context, r *ranks, t *trainer, err error) (*Result, error) {
	if err == nil {
		defer t.close()
		err = t.agree()
	}
	if err != nil {
		return nil, r.End(err)
	}
	return t.runToEnd(ctx)
}

// newRun makes a run folder with the checkpoint of a run that has taken no step.
func newRun(ctx context.Context, c Config, r *ranks, events Events) (*trainer, error) {
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
	err := checkApart(c.Out, c.Data)
	if r.writes() {
		err = errors.Join(err, checkRunFolder(c.Out, force))
	}
	if err != nil {
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
	t, err := newTrainer(c, r, network, contract, events)
	if err != nil {
		return nil, err
	}
	if err := t.begin(ctx, from, force); err != nil {
		t.close()
		return nil, t.unwritten(err)
	}
	return t, nil
}

// begin makes the run folder and the checkpoint of step 0.
func (t *trainer) begin(ctx context.Context, from *embed.Model, force bool) (err error) {
	if t.ranks.writes() {
		if t.unlock, err = createRunFolder(t.dir, force); err != nil {
			return err
		}
		if err := writeImages(t.dir, t.faces.train); err != nil {
			return err
		}
		if t.log, err = openLog(t.dir, 0); err != nil {
			return err
		}
	}
	if err := t.describe(); err != nil {
		return err
	}
	if err := t.initialise(from); err != nil {
		return err
	}
	if t.config.HeadInit == headMeans {
		if err := t.headFromMeans(ctx); err != nil {
			return err
		}
	}
	t.startAverage()
	return t.checkpoint()
}

// describe writes the settings to the run folder and readies the position.
func (t *trainer) describe() error {
	text := t.config.encode()
	t.position.Config, t.Data = string(text), t.faces.digest
	if !t.ranks.writes() {
		return nil
	}
	return writeList(filepath.Join(t.dir, ConfigFile), []string{string(text)})
}

// Resume goes on with the run in the folder dir from its newest checkpoint, to the bit as if it
// had not stopped. Settings that are given must be those of the run, but for those that are Free.
//
// A run that was killed before its first checkpoint is begun anew.
func Resume(ctx context.Context, dir string, given []Field, events Events) (*Result, error) {
	return ResumeOn(ctx, mpi.Single, dir, given, events)
}

// ResumeOn is Resume by the processes of a group: see TrainOn. There may be another number of them than before. Only rank 0 needs
// the run folder.
func ResumeOn(ctx context.Context, g mpi.Group, dir string, given []Field, events Events) (*Result, error) {
	r, err := newRanks(g)
	if err != nil {
		return nil, err
	}
	t, err := resume(ctx, dir, given, r, events)
	return trainWith(ctx, r, t, err)
}

// resume returns a run at the position of its newest checkpoint, or at its beginning.
func resume(ctx context.Context, dir string, given []Field, r *ranks, events Events) (*trainer, error) {
	var begun bool
	var c Config
	if r.writes() {
		steps, err := checkpointSteps(filepath.Join(dir, checkpointsDir))
		if err != nil {
			return nil, err
		}
		if begun = len(steps) > 0; !begun {
			if c, err = unbegun(dir, given); err != nil {
				return nil, err
			}
		}
	}
	begun, err := r.tell(begun, &c)
	switch {
	case err != nil:
		return nil, err
	case begun:
		return oldRun(dir, given, r, events)
	}
	events.warn("%s was stopped before its first checkpoint: it is begun anew", dir)
	return newRun(ctx, c, r, events)
}

// unbegun returns the settings of a run that has no checkpoint yet.
func unbegun(dir string, given []Field) (Config, error) {
	c := Default()
	if _, err := os.Stat(dir); err != nil {
		return c, fmt.Errorf("there is no run to resume: %w", err)
	}
	path := filepath.Join(dir, ConfigFile)
	if _, err := os.Stat(path); err != nil {
		return c, fmt.Errorf("%s is not a run folder: it has no %s", dir, ConfigFile)
	}
	if st, err := os.Stat(filepath.Join(dir, LogFile)); err == nil && st.Size() > 0 {
		return c, fmt.Errorf("%s holds no checkpoint to go on from, though %s has steps: were they removed?", filepath.Join(dir, checkpointsDir), LogFile)
	}
	if err := c.ReadConfig(path); err != nil {
		return c, err
	}
	if err := c.override(given); err != nil {
		return c, err
	}
	c.Out, c.Force = dir, true
	return c, nil
}

// oldRun returns a run at the position of its newest checkpoint.
func oldRun(dir string, given []Field, r *ranks, events Events) (_ *trainer, err error) {
	unlock := func() {}
	if r.writes() {
		if unlock, err = lockRun(dir); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				unlock()
			}
		}()
		if err := sweepRunFolder(dir); err != nil {
			return nil, err
		}
	}
	saved, warning, err := r.newestCheckpoint(filepath.Join(dir, checkpointsDir))
	if err != nil {
		return nil, err
	}
	defer saved.close()
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
	t, err := newTrainer(c, r, network, saved.Contract, events)
	if err != nil {
		return nil, err
	}
	if err := t.goOn(saved); err != nil {
		t.close()
		return nil, t.unwritten(err)
	}
	t.unlock = unlock
	return t, nil
}

// goOn brings the run to the position of a checkpoint.
func (t *trainer) goOn(saved *checkpoint) error {
	if err := saved.Data.diff(t.faces.digest); err != nil {
		return changedData(err, t.dir, t.faces.train)
	}
	t.saved = saved.Step
	if err := errors.Join(t.describe(), t.restore(saved), t.bad.read()); err != nil {
		return err
	}
	return t.reopenLog()
}

// reopenLog drops the log's lines after the present position.
func (t *trainer) reopenLog() (err error) {
	if t.log != nil {
		t.log.close()
	}
	step := t.Step
	if t.Pending != nil {
		step--
	}
	if t.ranks.writes() {
		t.log, err = openLog(t.dir, step)
	}
	return err
}
