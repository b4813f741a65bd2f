package page

import (
	"bytes"
	"strings"
	"testing"
)

func TestWriteMarkdown(t *testing.T) {
	p := example()
	p.Sections = append(p.Sections, Section{ID: "three", Title: "Three", Blocks: []Block{
		Switch{ID: "s", Title: "ROC", Views: []View{{"linear", Figure{File: "roc.png", Alt: "a | b", Caption: "caption *1*"}}, {"log", Figure{File: "log.png"}}}},
		Columns{Figure{Title: "DET", File: "det.png", Alt: "det"}},
		Table{Head: []string{"a|b", "n"}, Rows: [][]string{{"x\ny", "[1, 2] %"}}, Text: 1},
	}})
	var out bytes.Buffer
	if err := p.WriteMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Faces &lt;& friends&gt;\n", "> **Note:** careful &lt;b&gt;\n", "run `fv <x>` now\n", "```\nfv --out 'a b'\n```\n",
		"**cap**\n\n| name | n |\n|---|---:|\n| &lt;i&gt; | 1 |\n", "- **a**: b\n", "**more**\n\ninside\n",
		"### ROC, linear\n\n![a \\| b](<roc.png>)\n\ncaption \\*1\\*\n", "### ROC, log\n\n![](<log.png>)", "### DET\n\n![det](<det.png>)",
		"| a\\|b | n |\n|---|---:|\n| x y | \\[1, 2\\] % |\n", "\nfooter\n", "| AUC | 0.9 | of 1 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// Of a switch's radio buttons one is on, and each stands beside its label.
func TestSwitch(t *testing.T) {
	p := &Page{Sections: []Section{{ID: "s", Blocks: []Block{Switch{ID: "x", Title: "T", Views: []View{{"one", Figure{SVG: "<svg/>"}}, {"two", Figure{SVG: "<svg/>"}}}}}}}}
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	html := out.String()
	if strings.Count(html, `checked="checked"`) != 1 || !strings.Contains(html, `<input type="radio" name="x" id="x-1"/><label for="x-1">two</label>`) || strings.Count(html, "<figure") != 2 {
		t.Error(html)
	}
}
