package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/eval"
)

// fewFalseAccepts is how many false accepts a rate should rest on to be worth following.
const fewFalseAccepts = 5

// validate scores the validation pairs with the model as it is now.
func (t *trainer) validate(ctx context.Context) (*Validation, error) {
	started := time.Now()
	if !t.finite() {
		return nil, t.diverged("weights or running statistics are not finite")
	}
	e, err := t.model().Embedder(embed.Options{Threads: t.pool.Threads(), Batch: t.config.Batch})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	load := func(name string) (image.Image, error) {
		return t.faces.train.Decode(t.faces.files[name])
	}
	vectors, err := t.embedPairs(ctx, e, load)
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("validation after step %d: %w", t.Step, err)
	}
	for name, err := range vectors.Failed {
		t.bad.add(t.faces.files[name], err)
	}
	r, err := vectors.Verify(t.faces.pairs, eval.Options{Flip: t.Contract.Flip, Protocols: []string{eval.Plain}})
	if err != nil {
		return nil, fmt.Errorf("validation after step %d: %w", t.Step, err)
	}
	t.threshold = threshold(r.ROC)
	v := &Validation{
		Step: t.Step, AUC: r.AUC, Accuracy: r.Accuracy, EER: r.EER.Value, Threshold: t.threshold.Cosine,
	}
	for _, far := range eval.DefaultFARs() {
		if far*float64(r.Impostor) >= fewFalseAccepts {
			at := r.ROC.AtFAR(far)
			v.FAR, v.TAR = &at.Target, &at.TAR.Value
		}
	}
	v.Seconds = time.Since(started).Seconds()
	same := alike(r.Scores)
	if err := t.monitor.validated(t.Step, v, same); err != nil {
		return nil, err
	}
	t.tell(t.symptoms.validated(t.Step, v))
	if same {
		t.events.warn("validation after step %d is too early to mean anything: all embeddings are alike as long as batch norms' running statistics have not settled", t.Step)
	}
	if t.events.Measured != nil {
		t.events.Measured(Measured{Step: t.Step, Result: r, Load: load})
	}
	return v, nil
}

// alike reports whether all pairs, of one person or two, score as one and the same face would.
func alike(scores []float64) bool {
	for _, s := range scores {
		if s < collapseCosine {
			return false
		}
	}
	return true
}

// threshold is the cosine that decides most validation pairs rightly, with its counts.
func threshold(roc *eval.ROC) *embed.Threshold {
	best, _ := roc.Best()
	return &embed.Threshold{
		Cosine: min(max(best.Threshold, -1), 1), FAR: roc.FAR(best),
		FalseAccepts: best.FalseAccepts, Impostor: roc.Impostors,
		TrueAccepts: best.TrueAccepts, Genuine: roc.Genuine,
	}
}
