package page

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the page as Markdown, with GitHub's tables. Pictures are links to their files; those
// that have none are left out, and so is nothing else.
func (p *Page) WriteMarkdown(w io.Writer) error {
	m := &markdown{bufio.NewWriter(w)}
	m.printf("# %s\n\n", inline(p.Title))
	if p.Subtitle != "" {
		m.printf("%s\n\n", inline(p.Subtitle))
	}
	m.blocks(p.Lead)
	for _, s := range p.Sections {
		m.printf("## %s\n\n", inline(s.Title))
		m.blocks(s.Blocks)
	}
	if p.Footer != "" {
		m.printf("%s\n", inline(p.Footer))
	}
	return m.Flush()
}

type markdown struct{ *bufio.Writer }

// printf keeps its error for Flush, as a bufio.Writer does.
func (m *markdown) printf(format string, args ...any) { fmt.Fprintf(m, format, args...) }

func (m *markdown) blocks(blocks []Block) {
	for _, b := range blocks {
		m.block(b)
	}
}

func (m *markdown) block(b Block) {
	switch b := b.(type) {
	case Text:
		for _, s := range splitCode(b) {
			if s.Code {
				m.printf("`%s`", s.Text)
			} else {
				m.printf("%s", inline(s.Text))
			}
		}
		m.printf("\n\n")
	case Code:
		m.printf("```\n%s\n```\n\n", string(b))
	case Note:
		m.printf("> **Note:** %s\n\n", inline(string(b)))
	case Cards:
		t := Table{Head: []string{"", "", ""}, Text: 1}
		for _, c := range b {
			t.Rows = append(t.Rows, []string{c.Label, c.Value, c.Detail})
		}
		m.table(t)
	case Table:
		m.table(b)
	case Figure:
		m.figure(b.Title, b)
	case Row:
		for _, f := range b {
			m.figure(f.Title, f)
		}
	case Columns:
		m.blocks(b)
	case Switch:
		for _, v := range b.Views {
			m.figure(b.Title+", "+v.Name, v.Figure)
		}
	case Fields:
		for _, f := range b {
			m.printf("- **%s**: %s\n", inline(f.Name), inline(f.Value))
		}
		m.printf("\n")
	case Details:
		m.printf("**%s**\n\n", inline(b.Summary))
		m.blocks(b.Blocks)
	}
}

func (m *markdown) figure(title string, f Figure) {
	if f.File == "" {
		return
	}
	if title != "" {
		m.printf("### %s\n\n", inline(title))
	}
	m.printf("![%s](<%s>)\n\n", inline(f.Alt), f.File)
	if f.Caption != "" {
		m.printf("%s\n\n", inline(f.Caption))
	}
}

func (m *markdown) table(t Table) {
	if t.Caption != "" {
		m.printf("**%s**\n\n", inline(t.Caption))
	}
	row := func(cells []string) {
		m.printf("|")
		for _, c := range cells {
			m.printf(" %s |", inline(c))
		}
		m.printf("\n")
	}
	row(t.Head)
	m.printf("|")
	for i := range t.Head {
		if t.Numeric(i) {
			m.printf("---:|")
		} else {
			m.printf("---|")
		}
	}
	m.printf("\n")
	for _, cells := range t.Rows {
		row(cells)
	}
	m.printf("\n")
}

// inline is text in a line of Markdown, in which no character means anything.
func inline(s string) string {
	return strings.NewReplacer("\n", " ", "\\", "\\\\", "|", "\\|", "*", "\\*", "_", "\\_", "`", "\\`", "<", "&lt;", ">", "&gt;", "[", "\\[", "]", "\\]", "#", "\\#").Replace(s)
}
