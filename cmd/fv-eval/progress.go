package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress tells on stderr how far a long piece of work is: a bar on a terminal, a line every
// ten seconds elsewhere.
type progress struct {
	w     io.Writer
	what  string // the work
	unit  string // its pieces
	start time.Time
	first int // pieces that were done before the start

	mu   sync.Mutex
	at   int
	of   int // 0 where nobody knows
	last time.Time

	bars *mpb.Progress // nil where there is no terminal
	bar  *mpb.Bar
}

func newProgress(w io.Writer, what, unit string) *progress {
	now := time.Now()
	p := &progress{w: w, what: what, unit: unit, start: now, last: now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(40))
	}
	return p
}

// from says how many pieces are done already.
func (p *progress) from(first int) { p.first = first }

// set says that done of total pieces are done; a total of 0 is not known.
func (p *progress) set(done, total int) {
	now := time.Now()
	p.mu.Lock()
	p.at, p.of = done, total
	speak := now.Sub(p.last) >= 10*time.Second
	if speak {
		p.last = now
	}
	p.mu.Unlock()
	if p.bars == nil {
		if speak {
			fmt.Fprintln(p.w, p.position()+", "+p.speed())
		}
		return
	}
	if p.bar == nil {
		p.bar = p.bars.New(int64(total), mpb.BarStyle(), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return p.position() + " " })),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + p.speed() })))
	}
	if done < total { // the bar is taken away when the work is done
		p.bar.SetCurrent(int64(done))
	}
}

func (p *progress) position() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == 0 {
		return fmt.Sprintf("%s %d", p.what, p.at)
	}
	return fmt.Sprintf("%s %d of %d", p.what, p.at, p.of)
}

func (p *progress) speed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	speed := float64(p.at-p.first) / time.Since(p.start).Seconds()
	text := fmt.Sprintf("%.0f %s/s", speed, p.unit)
	if p.of > 0 && speed > 0 {
		left := time.Duration(float64(p.of-p.at) / speed * float64(time.Second))
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}

// done takes the bar away.
func (p *progress) done() {
	if p.bars == nil {
		return
	}
	if p.bar != nil {
		p.bar.Abort(true)
	}
	p.bars.Wait()
}
