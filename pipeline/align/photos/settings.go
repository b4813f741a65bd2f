package photos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/faceverify/fv/internal/atomicfile"
)

// Settings are what the crops in a folder depend on, beside the photographs: all in one folder are made alike.
type Settings struct {
	Size     string  `json:"size"` // the template's name
	MinSide  float64 `json:"min_face"`
	Profiles string  `json:"profiles"` // keep or skip
	// Of a detector; empty of landmarks from a file.
	Detector string  `json:"detector,omitempty"` // its kind
	Digest   string  `json:"detector_sha256,omitempty"`
	Width    int     `json:"detector_width,omitempty"`
	Height   int     `json:"detector_height,omitempty"`
	MinScore float64 `json:"min_score,omitempty"`
	Faces    Choice  `json:"faces,omitempty"`
}

func (o *Options) settings() Settings {
	s := Settings{Size: o.Template.Name, MinSide: o.MinSide, Profiles: "keep"}
	if o.NoProfiles {
		s.Profiles = "skip"
	}
	if d := o.Detector; d != nil {
		s.Detector, s.Digest, s.MinScore, s.Faces = string(d.Kind()), d.Digest(), d.MinScore(), o.Faces
		s.Width, s.Height = d.Size().X, d.Size().Y
	}
	return s
}

// ErrOtherSettings is what Run returns, wrapped, for a folder that holds crops made with other settings.
var ErrOtherSettings = errors.New("it holds faces that were made with other settings")

// begin writes down the settings and returns the rows of an earlier run by photograph.
func (o *Options) begin() (map[string][]Row, error) {
	now := o.settings()
	path := filepath.Join(o.Out, SettingsFile)
	before := map[string][]Row{}
	switch text, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		var then Settings
		if err := json.Unmarshal(text, &then); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if then != now && !o.Again {
			return nil, fmt.Errorf("%s: %w: %s", o.Out, ErrOtherSettings, then.difference(now))
		}
		rows, err := readRows(filepath.Join(o.Out, Table))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			before[r.Path] = append(before[r.Path], r)
		}
	}
	text, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return nil, err
	}
	return before, atomicfile.WriteBytes(path, append(text, '\n'))
}

// difference names the first setting that differs.
func (s Settings) difference(now Settings) string {
	for _, x := range []struct {
		name      string
		then, now any
	}{
		{"size", s.Size, now.Size}, {"detector", s.Detector, now.Detector}, {"detector's files", s.Digest, now.Digest},
		{"detector's input", fmt.Sprint(s.Width, "x", s.Height), fmt.Sprint(now.Width, "x", now.Height)},
		{"least score", s.MinScore, now.MinScore}, {"faces", s.Faces, now.Faces}, {"least face", s.MinSide, now.MinSide}, {"profiles", s.Profiles, now.Profiles},
	} {
		if x.then != x.now {
			return fmt.Sprintf("%s was %q and is %q", x.name, fmt.Sprint(x.then), fmt.Sprint(x.now))
		}
	}
	return ""
}
