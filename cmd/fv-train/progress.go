package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/faceverify/fv/pipeline"
)

// reporter tells how a run goes on: a bar with loss, images/s and time left if stderr is a
// terminal, a line every so many steps elsewhere.
type reporter struct {
	lines    io.Writer // where lines go
	warnings io.Writer
	every    int // steps between lines

	bars *mpb.Progress // nil where there is no terminal
	bar  *mpb.Bar
	last atomic.Pointer[pipeline.Progress] // read by the goroutine that draws
}

func newReporter(e *env, title string) *reporter {
	r := &reporter{lines: e.text(), warnings: e.stderr}
	if f, ok := e.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		r.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(40))
		// Lines go above the bar, which would else be drawn over them.
		r.lines, r.warnings = r.bars, r.bars
	}
	if title != "" {
		fmt.Fprintln(r.lines, title)
	}
	return r
}

// events are what a run calls.
func (r *reporter) events() pipeline.Events {
	return pipeline.Events{Start: r.start, Step: r.step, Validated: r.validated, Warning: r.warning}
}

func (r *reporter) start(s pipeline.Start) {
	r.every = s.Config.LogEvery
	var b strings.Builder
	switch {
	case s.First > 0 && s.First == s.Steps:
		fmt.Fprintf(&b, "%s has done all its %d steps; only its model and report are written again\n", s.Dir, s.Steps)
	case s.First > 0:
		fmt.Fprintf(&b, "resuming %s after step %d\n", s.Dir, s.First)
	}
	fmt.Fprintf(&b, "%d identities, %d images; %d steps an epoch, %d in all", s.Identities, s.Images, s.StepsPerEpoch, s.Steps)
	if s.ValidationPairs > 0 {
		fmt.Fprintf(&b, "; validation on %d pairs", s.ValidationPairs)
	}
	fmt.Fprintf(&b, "\n%s with %s parameters, %s", s.Config.Backbone, count(s.Params), s.Config.Objective())
	if s.HeadParams > 0 { // metric losses have none
		fmt.Fprintf(&b, " with %s", count(s.HeadParams))
	}
	threads := "threads"
	if s.Threads == 1 {
		threads = "thread"
	}
	if s.Ranks > 1 {
		fmt.Fprintf(&b, "; %d ranks with %d of a batch's %d images each", s.Ranks, s.Config.Batch/s.Ranks, s.Config.Batch)
		if s.Classes < s.Identities {
			fmt.Fprint(&b, ", and a part of the classes")
		}
	}
	fmt.Fprintf(&b, "; %d %s, %s kernels, %s\n", s.Threads, threads, s.Kernels, s.Config.Precision)
	fmt.Fprintf(&b, "memory: about %s, %s of it activations; up to %s more for decoded images\n",
		bytesText(int(s.Memory.Needed())), bytesText(s.Bytes), bytesText(int(s.Memory.Cache)))
	if s.LeastScale > 0 {
		fmt.Fprintf(&b, "scale s = %g; at least %.1f is recommended for %d identities\n", float64(*s.Config.Scale), s.LeastScale, s.Identities)
	}
	io.WriteString(r.lines, b.String())
	if r.bars == nil {
		return
	}
	r.bar = r.bars.New(int64(s.Steps), mpb.BarStyle(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return r.position() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return r.speed() })))
	r.bar.SetCurrent(int64(s.First))
}

// position is what stands before the bar.
func (r *reporter) position() string {
	p := r.last.Load()
	if p == nil {
		return "starting "
	}
	return fmt.Sprintf("step %d/%d  loss %.4f ", p.Step, p.Steps, p.Loss)
}

// speed is what stands after the bar.
func (r *reporter) speed() string {
	p := r.last.Load()
	if p == nil {
		return ""
	}
	return fmt.Sprintf(" %.0f images/s, %v left", p.ImagesPerSecond, p.Remaining.Round(time.Second))
}

func (r *reporter) step(p pipeline.Progress) {
	if r.bar != nil {
		r.last.Store(&p)
		r.bar.SetCurrent(int64(p.Step))
		return
	}
	if p.Step%r.every == 0 || p.Step == p.Steps {
		fmt.Fprintf(r.lines, "step %d/%d  epoch %.2f  loss %.4f  lr %.3g  gradient %.3g  %.1f images/s  %v left\n",
			p.Step, p.Steps, p.Epoch, p.Loss, p.LR, p.GradNorm, p.ImagesPerSecond, p.Remaining.Round(time.Second))
	}
}

func (r *reporter) validated(v pipeline.Validation, best bool) {
	text := validationText(&v)
	if best {
		text += "  (best so far)"
	}
	fmt.Fprintf(r.lines, "step %d  validation: %s\n", v.Step, text)
}

func (r *reporter) warning(text string) { fmt.Fprintln(r.warnings, "warning: "+text) }

// close ends the bar; what is written afterwards comes below it.
func (r *reporter) close() {
	if r.bars == nil {
		return
	}
	if r.bar != nil {
		r.bar.Abort(false) // a bar that is complete takes no notice
	}
	r.bars.Wait()
}

func validationText(v *pipeline.Validation) string {
	text := fmt.Sprintf("AUC %.4f  accuracy %.2f %%  EER %.2f %%", v.AUC, 100*v.Accuracy, 100*v.EER)
	if v.TAR != nil && v.FAR != nil {
		text += fmt.Sprintf("  TAR %.2f %% at FAR %g", 100**v.TAR, *v.FAR)
	}
	return text
}

// count is a number of parameters or operations for people: 1.23 M.
func count(n int) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if x := float64(n); x >= u.size {
			return fmt.Sprintf("%.2f %s", x/u.size, u.unit)
		}
	}
	return fmt.Sprint(n)
}

// bytesText is an amount of memory for people: 1.5 GiB.
func bytesText(n int) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// counter returns a function that tells how far a piece of work is, every few seconds; several goroutines may call it.
func (e *env) counter(of string) func(done, total int) {
	last := time.Now()
	lock := make(chan struct{}, 1)
	return func(done, total int) {
		select {
		case lock <- struct{}{}:
			if time.Since(last) > 5*time.Second {
				last = time.Now()
				fmt.Fprintf(e.stderr, "%d of %d %s\n", done, total, of)
			}
			<-lock
		default:
		}
	}
}
