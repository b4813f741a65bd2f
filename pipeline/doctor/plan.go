package doctor

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// What a line of a plan does with its image.
const (
	Move = "move" // into the quarantine folder
	Keep = "keep"
)

// Step is a line of a plan.
type Step struct {
	Action string // Move or Keep
	Path   string // below the set's root
	Reason string
	Other  string // an image or identity that the reason is about
	Score  string // what the reason is measured by
	Line   int    // in the file, from 1
}

// header names the columns of a plan. Only the first two are read back.
var header = []string{"action", "path", "reason", "other", "score"}

// Plan proposes what to do: to move what is certain, which is files that cannot be read and further copies within an identity, and to
// keep what a person must look at first.
func (f *Findings) Plan() []Step {
	var plan []Step
	add := func(action string, i int, reason, other, score string) {
		plan = append(plan, Step{Action: action, Path: f.Set.Samples[i].Path, Reason: reason, Other: other, Score: score})
	}
	name := func(i int) string { return f.Set.Samples[i].Path }
	cosine := func(c float64) string { return strconv.FormatFloat(c, 'f', 4, 64) }
	identity := func(i int) int { return f.Set.Samples[i].Identity }
	for _, i := range f.Unreadable {
		add(Move, i, "unreadable", "", f.Problem(i))
	}
	for _, g := range f.Exact {
		first := map[int]int{} // of each identity
		for _, i := range g {
			if j, ok := first[identity(i)]; ok {
				add(Move, i, "copy", name(j), "")
				continue
			}
			first[identity(i)] = i
			if identity(i) != identity(g[0]) {
				add(Keep, g[0], "copy under two names", name(i), "")
				add(Keep, i, "copy under two names", name(g[0]), "")
			}
		}
	}
	for _, p := range f.Near {
		reason := "near duplicate"
		if identity(p.A) != identity(p.B) {
			reason = "near duplicate under two names"
			add(Keep, p.A, reason, name(p.B), p.score())
		}
		add(Keep, p.B, reason, name(p.A), p.score())
	}
	if f.People != nil {
		for _, m := range f.People.Mislabeled {
			add(Keep, m.Image, "mislabelled?", f.Set.Identities[m.Other], cosine(m.Near-m.Own))
		}
		for _, s := range f.People.Split {
			few := s.Groups[0]
			if len(s.Groups[1]) < len(few) {
				few = s.Groups[1]
			}
			for _, i := range few {
				add(Keep, i, "another person than the others?", "", cosine(s.Between))
			}
		}
	}
	if o := f.Against; o != nil {
		for _, x := range o.Exact {
			add(Move, x[0], "in the evaluation set", f.against.Samples[x[1]].Path, "")
		}
		for _, p := range o.Near {
			add(Keep, p.A, "looks like one in the evaluation set", f.against.Samples[p.B].Path, p.score())
		}
	}
	for _, i := range f.Blurred {
		add(Keep, i, "blurred", "", strconv.FormatFloat(f.Images[i].Sharpness, 'f', 2, 64))
	}
	for _, i := range f.Exposure {
		add(Keep, i, "exposure", "", strconv.FormatFloat(f.Images[i].Mean, 'f', 1, 64))
	}
	return plan
}

func (p Pair) score() string {
	s := fmt.Sprintf("%d of 256 bits", p.Bits)
	if p.Mirrored {
		s += ", mirrored"
	}
	return s
}

// WritePlan writes a plan as CSV.
func WritePlan(w io.Writer, plan []Step) error {
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for _, s := range plan {
		if err := out.Write([]string{s.Action, s.Path, s.Reason, s.Other, s.Score}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ReadPlan reads the plan in the file at path.
func ReadPlan(path string) ([]Step, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ParsePlan(f, path)
}

// ParsePlan reads a plan, which a person or a spreadsheet may have changed; name is used in errors. The columns action and path are wanted, in any
// place; the same image may stand in several lines, and moves if one of them says so.
func ParsePlan(r io.Reader, name string) ([]Step, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header; want the columns action and path: %w", name, err)
	}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
	}
	action, path := slices.Index(head, "action"), slices.Index(head, "path")
	if action < 0 || path < 0 {
		return nil, fmt.Errorf("%s:1: the header is %.60q; want the columns action and path", name, strings.Join(head, ","))
	}
	var plan []Step
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return plan, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		if len(record) <= max(action, path) {
			return nil, fmt.Errorf("%s:%d: %d fields; want an action and a path", name, line, len(record))
		}
		s := Step{Action: strings.ToLower(strings.TrimSpace(record[action])), Path: record[path], Line: line}
		if at := slices.Index(head, "reason"); at >= 0 && at < len(record) {
			s.Reason = record[at]
		}
		if s.Action != Move && s.Action != Keep {
			return nil, fmt.Errorf("%s:%d: the action is %.20q; want %s or %s", name, line, record[action], Move, Keep)
		}
		plan = append(plan, s)
	}
}
