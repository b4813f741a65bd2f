package pipeline

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/kernel"
)

// What the monitor tells of, and the usual cure. A run goes on after it: these are no proof, as a collapse is.
const (
	stuckAtChance = "the loss is stuck at that of guessing, ln(classes) = %.3g. Usual cure: a higher --lr or --scale, a smaller --margin, and a look at the labels (fv-train doctor)"
	marginTooHard = "the loss stays at %.3g, far above that of guessing, ln(classes) = %.3g. Usual cure: the margin is too hard to begin with; lower --margin, raise lambda-min of asoftmax and its like, or start from --init of a run with --head normface"
	lossRises     = "the loss has risen from %.3g to %.3g. Usual cure: the learning rate is too high; lower --lr or lengthen --warmup"
	headExplodes  = "the weights of the head's classes have grown to a length of %.3g, and no step turns them any more. Usual cure: lower --lr, keep --clip, raise --weight-decay"
	guesses       = "validation accuracy is exactly 0.5, that of guessing. Usual cure: train longer, with a lower --lr or begun with --head normface; embeddings tell nobody apart yet"
)

const (
	// A window is an epoch's steps within these bounds: long enough for a mean that chance does not move.
	shortestWindow, longestWindow = 50, 1000
	// nearChance is how far, relatively, from that of guessing a stuck loss may be.
	nearChance = 0.02
	// farAbove is how many times that of guessing a loss is that a margin holds up.
	farAbove = 1.5
	// falls is the share of a window's loss that the one after the next is below in a run that learns.
	falls = 0.98
	// rises is how much a loss is above its lowest when it is said to rise, as a share of that of guessing, or of the lowest if
	// that is more: of the loss of a margin chance moves windows of tens of steps by some percent.
	rises = 0.25
	// longestRow is the length of a class's weights that no sound run comes near: they start below 1.
	longestRow = 30
)

// symptoms watches the losses of a run in windows for what is known to go wrong. Each symptom is told of once.
type symptoms struct {
	window int     // steps; 0: nothing is watched
	first  int     // the last step of the rate's and the margin's warm-up, before which nothing is said
	chance float64 // the loss of guessing, ln(classes); 0 where the loss is no cross-entropy alone
	eased  bool    // the margin grows with time, and so may the loss of a sound run

	sum   float64
	n     int
	means []float64 // of windows
	told  map[string]bool
}

// newSymptoms returns the watch over a run's losses.
func (t *trainer) newSymptoms() symptoms {
	c := &t.config
	s := symptoms{
		window: min(max(t.perEpoch, shortestWindow), longestWindow),
		first:  max(c.Warmup.Steps(t.perEpoch), c.FreezeBackbone.Steps(t.perEpoch), int(c.MarginWarmup*float64(t.perEpoch))),
		eased:  c.HeadParams["lambda-base"] > c.HeadParams["lambda-min"],
	}
	if t.head == nil || t.metric != nil || t.head.Geometry().Binary != 0 {
		return s
	}
	classes := len(t.faces.train.Identities)
	if t.sample != nil {
		classes = cap(t.sample.index)
	}
	s.chance = math.Log(float64(classes))
	if scale := t.head.Geometry().LossScale; scale != 0 {
		s.chance *= scale
	}
	return s
}

// step takes the loss of an accepted step. It returns whether a window is full, and in words what is wrong, or "".
func (s *symptoms) step(step int, loss float64) (full bool, what string) {
	if step <= s.first || s.window == 0 {
		return false, ""
	}
	s.sum += loss
	if s.n++; s.n < s.window {
		return false, ""
	}
	s.means = append(s.means, s.sum/float64(s.n))
	s.sum, s.n = 0, 0
	return true, s.ofLosses()
}

// ofLosses judges the windows so far.
func (s *symptoms) ofLosses() string {
	n := len(s.means)
	if n < 3 || s.chance == 0 {
		return ""
	}
	a, b, c := s.means[n-3], s.means[n-2], s.means[n-1]
	lowest := c
	for _, m := range s.means {
		lowest = min(lowest, m)
	}
	near := func(m float64) bool { return math.Abs(m/s.chance-1) < nearChance }
	switch {
	case near(a) && near(b) && near(c) && math.Abs(c-a) < nearChance/2*s.chance:
		return s.once(stuckAtChance, s.chance)
	case a < b && b < c && c > lowest+rises*max(s.chance, lowest) && !s.eased:
		return s.once(lossRises, lowest, c)
	case c > farAbove*s.chance && min(b, c) > falls*a:
		return s.once(marginTooHard, c, s.chance)
	}
	return ""
}

// row takes the mean length of the weights of a class.
func (s *symptoms) row(length float64) string {
	if length < longestRow {
		return ""
	}
	return s.once(headExplodes, length)
}

// validated takes the outcome of a validation; see monitor.validated for one that ends the run.
func (s *symptoms) validated(step int, v *Validation) string {
	if step < collapseSteps || v.Accuracy != 0.5 {
		return ""
	}
	return s.once(guesses)
}

// once formats a symptom, and returns "" the next time.
func (s *symptoms) once(format string, args ...any) string {
	if s.told[format] {
		return ""
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[format] = true
	return fmt.Sprintf(format, args...)
}

// watch tells of what is wrong with the run as far as its last step shows.
func (t *trainer) watch(line *logLine) error {
	full, what := t.symptoms.step(t.Step, line.Loss)
	if full && t.head != nil {
		length, err := t.rowLength()
		if err != nil {
			return err
		}
		t.tell(t.symptoms.row(length))
	}
	t.tell(what)
	return nil
}

// tell warns of a symptom unless it is "".
func (t *trainer) tell(what string) {
	if what != "" {
		t.events.warn("step %d: %s", t.Step, what)
	}
}

// rowLength returns the mean length, of squares, of the classes' weights that a step works on.
func (t *trainer) rowLength() (float64, error) {
	w := t.stepWeights()
	sums := []float64{kernel.SumSquares(t.pool, w), float64(len(w) / t.network.Dim())}
	if t.split != nil {
		if _, err := t.ranks.meet("a look at the head", word{}, nil); err != nil {
			return 0, err
		}
		t.ranks.sum(sums)
	}
	return math.Sqrt(sums[0] / sums[1]), nil
}
