package page

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"
)

func example() *Page {
	return &Page{
		Title: "Faces <& friends>", Subtitle: "A \"test\"", Footer: "footer",
		Lead: []Block{Cards{{"AUC", "0.9", "of 1"}}, Note("careful <b>")},
		Sections: []Section{
			{ID: "one", Title: "One", Blocks: []Block{
				Text("run `fv <x>` now"), Code("fv --out 'a b'"),
				Table{Caption: "cap", Head: []string{"name", "n"}, Rows: [][]string{{"<i>", "1"}}, Text: 1},
				Row{{Title: "t", SVG: `<svg viewBox="0 0 1 1"></svg>`, Caption: "c"}, {PNG: []byte{1, 2, 3}, Alt: `"x"`}},
			}},
			{ID: "two", Title: "Two", Blocks: []Block{Gallery{{Caption: "alike", Images: []Thumb{{JPEG: []byte{1, 2, 3}, Name: "<n>", Detail: "d"}, {Name: "gone"}}}}, Fields{{"a", "b"}}, Details{"more", []Block{Text("inside")}}}},
		},
	}
}

func TestWrite(t *testing.T) {
	var out bytes.Buffer
	if err := example().Write(&out); err != nil {
		t.Fatal(err)
	}
	html := out.String()
	for _, want := range []string{
		"<title>Faces &lt;&amp; friends&gt;</title>", "careful &lt;b&gt;", "run <code class=\"short\">fv &lt;x&gt;</code> now",
		`<td>&lt;i&gt;</td><td class="num">1</td>`, `<svg viewBox="0 0 1 1"></svg>`, "data:image/png;base64,AQID",
		`alt="&#34;x&#34;"`, `href="#two"`, `id="two"`, "<summary>more</summary>", "<footer>footer</footer>", `alt="&lt;n&gt;" src="data:image/jpeg;base64,AQID"`, `<span class="none"></span><span class="name">gone<wbr/></span>`, "prefers-color-scheme: dark",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A page is one file: nothing in it may make a browser fetch something, or run a script.
func TestSelfContained(t *testing.T) {
	var out bytes.Buffer
	if err := example().Write(&out); err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)https?://|<script|<link|@import|url\(`).FindString(out.String()); m != "" {
		t.Errorf("the page has %q", m)
	}
}

// Every element that is opened is closed.
func TestWellFormed(t *testing.T) {
	var out bytes.Buffer
	if err := example().Write(&out); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(&out)
	d.Strict = true
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
