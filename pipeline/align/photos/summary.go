package photos

// Summary counts the outcomes.
type Summary struct {
	Photographs int `json:"photographs"`
	Kept        int `json:"kept"`       // photographs whose faces were there already
	Faces       int `json:"faces"`      // crops in the folder
	Profile     int `json:"profile"`    // faces from the side, written or not
	Enlarged    int `json:"enlarged"`   // crops that are over twice as large as in the photograph
	Several     int `json:"several"`    // photographs with more than one face
	None        int `json:"none"`       // photographs without a face, or landmarks of none
	Small       int `json:"small"`      // faces left out
	Unreadable  int `json:"unreadable"` // photographs
}

// Summary returns the counts.
func (r *Result) Summary() Summary {
	s := Summary{Photographs: r.Photos, Kept: r.Kept}
	last := ""
	for i := range r.Rows {
		row := &r.Rows[i]
		first := row.Path != last
		last = row.Path
		if row.Crop != "" {
			s.Faces++
			if r.enlarged(row) {
				s.Enlarged++
			}
		}
		if first && row.Faces > 1 {
			s.Several++
		}
		switch row.Outcome {
		case Profile:
			s.Profile++
		case None:
			s.None++
		case Small:
			s.Small++
		case Unreadable:
			if first {
				s.Unreadable++
			}
		}
	}
	return s
}

// enlarged reports whether a crop has less than half as many rows of the photograph as of its own.
func (r *Result) enlarged(row *Row) bool {
	return row.Side*enlarged < float64(r.o.Template.Height)
}
