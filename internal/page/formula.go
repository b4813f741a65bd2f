package page

import (
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Formula is an equation, which the browser sets. Letters, numbers and operators stand for themselves; Greek letters are written
// as such, and a space where one should be seen as ~; ~~ parts equations that stand side by side where there is room. Beside them there are
//
//	a_b a^b a_{b c}       below and above
//	\frac{a}{b} \sqrt{a}
//	cos, log, max ...     upright, like all words of several letters
//	"words"               set as text
//	{a b}                 a group
//	\cases{a & if b; c & else}
//
// An equation that has an unknown command or lacks a brace is shown as it was written.
type Formula string

func (Formula) template() string { return "formula" }

// MathML returns the formula as an element.
func (f Formula) MathML() template.HTML {
	var all strings.Builder
	for part := range strings.SplitSeq(string(f), "~~") {
		p := &formulaParser{rest: []rune(part)}
		body := p.row(0)
		if p.failed || len(p.rest) > 0 {
			return template.HTML("<code>" + template.HTMLEscapeString(string(f)) + "</code>")
		}
		all.WriteString(`<math display="inline">` + strings.Replace(body, "<mrow>", `<mrow displaystyle="true">`, 1) + "</math>")
	}
	return template.HTML(all.String())
}

// space stands about a function's name.
const space = `<mspace width="0.17em"/>`

type formulaParser struct {
	rest   []rune
	failed bool
}

// row reads atoms up to one of the runes in ends, which stays, or to the end of the text if end is 0.
func (p *formulaParser) row(end rune, also ...rune) string {
	var b strings.Builder
	for len(p.rest) > 0 && !p.failed {
		if c := p.rest[0]; c == end || strings.ContainsRune(string(also), c) {
			break
		}
		b.WriteString(p.scripted())
	}
	return "<mrow>" + b.String() + "</mrow>"
}

// scripted reads an atom with what stands below and above it.
func (p *formulaParser) scripted() string {
	base := p.atom()
	var sub, sup string
	for len(p.rest) > 0 && (p.rest[0] == '_' || p.rest[0] == '^') {
		c := p.rest[0]
		p.rest = p.rest[1:]
		if a := p.atom(); c == '_' {
			sub = a
		} else {
			sup = a
		}
	}
	switch {
	case sub != "" && sup != "":
		return "<msubsup>" + base + sub + sup + "</msubsup>"
	case sub != "":
		return "<msub>" + base + sub + "</msub>"
	case sup != "":
		return "<msup>" + base + sup + "</msup>"
	}
	return base
}

// atom reads the smallest whole.
func (p *formulaParser) atom() string {
	if len(p.rest) == 0 {
		p.failed = true
		return ""
	}
	c := p.rest[0]
	switch {
	case c == '}' || c == '_' || c == '^':
		p.failed = true
		return ""
	case c == ' ':
		p.rest = p.rest[1:]
		return ""
	case c == '~':
		p.rest = p.rest[1:]
		return `<mspace width="1em"/>`
	case c == '{':
		return p.group()
	case c == '"':
		p.rest = p.rest[1:]
		words := p.while(func(r rune) bool { return r != '"' })
		p.skip('"')
		return "<mtext>" + template.HTMLEscapeString(words) + "</mtext>"
	case c == '\\':
		p.rest = p.rest[1:]
		return p.command(p.while(unicode.IsLetter))
	case unicode.IsDigit(c):
		return "<mn>" + p.while(func(r rune) bool { return unicode.IsDigit(r) || r == '.' }) + "</mn>"
	case unicode.IsLetter(c):
		word := p.while(func(r rune) bool { return r < 128 && unicode.IsLetter(r) })
		if word == "" { // Greek letters stand alone
			word, p.rest = string(c), p.rest[1:]
		}
		if utf8.RuneCountInString(word) == 1 {
			return "<mi>" + word + "</mi>"
		}
		return space + "<mi>" + word + "</mi>" + space
	}
	p.rest = p.rest[1:]
	if c == '-' {
		c = '−'
	}
	fence := ""
	if c == '|' || c == '‖' {
		fence = ` form="prefix" stretchy="false"`
	}
	return "<mo" + fence + ">" + template.HTMLEscapeString(string(c)) + "</mo>"
}

func (p *formulaParser) command(name string) string {
	switch name {
	case "frac":
		a := p.group()
		return "<mfrac>" + a + p.group() + "</mfrac>"
	case "sqrt":
		return "<msqrt>" + p.group() + "</msqrt>"
	case "cases":
		p.skip('{')
		var b strings.Builder
		for !p.failed {
			b.WriteString("<mtr><mtd>" + p.row('&', ';', '}') + "</mtd>")
			if len(p.rest) > 0 && p.rest[0] == '&' {
				p.rest = p.rest[1:]
				b.WriteString("<mtd>" + p.row(';', '}') + "</mtd>")
			}
			b.WriteString("</mtr>")
			if len(p.rest) == 0 || p.rest[0] != ';' {
				break
			}
			p.rest = p.rest[1:]
		}
		p.skip('}')
		return "<mtable>" + b.String() + "</mtable>" // with a line at its left: few fonts have braces that stretch
	}
	p.failed = true
	return ""
}

func (p *formulaParser) group() string {
	p.skip('{')
	body := p.row('}')
	p.skip('}')
	return body
}

// while reads runes as long as ok says so.
func (p *formulaParser) while(ok func(rune) bool) string {
	n := 0
	for n < len(p.rest) && ok(p.rest[n]) {
		n++
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

// skip reads the rune c, which must be there.
func (p *formulaParser) skip(c rune) {
	if len(p.rest) == 0 || p.rest[0] != c {
		p.failed = true
		return
	}
	p.rest = p.rest[1:]
}
