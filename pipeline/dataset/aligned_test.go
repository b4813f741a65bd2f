package dataset

import (
	"fmt"
	"image"
	"path/filepath"
	"strings"
	"testing"
)

func TestLookAligned(t *testing.T) {
	// frames returns a set of images with the given sizes.
	frames := func(sizes ...image.Point) *Set {
		s := &Set{Root: t.TempDir()}
		for i, size := range sizes {
			name := fmt.Sprintf("%d.png", i)
			write(t, filepath.Join(s.Root, name), headerPNG(uint32(size.X), uint32(size.Y)))
			s.Samples = append(s.Samples, Sample{Path: name})
		}
		return s
	}
	// repeat returns n sizes.
	repeat := func(n, x, y int) []image.Point {
		sizes := make([]image.Point, n)
		for i := range sizes {
			sizes[i] = image.Pt(x, y)
		}
		return sizes
	}
	for name, c := range map[string]struct {
		sizes []image.Point
		want  string
	}{
		"crops":          {repeat(20, 112, 112), ""},
		"twice the size": {repeat(20, 224, 224), ""},
		"other shape":    {repeat(20, 92, 112), ""},
		"small":          {repeat(20, 40, 40), ""},
		"one odd of ten": {append(repeat(9, 112, 112), image.Pt(300, 200)), ""},
		"nearly alike":   {append(repeat(5, 112, 112), repeat(5, 120, 105)...), ""},
		"large":          {repeat(20, 250, 251), "may hold whole photographs: its images are about 251x250 pixels (height x width), the network takes 112x112; faces"},
		"varied":         {append(repeat(8, 112, 112), image.Pt(90, 112), image.Pt(112, 140)), "may hold unaligned faces: its images have 90 to 112 pixels across and 112 to 140 down; faces"},
		"none":           {nil, ""},
	} {
		got := frames(c.sizes...).LookAligned(112, 112)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// Images that cannot be read are others' to report.
	s := frames(repeat(3, 112, 112)...)
	write(t, s.File(0), nil)
	s.Samples = append(s.Samples, Sample{Path: "none.png"})
	if got := s.LookAligned(112, 112); got != "" {
		t.Errorf("unreadable images: %q", got)
	}
}

func TestLookAlignedRealData(t *testing.T) {
	for folder, photographs := range map[string]bool{"lfw112/images": false, "orl/orl_faces": false, "lfw250": true} {
		s, err := Open(realData(t, folder), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.LookAligned(112, 112); (got != "") != photographs {
			t.Errorf("%s: %q", folder, got)
		}
	}
}
