package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/align"
	"github.com/faceverify/fv/pipeline/align/detect"
	"github.com/faceverify/fv/pipeline/align/photos"
)

type alignCmd struct {
	Photos string `arg:"" help:"Folder of photographs, with or without sub-folders, which stay."`
	Out    string `arg:"" help:"Folder for the aligned faces, under the same names, as JPEG; with faces.csv, which lists what became of every photograph, and contact-sheet.html."`

	Detector     string  `placeholder:"FILE" help:"Find the faces with this detector: an ONNX file of the kind scrfd (InsightFace), yunet (OpenCV) or retinaface (biubug6), or a folder with MTCNN's pnet.onnx, rnet.onnx and onet.onnx. Default: none; give this or --landmarks."`
	DetectorKind string  `default:"auto" enum:"auto,scrfd,yunet,retinaface,mtcnn" help:"How the detector's outputs are read: scrfd, yunet, retinaface, mtcnn, or auto: as their shapes tell. Default: ${default}."`
	DetectorSize int     `default:"640" placeholder:"PIXELS" help:"Photographs larger than so many pixels square are made smaller for the detector, where its file takes any size; a multiple of 32. Default: ${default}."`
	MinScore     float64 `default:"0" help:"Faces that the detector scores lower are none, 0 to 1; 0 means 0.5 of scrfd, 0.6 of yunet and retinaface, 0.7 of mtcnn. Default: ${default}."`
	Faces        string  `default:"main" enum:"main,largest,centre,all" help:"Of several faces a detector finds: main (large and central: area less twice the squared distance from the middle), largest, centre (nearest to the middle) or all. Default: ${default}."`

	Landmarks string `placeholder:"FILE" help:"Where the faces are: lines of a path below the folder and x and y of left eye, right eye, nose, left and right corner of the mouth; with commas, as published for LFW, or a faces.csv. Default: none; give this or --detector."`

	Size     string  `default:"112x112" enum:"112x112,112x96" help:"Template: 112x112 (InsightFace's) or 112x96 (SphereFace's), height x width. Default: ${default}."`
	MinFace  float64 `default:"40" placeholder:"PIXELS" help:"Leave faces out whose crop would span fewer pixels of the photograph from top to bottom. Default: ${default}."`
	Profiles string  `default:"keep" enum:"keep,skip" help:"Faces from the side, whose nose is not between the eyes or whose landmarks fit the template badly: keep or skip. Default: ${default}."`
	Again    bool    `help:"Make all faces anew, also with other settings. Default: what is there is kept."`
	Threads  int     `default:"0" help:"Photographs that are worked on at a time; 0 means all processors. Default: ${default}."`
}

// alignJSON is what --json prints.
type alignJSON struct {
	Out string `json:"out"`
	photos.Summary
	UnreadableList []problemJSON `json:"unreadable_list"`
	Table          string        `json:"table"`
	ContactSheet   string        `json:"contact_sheet"`
}

type problemJSON struct {
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

func (c *alignCmd) Run(e *env) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Progress = e.counter("photographs")
	r, err := photos.Run(e.ctx, o)
	if errors.Is(err, photos.ErrOtherSettings) {
		return cli.WithHint(cli.Usage(err), "name another folder, or make all anew with --again")
	}
	if err != nil {
		return err
	}
	sheet := filepath.Join(c.Out, photos.ContactSheet)
	if err := atomicfile.Write(sheet, r.Page(c.command(), "fv-train "+cli.Version()).Write); err != nil {
		return err
	}
	out := alignJSON{Out: c.Out, Summary: r.Summary(), UnreadableList: []problemJSON{}, Table: filepath.Join(c.Out, photos.Table), ContactSheet: sheet}
	for i, row := range r.Rows {
		if row.Problem == "" || row.Outcome == photos.Unreadable && i > 0 && r.Rows[i-1].Path == row.Path {
			continue
		}
		fmt.Fprintf(e.stderr, "warning: %s: %s\n", row.Path, row.Problem)
		if row.Outcome == photos.Unreadable {
			out.UnreadableList = append(out.UnreadableList, problemJSON{row.Path, row.Problem})
		}
	}
	if err := c.print(e, out); err != nil {
		return err
	}
	if e.json {
		if err := cli.WriteJSON(e.stdout, out); err != nil {
			return err
		}
	}
	if out.Faces == 0 {
		err := fmt.Errorf("no face was aligned")
		if c.Landmarks != "" {
			return cli.WithHint(err, "the paths in %s start from %s", c.Landmarks, c.Photos)
		}
		return cli.WithHint(err, "%s shows what the detector saw; --min-score and --min-face leave faces out", sheet)
	}
	return nil
}

// options reads what the flags name.
func (c *alignCmd) options() (o photos.Options, err error) {
	if (c.Detector == "") == (c.Landmarks == "") {
		return o, cli.WithHint(cli.Usagef("want either --detector or --landmarks"), "a detector is an ONNX file such as InsightFace's det_10g.onnx or OpenCV's YuNet; --landmarks is a file that says where the faces are")
	}
	if err := photos.Apart(c.Photos, c.Out); err != nil {
		return o, cli.Usage(err)
	}
	if !(c.MinFace >= 0 && c.MinFace <= 1e4) {
		return o, cli.Usagef("--min-face: %v; want 0 to 10000 pixels", c.MinFace)
	}
	if c.Threads < 0 || c.Threads > 1024 {
		return o, cli.Usagef("--threads: %d; want 0 to 1024", c.Threads)
	}
	o = photos.Options{Photos: c.Photos, Out: c.Out, Faces: photos.Choice(c.Faces), MinSide: c.MinFace, NoProfiles: c.Profiles == "skip", Again: c.Again, Threads: c.Threads}
	for _, t := range align.Templates {
		if t.Name == c.Size {
			o.Template = t
		}
	}
	if c.Landmarks != "" {
		if err := cli.Exists("--landmarks", c.Landmarks, "a file of landmarks: lines of a path and x and y of two eyes, nose and two corners of the mouth"); err != nil {
			return o, err
		}
		o.EntriesFile = c.Landmarks
		if o.Entries, err = align.Read(c.Landmarks); err == nil {
			err = photos.Check(o.Entries, c.Landmarks)
		}
		if err != nil {
			return o, cli.Usage(fmt.Errorf("--landmarks: %w", err))
		}
		return o, nil
	}
	if err := cli.Exists("--detector", c.Detector, "an ONNX file, or a folder with MTCNN's pnet.onnx, rnet.onnx and onet.onnx"); err != nil {
		return o, err
	}
	d := detect.Options{Size: c.DetectorSize, MinScore: c.MinScore}
	if c.DetectorKind != "auto" {
		d.Kind = detect.Kind(c.DetectorKind)
	}
	if o.Detector, err = detect.Open(c.Detector, d); err != nil {
		return o, cli.Usage(fmt.Errorf("--detector: %w", err))
	}
	return o, nil
}

// print writes the summary as a table.
func (c *alignCmd) print(e *env, s alignJSON) error {
	t := tabwriter.NewWriter(e.text(), 0, 0, 2, ' ', 0)
	for _, x := range []struct {
		what   string
		n      int
		detail string
	}{
		{"photographs", s.Photographs, fmt.Sprintf("%d of them were done already", s.Kept)},
		{"faces aligned", s.Faces, fmt.Sprintf("%d are enlarged over twice", s.Enlarged)},
		{"from the side", s.Profile, map[string]string{"keep": "aligned all the same", "skip": "left out"}[c.Profiles]},
		{"several faces", s.Several, "photographs; --faces " + c.Faces},
		{"no face", s.None, "left out"},
		{"too small", s.Small, fmt.Sprintf("left out, below %g pixels", c.MinFace)},
		{"unreadable", s.Unreadable, "named above"},
	} {
		fmt.Fprintf(t, "%s\t%d\t%s\n", x.what, x.n, x.detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.text(), "list: %s\ncontact sheet: %s\n", s.Table, s.ContactSheet)
	return err
}

// command is what to type for the same faces.
func (c *alignCmd) command() string {
	words := []string{"fv-train align", c.Photos, c.Out}
	for _, x := range []struct{ flag, value, usual string }{
		{"--detector", c.Detector, ""}, {"--detector-kind", c.DetectorKind, "auto"}, {"--detector-size", fmt.Sprint(c.DetectorSize), "640"}, {"--min-score", fmt.Sprint(c.MinScore), "0"},
		{"--faces", c.Faces, "main"}, {"--landmarks", c.Landmarks, ""}, {"--size", c.Size, "112x112"}, {"--min-face", fmt.Sprint(c.MinFace), "40"}, {"--profiles", c.Profiles, "keep"},
	} {
		if x.value != x.usual {
			words = append(words, x.flag, x.value)
		}
	}
	return strings.Join(words, " ")
}
