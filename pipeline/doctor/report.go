package doctor

import (
	"fmt"

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
