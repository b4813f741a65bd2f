package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/page"
	"github.com/faceverify/fv/pipeline/dataset"
)

func (f *Findings) unreadable() []page.Block {
	if len(f.Unreadable) == 0 {
		return none("All images can be read.")
	}
	t := page.Table{Head: []string{"image", "what is wrong"}, Text: 2}
	for _, i := range f.Unreadable[:min(shown, len(f.Unreadable))] {
		t.Rows = append(t.Rows, []string{f.Set.Samples[i].Path, f.Problem(i)})
	}
	return []page.Block{page.Text(fmt.Sprintf("%s cannot be read, and training goes on without.%s", many(len(f.Unreadable), "image", "images"), more(len(f.Unreadable)))), t}
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
	return []page.Block{page.Text(fmt.Sprintf("Images that are nearer to another identity's mean than to the mean of their own identity's other images, those first for which the difference is largest: %s. "+
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
	return []page.Block{page.Text(fmt.Sprintf("Identities with at least four images that fall in two groups whose images are, between the groups, as unlike as strangers, and within them are not: %s.%s", atMost(len(list)), more(len(list)))), g}
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
	return []page.Block{page.Text(fmt.Sprintf("Pairs of identities whose means are at least as alike as an image is to its identity's others in the median, %.2f: %s.%s",
		f.People.Typical, atMost(len(list)), more(len(list)))), f.alikeGallery(list, f.Set)}
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
		blocks = append(blocks, page.Text(fmt.Sprintf("Pairs of identities of different names that look alike: %s.%s", atMost(len(o.People)), more(len(o.People)))), f.alikeGallery(o.People, f.against))
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
