package pipeline

import (
	"cmp"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/faceverify/fv/eval"
	"github.com/faceverify/fv/internal/page"
)

// Measured is a validation in full.
type Measured struct {
	Step   int
	Result *eval.Result
	Load   func(name string) (image.Image, error) // an image of the result's pairs
}

// Live follows a run by its events and shows it on a page, while it goes on and afterwards. Its methods may be called from any
// goroutine.
type Live struct {
	mu       sync.Mutex
	version  int // counts events
	start    Start
	progress Progress
	loss     liveSeries
	speed    liveSeries
	target   liveSeries // degrees
	vals     []Validation
	best     *Validation
	frames   []angleFrame
	last     string // the last of them as SVG
	roc      string // SVG
	hardest  page.Gallery
	warnings []string
	state    string
}

// angleFrame is the histograms of one validation.
type angleFrame struct {
	step      int
	angles    *eval.Angles
	threshold float64 // angle of the equal error rate
}

const (
	liveFrames    = 30  // validations whose histograms are kept: beyond, every second one is
	livePoints    = 800 // of a curve: beyond, neighbours are averaged
	liveHardest   = 4   // pairs of each kind
	liveThumbSide = 112 // pixels
	liveWarnings  = 20
)

// liveRunning is the state of a run that has begun and not ended.
const liveRunning = "running"

// liveSeries is a curve that grows: where it has livePoints points, each two become one.
type liveSeries struct {
	series
	each       int // values that make a point
	n          int // of those of the next point, so far
	sumX, sumY float64
}

func (s *liveSeries) grow(x, y float64) {
	s.each = max(s.each, 1)
	s.n, s.sumX, s.sumY = s.n+1, s.sumX+x, s.sumY+y
	if s.n < s.each {
		return
	}
	s.add(s.sumX/float64(s.n), s.sumY/float64(s.n))
	s.n, s.sumX, s.sumY = 0, 0, 0
	if len(s.x) < livePoints {
		return
	}
	for i := range len(s.x) / 2 {
		s.x[i], s.y[i] = (s.x[2*i]+s.x[2*i+1])/2, (s.y[2*i]+s.y[2*i+1])/2
	}
	s.x, s.y, s.each = s.x[:len(s.x)/2], s.y[:len(s.y)/2], 2*s.each
}

// Events returns events that Live follows before it passes them on.
func (l *Live) Events(next Events) Events {
	return Events{
		Start: func(s Start) {
			l.change(func() { l.start, l.state = s, liveRunning })
			if next.Start != nil {
				next.Start(s)
			}
		},
		Step: func(p Progress) {
			l.change(func() {
				l.progress = p
				l.loss.grow(p.Epoch, p.Loss)
				l.speed.grow(p.Epoch, p.ImagesPerSecond)
				if p.TargetAngle > 0 {
					l.target.grow(p.Epoch, degrees*p.TargetAngle)
				}
			})
			if next.Step != nil {
				next.Step(p)
			}
		},
		Validated: func(v Validation, best bool) {
			l.change(func() {
				l.vals = append(l.vals, v)
				if best {
					l.best = &v
				}
			})
			if next.Validated != nil {
				next.Validated(v, best)
			}
		},
		Measured: func(m Measured) {
			l.measured(m)
			if next.Measured != nil {
				next.Measured(m)
			}
		},
		Warning: func(text string) {
			l.change(func() {
				if l.warnings = append(l.warnings, text); len(l.warnings) > liveWarnings {
					l.warnings = l.warnings[1:]
				}
			})
			next.warn("%s", text)
		},
	}
}

// End says how the run has ended.
func (l *Live) End(state string) { l.change(func() { l.state = state }) }

// Version returns a number that is another one after each event.
func (l *Live) Version() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

// Dir returns the run folder, empty before the run has begun.
func (l *Live) Dir() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start.Dir
}

func (l *Live) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version++
	f()
}

// measured draws what the page shows of a validation.
func (l *Live) measured(m Measured) {
	r := m.Result
	roc, err := eval.PlotROC([]*eval.Curve{r.ROC.Curve("validation")}, 1, true).PageSVG("ROC curve of the last validation")
	if err != nil {
		roc = ""
	}
	hardest := hardestPairs(m)
	l.change(func() {
		l.roc, l.hardest = roc, hardest
		if r.Angles == nil {
			return
		}
		l.frames = append(l.frames, angleFrame{m.Step, r.Angles, r.EER.Threshold.Angle})
		if len(l.frames) > liveFrames { // the last one is kept
			for i := range len(l.frames) / 2 {
				l.frames[i] = l.frames[2*i+len(l.frames)%2]
			}
			l.frames = slices.Delete(l.frames, len(l.frames)/2, len(l.frames)-len(l.frames)%2)
		}
		l.last = l.draw(l.frames[len(l.frames)-1])
	})
}

// hardestPairs returns the pairs of two people that score highest, and those of one person that score lowest.
func hardestPairs(m Measured) page.Gallery {
	var g page.Gallery
	for _, same := range []bool{false, true} {
		var at []int
		for i, p := range m.Result.Pairs.Pairs {
			if p.Same == same {
				at = append(at, i)
			}
		}
		slices.SortStableFunc(at, func(a, b int) int {
			c := cmp.Compare(m.Result.Scores[b], m.Result.Scores[a])
			if same {
				return -c
			}
			return c
		})
		for _, i := range at[:min(liveHardest, len(at))] {
			p := m.Result.Pairs.Pairs[i]
			what := "Two people"
			if same {
				what = "One person"
			}
			g = append(g, page.Thumbs{
				Caption: what + " at " + angleText(m.Result.Scores[i]),
				Images:  []page.Thumb{liveThumb(m, p.A), liveThumb(m, p.B)},
			})
		}
	}
	return g
}

func liveThumb(m Measured, name string) page.Thumb {
	t := page.Thumb{Name: name}
	if img, err := m.Load(name); err == nil {
		t.JPEG = page.Shrink(img, liveThumbSide)
	}
	return t
}

// remaining is a time for people.
func remaining(d time.Duration) string { return d.Round(time.Second).String() }
