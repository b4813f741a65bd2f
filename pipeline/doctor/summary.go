package doctor

// Summary is the findings as JSON has them. Lists are empty, not null, where there is nothing; images are paths below the set's root.
type Summary struct {
	Report       string           `json:"report"`
	Plan         string           `json:"plan,omitempty"`
	Images       int              `json:"images"`
	Identities   int              `json:"identities"`
	OneImage     int              `json:"one_image"` // identities
	Grey         int              `json:"grey"`
	Formats      map[string]int   `json:"formats"`
	Unreadable   []UnreadableJSON `json:"unreadable"`
	Copies       [][]string       `json:"copies"` // groups of the same file
	Near         []NearJSON       `json:"near"`
	NearTwoNames int              `json:"near_two_names"` // of Near
	Mislabeled   []MislabelJSON   `json:"mislabelled,omitempty"`
	Split        []SplitJSON      `json:"two_people,omitempty"`
	Alike        []AlikeJSON      `json:"one_person,omitempty"`
	Overlap      *OverlapJSON     `json:"overlap,omitempty"`
	Blurred      []string         `json:"blurred"`
	Exposure     []string         `json:"exposure"`
}

// UnreadableJSON is an image that cannot be read.
type UnreadableJSON struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

// NearJSON is two images that look the same.
type NearJSON struct {
	A        string `json:"a"`
	B        string `json:"b"`
	Bits     int    `json:"bits"` // of 256 that differ
	Mirrored bool   `json:"mirrored"`
}

// MislabelJSON is an image that may be under the wrong name.
type MislabelJSON struct {
	Image   string  `json:"image"`
	Own     float64 `json:"own"` // cosine
	Nearest string  `json:"nearest"`
	Cosine  float64 `json:"cosine"` // to the nearest
}

// SplitJSON is an identity that may be two people.
type SplitJSON struct {
	Identity string      `json:"identity"`
	Groups   [2][]string `json:"groups"`
	Between  float64     `json:"between"`
	Within   float64     `json:"within"`
}

// AlikeJSON is two identities that may be one person.
type AlikeJSON struct {
	A      string  `json:"a"`
	B      string  `json:"b"`
	Cosine float64 `json:"cosine"`
}

// OverlapJSON is what an evaluation set has too; the second of two images is its.
type OverlapJSON struct {
	Names []string    `json:"names"`
	Files [][2]string `json:"files"`
	Near  []NearJSON  `json:"near"`
	Alike []AlikeJSON `json:"one_person,omitempty"`
}

// Summary returns the findings for JSON, with the names of what was written.
func (f *Findings) Summary(report, plan string) *Summary {
	name := func(i int) string { return f.Set.Samples[i].Path }
	names := func(list []int) []string {
		out := make([]string, len(list))
		for k, i := range list {
			out[k] = name(i)
		}
		return out
	}
	s := &Summary{
		Report: report, Plan: plan, Images: len(f.Images), Identities: len(f.Counts), OneImage: f.singles(), Formats: map[string]int{},
		Unreadable: []UnreadableJSON{}, Copies: [][]string{}, Near: []NearJSON{}, NearTwoNames: f.twoNames(),
		Blurred: names(f.Blurred), Exposure: names(f.Exposure),
	}
	for _, x := range f.Images {
		if x.Err == nil {
			s.Formats[x.Format]++
			if x.Grey {
				s.Grey++
			}
		}
	}
	for _, i := range f.Unreadable {
		s.Unreadable = append(s.Unreadable, UnreadableJSON{name(i), f.Problem(i)})
	}
	for _, g := range f.Exact {
		s.Copies = append(s.Copies, names(g))
	}
	for _, p := range f.Near {
		s.Near = append(s.Near, NearJSON{name(p.A), name(p.B), p.Bits, p.Mirrored})
	}
	if f.People != nil {
		for _, m := range f.People.Mislabeled {
			s.Mislabeled = append(s.Mislabeled, MislabelJSON{name(m.Image), m.Own, f.Set.Identities[m.Other], m.Near})
		}
		for _, x := range f.People.Split {
			s.Split = append(s.Split, SplitJSON{f.Set.Identities[x.Identity], [2][]string{names(x.Groups[0]), names(x.Groups[1])}, x.Between, x.Within})
		}
		for _, a := range f.People.Alike {
			s.Alike = append(s.Alike, AlikeJSON{f.Set.Identities[a.A], f.Set.Identities[a.B], a.Cosine})
		}
	}
	if o := f.Against; o != nil {
		theirs := func(i int) string { return f.against.Samples[i].Path }
		s.Overlap = &OverlapJSON{Names: append([]string{}, o.Names...), Files: [][2]string{}, Near: []NearJSON{}}
		for _, x := range o.Exact {
			s.Overlap.Files = append(s.Overlap.Files, [2]string{name(x[0]), theirs(x[1])})
		}
		for _, p := range o.Near {
			s.Overlap.Near = append(s.Overlap.Near, NearJSON{name(p.A), theirs(p.B), p.Bits, p.Mirrored})
		}
		for _, a := range o.People {
			s.Overlap.Alike = append(s.Overlap.Alike, AlikeJSON{f.Set.Identities[a.A], f.against.Identities[a.B], a.Cosine})
		}
	}
	return s
}
