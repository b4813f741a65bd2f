package doctor

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"

	"github.com/faceverify/fv/internal/page"
)

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
