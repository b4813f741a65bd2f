package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/losses/lecture"
)

// lectureJSON is what --json prints of a page that was written.
type lectureJSON struct {
	HTML     string   `json:"html,omitempty"`
	Pictures []string `json:"pictures,omitempty"`
}

// lecture writes the page and the pictures that were asked for.
func (c *lossesCmd) lecture(e *env) error {
	if c.Name != "" {
		return cli.WithHint(cli.Usagef("--html and --pictures are about all losses, not about %q alone", c.Name), "leave %s out", c.Name)
	}
	if c.HTML != "" {
		if err := cli.NewFile("--html", c.HTML, "losses.html"); err != nil { // before the work
			return err
		}
	}
	if c.Pictures != "" {
		if err := os.MkdirAll(c.Pictures, 0o755); err != nil {
			return cli.Usagef("--pictures: %w", err)
		}
	}
	l, err := lecture.New(c.Seed, func(what string) { fmt.Fprintln(e.stderr, what) })
	if err != nil {
		return err
	}
	var out lectureJSON
	if c.HTML != "" {
		footer := fmt.Sprintf("fv-train %s; fv-train losses --html %s --seed %d", cli.Version(), filepath.Base(c.HTML), c.Seed)
		if err := atomicfile.Write(c.HTML, func(w io.Writer) error { return l.Write(w, footer) }); err != nil {
			return err
		}
		out.HTML = c.HTML
		fmt.Fprintf(e.text(), "page: %s\n", c.HTML)
	}
	if c.Pictures != "" {
		for _, f := range l.Pictures() {
			for _, as := range []struct {
				suffix string
				write  func(io.Writer) error
			}{{".svg", f.WriteSVG}, {".png", f.WritePNG}} {
				path := filepath.Join(c.Pictures, f.ID+as.suffix)
				if err := atomicfile.Write(path, as.write); err != nil {
					return err
				}
				out.Pictures = append(out.Pictures, path)
			}
			if err := e.ctx.Err(); err != nil {
				return err
			}
		}
		fmt.Fprintf(e.text(), "pictures: %d, each as SVG and PNG, in %s\n", len(out.Pictures)/2, c.Pictures)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, out)
	}
	return nil
}
