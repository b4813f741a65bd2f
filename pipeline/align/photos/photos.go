package photos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/faceverify/fv/internal/atomicfile"
	"github.com/faceverify/fv/pipeline/align"
	"github.com/faceverify/fv/pipeline/align/detect"
	"github.com/faceverify/fv/pipeline/dataset"
)

// Files in the folder of the crops.
const (
	Table        = dataset.AlignTable
	SettingsFile = dataset.AlignSettings
	ContactSheet = dataset.AlignSheet
)

// Options say what to do. Either Detector or Entries are given.
type Options struct {
	Photos, Out string
	Template    align.Template
	Detector    *detect.Model
	Entries     []align.Entry
	EntriesFile string  // where the entries are from, for messages
	Faces       Choice  // of a detector's; "" means Main
	MinSide     float64 // faces whose crop would span fewer pixels of the photograph are left out
	NoProfiles  bool    // leave faces from the side out
	Again       bool    // make everything anew
	Threads     int     // photographs that are worked on at a time; 0 means one for each processor
	Progress    func(done, total int)
}

// enlarged is the scale from which a crop is counted as enlarged, and worstFit the distance from the template, in pixels of it, from which landmarks are those of
// a face from the side.
const (
	enlarged = 2
	worstFit = 6
)

// saveEvery is how often the table is written while photographs are worked on: a killed run does no more than that again.
const saveEvery = 10 * time.Second

// Result is what became of the photographs.
type Result struct {
	Rows   []Row // in the order of the photographs
	Photos int
	Kept   int // photographs whose crops were there already
	o      Options
}

// Run makes the crops. When ctx is done it stops after the photographs under way, writes the table of what it has, and returns the context's error; the next Run
// goes on from there. So it does after it was killed. A photograph that changed after its crop was made is looked at again.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Faces == "" {
		o.Faces = Main
	}
	if err := o.Faces.check(); err != nil {
		return nil, err
	}
	var jobs []job
	var err error
	if o.Detector != nil {
		jobs, err = list(o.Photos)
	} else {
		jobs, err = listed(o.Entries, o.EntriesFile)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o777); err != nil {
		return nil, err
	}
	before, err := o.begin()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(o.Out) // links in it lead nowhere else
	if err != nil {
		return nil, err
	}
	defer root.Close()
	r := &run{Options: o, jobs: jobs, rows: make([][]Row, len(jobs)), root: root, taken: map[string]bool{}}
	var todo []int
	for i := range jobs {
		r.taken[jobs[i].crop] = true
		if rows := before[jobs[i].path]; r.there(&jobs[i], rows) {
			r.rows[i] = rows
		} else {
			todo = append(todo, i)
		}
	}
	kept := len(jobs) - len(todo)
	err = r.work(ctx, todo)
	err = errors.Join(err, r.save())
	if err != nil {
		return nil, err
	}
	if err := r.forget(before); err != nil {
		return nil, err
	}
	return &Result{Rows: r.all(), Photos: len(jobs), Kept: kept, o: o}, nil
}

// run is a Run under way.
type run struct {
	Options
	jobs  []job
	rows  [][]Row // of each photograph; nil until it is done
	root  *os.Root
	taken map[string]bool // names of first crops
}

// all returns the rows of what is done.
func (r *run) all() []Row {
	var all []Row
	for _, rows := range r.rows {
		all = append(all, rows...)
	}
	return all
}

func (r *run) save() error {
	return atomicfile.Write(filepath.Join(r.Out, Table), func(w io.Writer) error { return WriteRows(w, r.all()) })
}

// there reports whether a photograph's crops are there, newer than it, and made of the same landmarks.
func (r *run) there(j *job, rows []Row) bool {
	photo, err := os.Stat(filepath.Join(r.Photos, filepath.FromSlash(j.path)))
	if err != nil || r.Again {
		return false
	}
	crops := 0
	for _, row := range rows {
		if row.Crop == "" {
			continue
		}
		crop, err := r.root.Stat(row.Crop)
		if err != nil || crop.Size() == 0 || crop.ModTime().Before(photo.ModTime()) {
			return false
		}
		crops++
	}
	if r.Detector == nil {
		if len(rows) != len(j.entries) {
			return false
		}
		for i, e := range j.entries {
			if rows[i].Landmarks != e.Landmarks {
				return false
			}
		}
	}
	return crops > 0
}

// forget removes crops that an earlier run made of photographs that now give others, or none.
func (r *run) forget(before map[string][]Row) error {
	now := map[string]bool{}
	for _, row := range r.all() {
		now[row.Crop] = true
	}
	for _, j := range r.jobs {
		for _, row := range before[j.path] {
			if row.Crop == "" || now[row.Crop] {
				continue
			}
			if err := r.root.Remove(row.Crop); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// work looks at photographs, several at a time.
func (r *run) work(parent context.Context, todo []int) error {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	threads := r.Threads
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	threads = max(1, min(threads, len(todo)))
	type done struct {
		i    int
		rows []Row
	}
	next, results := make(chan int), make(chan done)
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			var d *detect.Detector
			if r.Detector != nil {
				var err error
				if d, err = r.Detector.Detector(1); err != nil {
					fail(err)
					return
				}
				defer d.Close()
			}
			for i := range next {
				rows, err := r.look(d, &r.jobs[i])
				if err != nil {
					fail(err)
					return
				}
				results <- done{i, rows}
			}
		})
	}
	go func() {
		defer close(next)
		for _, i := range todo {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		workers.Wait()
		close(results)
	}()
	finished, saved := len(r.jobs)-len(todo), time.Now()
	for x := range results {
		r.rows[x.i] = x.rows
		finished++
		if r.Progress != nil {
			r.Progress(finished, len(r.jobs))
		}
		if time.Since(saved) > saveEvery {
			if err := r.save(); err != nil {
				fail(err)
			}
			saved = time.Now()
		}
	}
	return context.Cause(ctx)
}

// look makes the crops of a photograph. An error is none of the photograph's.
func (r *run) look(d *detect.Detector, j *job) ([]Row, error) {
	img, err := dataset.DecodeFile(filepath.Join(r.Photos, filepath.FromSlash(j.path)), dataset.Limits{})
	if err != nil {
		if j.entries == nil {
			return []Row{{Path: j.path, Outcome: Unreadable, Problem: err.Error()}}, nil
		}
		var rows []Row
		for _, e := range j.entries {
			rows = append(rows, Row{Path: j.path, Outcome: Unreadable, Landmarks: e.Landmarks, Problem: err.Error()})
		}
		return rows, nil
	}
	var rows []Row
	if d == nil {
		for _, e := range j.entries {
			rows = append(rows, Row{Path: j.path, Crop: e.Crop, Faces: len(j.entries), Landmarks: e.Landmarks})
		}
	} else if rows, err = r.detect(d, j, img); err != nil {
		return nil, err
	}
	for k := range rows {
		if row := &rows[k]; row.Outcome == "" {
			if row.Crop == "" {
				row.Crop = j.more(k, r.taken)
			}
			if err := r.crop(img, row); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// detect returns a row of each face that is to be cut out.
func (r *run) detect(d *detect.Detector, j *job, img image.Image) ([]Row, error) {
	faces, err := d.Detect(img)
	if err != nil {
		return nil, err
	}
	if len(faces) == 0 {
		return []Row{{Path: j.path, Outcome: None}}, nil
	}
	chosen, others := r.Faces.choose(faces, img.Bounds().Size())
	var rows []Row
	for _, f := range chosen {
		row := Row{Path: j.path, Faces: len(faces), Score: f.Score, Box: f.Box, Landmarks: f.Landmarks}
		for _, o := range others {
			row.Others = append(row.Others, o.Box)
		}
		// To a hundredth of a pixel, so that the table can be read: the crop is made of what it says.
		for _, v := range row.numbers()[2:] {
			*v = math.Round(*v*100) / 100
		}
		row.Score = math.Round(row.Score*1e4) / 1e4
		rows = append(rows, row)
	}
	return rows, nil
}

// crop writes a row's face, unless it is to be left out, and says what came of it.
func (r *run) crop(img image.Image, row *Row) error {
	name := row.Crop
	row.Crop = ""
	s, err := align.Fit(row.Landmarks, r.Template.Landmarks)
	if err != nil {
		row.Outcome, row.Problem = None, err.Error()
		return nil
	}
	row.Side = math.Round(r.Template.Side(s)*100) / 100
	row.Outcome = Aligned
	if row.Landmarks.Profile() || r.Template.Residual(s, row.Landmarks) > worstFit {
		row.Outcome = Profile
	}
	if row.Side < r.MinSide {
		row.Outcome = Small
	}
	if row.Outcome == Small || row.Outcome == Profile && r.NoProfiles {
		return nil
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, r.Template.Crop(img, s), &jpeg.Options{Quality: 95}); err != nil {
		return err
	}
	row.Crop = name
	return writeBelow(r.root, name, b.Bytes())
}

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

// Apart returns an error if photos is no folder, or one of the folders is in the other: a photograph must not be written over.
func Apart(photos, out string) error {
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
