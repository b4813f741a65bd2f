package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress tells on stderr how far a long piece of work is: in place on a terminal, a
// line every ten seconds elsewhere.
type progress struct {
	w        io.Writer
	what     string // the work
	unit     string // its pieces
	terminal bool
	start    time.Time
	last     time.Time
	drawn    bool
}

func newProgress(w io.Writer, what, unit string) *progress {
	f, ok := w.(*os.File)
	now := time.Now()
	return &progress{w: w, what: what, unit: unit, terminal: ok && term.IsTerminal(int(f.Fd())), start: now, last: now}
}

// set says that done of total pieces are done.
func (p *progress) set(done, total int) {
	now := time.Now()
	pause := 10 * time.Second
	if p.terminal {
		pause = 100 * time.Millisecond
	}
	if now.Sub(p.last) < pause {
		return
	}
	p.last = now
	speed := float64(done) / now.Sub(p.start).Seconds()
	line := fmt.Sprintf("%s %d of %d, %.0f %s/s", p.what, done, total, speed, p.unit)
	if done > 0 {
		left := time.Duration(float64(total-done) / speed * float64(time.Second))
		line += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	if p.terminal {
		fmt.Fprintf(p.w, "\r%s\x1b[K", line)
		p.drawn = true
		return
	}
	fmt.Fprintln(p.w, line)
}

// done clears the line.
func (p *progress) done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
