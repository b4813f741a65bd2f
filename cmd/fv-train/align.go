package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/align"
	"github.com/faceverify/fv/pipeline/dataset"
)

type alignCmd struct {
	Photos string `arg:"" help:"Folder of photographs."`
	Out    string `arg:"" help:"Folder for the aligned faces, under the same names, as JPEG."`

	Landmarks string `required:"" placeholder:"FILE" help:"Where the faces are: lines of a path below the folder and x and y of left eye, right eye, nose, left and right corner of the mouth; with commas, or as published for LFW."`
	Size      string `default:"112x112" enum:"112x112,112x96" help:"Template: 112x112 (InsightFace's) or 112x96 (SphereFace's), height x width. Default: ${default}."`
}

// alignJSON is what --json prints.
type alignJSON struct {
	Out        string `json:"out"`
	Aligned    int    `json:"aligned"`
	Unreadable int    `json:"unreadable"` // photographs
	NoFace     int    `json:"no_face"`    // landmarks that are no face's
	Small      int    `json:"small"`      // of those aligned: made over twice as large
	Oblique    int    `json:"oblique"`    // of those aligned: landmarks fit badly, as those of a face from the side do
}

// Beyond these a crop is written and counted.
const (
	largestScale = 2 // of a face that is not small
	worstFit     = 6 // pixels
)

func (c *alignCmd) Run(e *env) error {
	template := align.Templates[0]
	for _, t := range align.Templates {
		if t.Name == c.Size {
			template = t
		}
	}
	if err := apart(c.Photos, c.Out); err != nil {
		return cli.Usage(err)
	}
	entries, err := align.Read(c.Landmarks)
	if err != nil {
		return cli.Usage(fmt.Errorf("--landmarks: %w", err))
	}
	written := map[string]int{}
	for _, x := range entries {
		name := jpegName(x.Path)
		if first, ok := written[name]; ok {
			return cli.Usagef("--landmarks: %s:%d: %s and that of line %d would both be written to %s", c.Landmarks, x.Line, x.Path, first, name)
		}
		written[name] = x.Line
	}
	if err := os.MkdirAll(c.Out, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Out) // links in it lead nowhere else
	if err != nil {
		return err
	}
	defer root.Close()
	out := alignJSON{Out: c.Out}
	for _, x := range entries {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		img, err := dataset.DecodeFile(filepath.Join(c.Photos, filepath.FromSlash(x.Path)), dataset.Limits{})
		if err != nil {
			out.Unreadable++
			fmt.Fprintf(e.stderr, "warning: %v\n", err)
			continue
		}
		s, err := align.Fit(x.Landmarks, template.Landmarks)
		if err != nil {
			out.NoFace++
			fmt.Fprintf(e.stderr, "warning: %s:%d: %s: %v\n", c.Landmarks, x.Line, x.Path, err)
			continue
		}
		if s.Scale() > largestScale {
			out.Small++
		}
		if template.Residual(s, x.Landmarks) > worstFit {
			out.Oblique++
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, template.Crop(img, s), &jpeg.Options{Quality: 95}); err != nil {
			return err
		}
		if err := writeBelow(root, jpegName(x.Path), b.Bytes()); err != nil {
			return err
		}
		out.Aligned++
	}
	fmt.Fprintf(e.text(), "%s: %d faces of %d; %d photographs cannot be read, %d have landmarks of no face; of those aligned %d are small and %d oblique\n",
		c.Out, out.Aligned, len(entries), out.Unreadable, out.NoFace, out.Small, out.Oblique)
	if e.json {
		if err := cli.WriteJSON(e.stdout, out); err != nil {
			return err
		}
	}
	if out.Aligned == 0 {
		return cli.WithHint(fmt.Errorf("no face was aligned"), "the paths in %s start from %s", c.Landmarks, c.Photos)
	}
	return nil
}

// apart returns an error if one folder is in the other: a photograph must not be written over.
func apart(photos, out string) error {
	if st, err := os.Stat(photos); err != nil {
		return fmt.Errorf("PHOTOS: %w", err)
	} else if !st.IsDir() {
		return fmt.Errorf("PHOTOS: %s is a file; want a folder", photos)
	}
	var real [2]string
	for i, p := range []string{photos, out} {
		p, err := filepath.Abs(p)
		if err != nil {
			return err
		}
		if r, err := filepath.EvalSymlinks(p); err == nil {
			p = r
		}
		real[i] = p
	}
	for i := range real {
		if rel, err := filepath.Rel(real[i], real[1-i]); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("%s and %s must not be in each other", photos, out)
		}
	}
	return nil
}

func jpegName(name string) string { return strings.TrimSuffix(name, path.Ext(name)) + ".jpg" }

// writeBelow writes a file that is whole or not there.
func writeBelow(root *os.Root, name string, data []byte) error {
	part := name + ".part"
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	if err := root.WriteFile(part, data, 0o666); err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return root.Rename(part, name)
}
