package doctor

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/dataset"
)

// shown is how many groups of pictures a section has; the plan and the JSON have all.
const shown = 24

// thumbSide is the side of a thumbnail in pixels: twice what a page shows, for dense screens, would double its size for little.
const thumbSide = 128

// Page makes the report. It reads the images that it shows.
func (f *Findings) Page(command, version string) *page.Page {
	p := &page.Page{
		Title: "Doctor: " + f.Set.Root, Subtitle: fmt.Sprintf("%s of %s", many(len(f.Images), "image", "images"), many(len(f.Counts), "identity", "identities")),
		Footer: version + "; " + command,
	}
	p.Lead = append(p.Lead, f.cards())
	for _, w := range f.Set.Warnings {
		p.Lead = append(p.Lead, page.Note(w))
	}
	section := func(id, title string, blocks ...page.Block) {
		p.Sections = append(p.Sections, page.Section{ID: id, Title: title, Blocks: blocks})
	}
	section("overview", "What is there", f.overview()...)
	section("unreadable", "Cannot be read", f.unreadable()...)
	section("copies", "The same file twice", f.copies()...)
	section("near", "The same picture", f.nearly()...)
	if f.People != nil {
		section("labels", "Under the wrong name?", f.labels()...)
		section("split", "Two people under one name?", f.split()...)
		section("alike", "One person under two names?", f.alike()...)
	}
	if f.Against != nil {
		section("overlap", "Also in the evaluation set", f.shared()...)
	}
	section("quality", "Blurred, dark or bright", f.quality()...)
	return p
}

func many(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// copiesMore returns how many files repeat another one.
func (f *Findings) copiesMore() int {
	n := 0
	for _, g := range f.Exact {
		n += len(g) - 1
	}
	return n
}

// twoNames returns how many pairs of pictures that look the same are of different identities.
func (f *Findings) twoNames() int {
	n := 0
	for _, p := range f.Near {
		if f.identity(p.A) != f.identity(p.B) {
			n++
		}
	}
	return n
}

func (f *Findings) identity(i int) int { return f.Set.Samples[i].Identity }

func (f *Findings) cards() page.Cards {
	c := page.Cards{
		{Label: "Images", Value: fmt.Sprint(len(f.Images)), Detail: fmt.Sprintf("%d cannot be read", len(f.Unreadable))},
		{Label: "Identities", Value: fmt.Sprint(len(f.Counts)), Detail: fmt.Sprintf("%d with one image", f.singles())},
		{Label: "Copies of a file", Value: fmt.Sprint(f.copiesMore()), Detail: fmt.Sprintf("in %s", many(len(f.Exact), "group", "groups"))},
		{Label: "Pairs that look the same", Value: fmt.Sprint(len(f.Near)), Detail: fmt.Sprintf("%d under two names", f.twoNames())},
	}
	if f.People != nil {
		c = append(c, page.Card{Label: "Mislabelled?", Value: atMost(len(f.People.Mislabeled)), Detail: "nearer to another identity"})
	}
	if o := f.Against; o != nil {
		c = append(c, page.Card{Label: "Shared with the evaluation", Value: fmt.Sprint(len(o.Names)), Detail: fmt.Sprintf("names; %d files, %d pictures", len(o.Exact), len(o.Near))})
	}
	return c
}

// atMost writes a count of a list that was cut.
func atMost(n int) string {
	if n == most {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}

func (f *Findings) singles() int {
	n := 0
	for _, c := range f.Counts {
		if c == 1 {
			n++
		}
	}
	return n
}

// bins are the distribution of images per identity: 1, 2, 3-4, 5-8 and so on.
func (f *Findings) bins() (labels []string, counts []int) {
	for low, high := 1, 1; len(f.Counts) > 0 && low <= slices.Max(f.Counts); low, high = high+1, 2*high {
		n := 0
		for _, c := range f.Counts {
			if c >= low && c <= high {
				n++
			}
		}
		label := fmt.Sprint(low)
		if high > low {
			label = fmt.Sprintf("%d–%d", low, high)
		}
		labels, counts = append(labels, label), append(counts, n)
	}
	return labels, counts
}

func (f *Findings) overview() []page.Block {
	labels, counts := f.bins()
	formats, sizes, grey, readable := map[string]int{}, map[string]int{}, 0, 0
	for _, x := range f.Images {
		if x.Err != nil {
			continue
		}
		readable++
		formats[x.Format]++
		sizes[fmt.Sprintf("%d × %d", x.Width, x.Height)]++
		if x.Grey {
			grey++
		}
	}
	sorted := slices.Sorted(slices.Values(f.Counts))
	fields := page.Fields{
		{Name: "Images of an identity", Value: fmt.Sprintf("%d to %d, median %d, mean %.1f", sorted[0], sorted[len(sorted)-1], sorted[len(sorted)/2], float64(len(f.Images))/float64(len(sorted)))},
		{Name: "Grey", Value: fmt.Sprintf("%d of %s that can be read have no colour", grey, many(readable, "image", "images"))},
	}
	if f.People != nil {
		fields = append(fields,
			page.Field{Name: "Cosine of an image to its identity's others", Value: fmt.Sprintf("%.3f in the median", f.People.Typical)},
			page.Field{Name: "Cosine that 1 in 100 pairs of different people exceed", Value: fmt.Sprintf("%.3f", f.People.Strangers)})
		if n := f.People.Trained; n > 0 {
			fields = append(fields, page.Field{Name: "Known to the model", Value: fmt.Sprintf("it was trained on %d of these names, and has learnt their labels, mistakes included", n)})
		}
	}
	return []page.Block{
		page.Columns{
			page.Figure{Title: "Identities by their number of images", SVG: bars(labels, counts), Alt: "bars: " + strings.Join(labels, ", ")},
			page.Columns{table("format", formats), table("width × height", sizes)},
		},
		fields,
	}
}

// table lists the most frequent values.
func table(of string, counts map[string]int) page.Table {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(-cmp.Compare(counts[a], counts[b]), cmp.Compare(a, b)) })
	t := page.Table{Head: []string{of, "images"}, Text: 1}
	const rows = 8
	rest := 0
	for i, k := range keys {
		if i >= rows {
			rest += counts[k]
			continue
		}
		t.Rows = append(t.Rows, []string{k, fmt.Sprint(counts[k])})
	}
	if n := len(keys) - rows; n > 0 {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("%d others", n), fmt.Sprint(rest)})
	}
	return t
}

// bars draws lying bars with their numbers.
func bars(labels []string, counts []int) string {
	const row, left, width = 22, 84, 400
	largest := 1
	for _, n := range counts {
		largest = max(largest, n)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" xmlns="http://www.w3.org/2000/svg" font-size="13">`, width, row*len(labels))
	for i, label := range labels {
		y, w := row*i, (width-left-60)*counts[i]/largest
		if counts[i] > 0 {
			w = max(w, 1)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="var(--plot-ink)">%s</text>`, left-8, y+15, html.EscapeString(label))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="var(--plot-0)"/>`, left, y+3, w, row-6)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="var(--plot-ink)">%d</text>`, left+w+6, y+15, counts[i])
	}
	b.WriteString(`</svg>`)
	return b.String()
}

// thumb makes the small picture of an image of a set.
func thumb(set *dataset.Set, i int, detail string) page.Thumb {
	t := page.Thumb{Name: set.Samples[i].Path, Detail: detail}
	img, err := set.Decode(set.File(i))
	if err != nil {
		return t
	}
	t.JPEG = page.Shrink(img, thumbSide)
	return t
}

// none is what a section without findings says.
func none(text string) []page.Block { return []page.Block{page.Text(text)} }

// more says how many there are beside those that are shown.
func more(total int) string {
	if total <= shown {
		return ""
	}
	return fmt.Sprintf(" The first %d are shown; the plan lists all.", shown)
}

func (f *Findings) unreadable() []page.Block {
	if len(f.Unreadable) == 0 {
		return none("All images can be read.")
	}
	t := page.Table{Head: []string{"image", "what is wrong"}, Text: 2}
	for _, i := range f.Unreadable[:min(shown, len(f.Unreadable))] {
		t.Rows = append(t.Rows, []string{f.Set.Samples[i].Path, f.Problem(i)})
	}
	return []page.Block{page.Text(fmt.Sprintf("%s cannot be read. Training goes on without them.%s", many(len(f.Unreadable), "image", "images"), more(len(f.Unreadable)))), t}
}

func (f *Findings) copies() []page.Block {
	if len(f.Exact) == 0 {
		return none("No two files are the same.")
	}
	var g page.Gallery
	across := func(group []int) int {
		if slices.ContainsFunc(group, func(i int) bool { return f.identity(i) != f.identity(group[0]) }) {
			return 0
		}
		return 1
	}
	groups := slices.Clone(f.Exact)
	slices.SortStableFunc(groups, func(a, b []int) int { return cmp.Compare(across(a), across(b)) })
	for _, group := range groups[:min(shown, len(groups))] {
		t := page.Thumbs{Caption: "One identity"}
		if across(group) == 0 {
			t.Caption = "Different identities: one of them is wrong"
		}
		for _, i := range group[:min(6, len(group))] {
			t.Images = append(t.Images, thumb(f.Set, i, ""))
		}
		g = append(g, t)
	}
	return []page.Block{page.Text(fmt.Sprintf("%s hold the same bytes as another. The plan keeps the first of each identity.%s",
		many(f.copiesMore(), "file", "files"), more(len(f.Exact)))), g}
}

func (f *Findings) nearly() []page.Block {
	var blocks []page.Block
	if !f.Compared() {
		blocks = none(fmt.Sprintf("Pictures were compared within each identity only: there are more than %d.", maxCompared))
	}
	if len(f.Near) == 0 {
		return append(blocks, page.Text("No two pictures look the same."))
	}
	list := slices.Clone(f.Near)
	same := func(p Pair) int {
		if f.identity(p.A) == f.identity(p.B) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b Pair) int { return cmp.Compare(same(a), same(b)) })
	var g page.Gallery
	for _, p := range list[:min(shown, len(list))] {
		g = append(g, page.Thumbs{Caption: p.score(), Images: []page.Thumb{thumb(f.Set, p.A, ""), thumb(f.Set, p.B, "")}})
	}
	return append(blocks, page.Text(fmt.Sprintf("%s of different files differ in at most %d of the 256 bits of their difference hashes: the same photograph in another size, crop or compression, "+
		"or one photograph soon after the other. Those under two names come first.%s", many(len(f.Near), "pair", "pairs"), nearBits, more(len(list)))), g)
}

// examples returns images of an identity, other than one, for comparison.
func (f *Findings) examples(set *dataset.Set, identity, not, n int) []page.Thumb {
	var t []page.Thumb
	for i, s := range set.Samples {
		if s.Identity == identity && i != not && len(t) < n {
			t = append(t, thumb(set, i, ""))
		}
	}
	return t
}

func (f *Findings) labels() []page.Block {
	list := f.People.Mislabeled
	if len(list) == 0 {
		return none("Every image is nearest to its own identity.")
	}
	var g page.Gallery
	for _, m := range list[:min(shown, len(list))] {
		t := page.Thumbs{Caption: fmt.Sprintf("Cosine %.2f to the others of %s, %.2f to %s", m.Own, f.Set.Identities[f.identity(m.Image)], m.Near, f.Set.Identities[m.Other])}
		t.Images = append(t.Images, thumb(f.Set, m.Image, "in question"))
		for _, x := range f.examples(f.Set, f.identity(m.Image), m.Image, 1) {
			x.Detail = "same name"
			t.Images = append(t.Images, x)
		}
		for _, x := range f.examples(f.Set, m.Other, -1, 1) {
			x.Detail = "nearest"
			t.Images = append(t.Images, x)
		}
		g = append(g, t)
	}
	return []page.Block{page.Text(fmt.Sprintf("%s images are nearer to another identity's mean than to the mean of their own identity's other images, those first for which the difference is largest. "+
		"Each is shown with one of its own name and one of the nearest. A weak model errs here more often than the labels do: look.%s", atMost(len(list)), more(len(list)))), g}
}

func (f *Findings) split() []page.Block {
	list := f.People.Split
	if len(list) == 0 {
		return none("No identity falls in two groups of images that are as unlike as strangers.")
	}
	var g page.Gallery
	for _, s := range list[:min(shown, len(list))] {
		t := page.Thumbs{Caption: fmt.Sprintf("%s: %d and %d images, cosine %.2f between the groups and %.2f within", f.Set.Identities[s.Identity], len(s.Groups[0]), len(s.Groups[1]), s.Between, s.Within)}
		for k, group := range s.Groups {
			for _, i := range group[:min(2, len(group))] {
				t.Images = append(t.Images, thumb(f.Set, i, []string{"one group", "the other"}[k]))
			}
		}
		g = append(g, t)
	}
	return []page.Block{page.Text(fmt.Sprintf("%s identities with at least four images fall in two groups whose images are, between the groups, as unlike as strangers, and within them are not.%s", atMost(len(list)), more(len(list)))), g}
}

func (f *Findings) alikeGallery(list []Alike, other *dataset.Set) page.Gallery {
	var g page.Gallery
	for _, a := range list[:min(shown, len(list))] {
		g = append(g, page.Thumbs{Caption: fmt.Sprintf("Cosine %.2f: %s and %s", a.Cosine, f.Set.Identities[a.A], other.Identities[a.B]),
			Images: append(f.examples(f.Set, a.A, -1, 2), f.examples(other, a.B, -1, 2)...)})
	}
	return g
}

func (f *Findings) alike() []page.Block {
	list := f.People.Alike
	if len(list) == 0 {
		return none("No two identities are as alike as the images of one.")
	}
	return []page.Block{page.Text(fmt.Sprintf("The means of %s pairs of identities are at least as alike as an image is to its identity's others in the median, %.2f.%s",
		atMost(len(list)), f.People.Typical, more(len(list)))), f.alikeGallery(list, f.Set)}
}

func (f *Findings) shared() []page.Block {
	o := f.Against
	blocks := none(fmt.Sprintf("What is trained on must not be in what it is measured on. Of %s: %s of the same name, %s, %s.", o.Root,
		many(len(o.Names), "identity", "identities"), many(len(o.Exact), "file that is the same", "files that are the same"), many(len(o.Near), "pair of pictures that look the same", "pairs of pictures that look the same")))
	if n := len(o.Names); n > 0 {
		names := strings.Join(o.Names[:min(shown, n)], ", ")
		if n > shown {
			names += " ..."
		}
		blocks = append(blocks, page.Fields{{Name: "The same names", Value: names}})
	}
	var g page.Gallery
	for _, x := range o.Exact[:min(shown/2, len(o.Exact))] {
		g = append(g, page.Thumbs{Caption: "The same file", Images: []page.Thumb{thumb(f.Set, x[0], ""), thumb(f.against, x[1], "evaluation")}})
	}
	for _, p := range o.Near[:min(shown, len(o.Near))] {
		g = append(g, page.Thumbs{Caption: p.score(), Images: []page.Thumb{thumb(f.Set, p.A, ""), thumb(f.against, p.B, "evaluation")}})
	}
	if len(g) > 0 {
		blocks = append(blocks, g)
	}
	if len(o.People) > 0 {
		blocks = append(blocks, page.Text(fmt.Sprintf("%s pairs of identities of different names look alike.%s", atMost(len(o.People)), more(len(o.People)))), f.alikeGallery(o.People, f.against))
	}
	return blocks
}

func (f *Findings) quality() []page.Block {
	var blocks []page.Block
	add := func(title string, list []int, detail func(i int) string) {
		if len(list) == 0 {
			return
		}
		t := page.Thumbs{Caption: fmt.Sprintf("%s: %d.%s", title, len(list), more(len(list)))}
		for _, i := range list[:min(shown, len(list))] {
			t.Images = append(t.Images, thumb(f.Set, i, detail(i)))
		}
		blocks = append(blocks, page.Gallery{t})
	}
	add("Blurred", f.Blurred, func(i int) string { return fmt.Sprintf("sharpness %.1f", f.Images[i].Sharpness) })
	add("Dark or bright", f.Exposure, func(i int) string { return fmt.Sprintf("mean grey %.0f", f.Images[i].Mean) })
	if blocks == nil {
		return none("No image is far more blurred, darker or brighter than the others.")
	}
	return append(none(fmt.Sprintf("Images farther than %g robust standard deviations from the median sharpness or brightness, and those that are nearly black or white.", outlying)), blocks...)
}
