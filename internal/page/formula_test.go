package page

import (
	"bytes"
	"strings"
	"testing"
)

func TestFormula(t *testing.T) {
	for formula, want := range map[string]string{
		`p_y`:              `<msub><mi>p</mi><mi>y</mi></msub>`,
		`x_i^2`:            `<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>`,
		`\frac{1}{a b}`:    `<mfrac><mrow><mn>1</mn></mrow><mrow><mi>a</mi><mi>b</mi></mrow></mfrac>`,
		`\sqrt{x}`:         `<msqrt><mrow><mi>x</mi></mrow></msqrt>`,
		`-1.5 < θ`:         `<mo>−</mo><mn>1.5</mn><mo>&lt;</mo><mi>θ</mi>`,
		`cos θ`:            space + `<mi>cos</mi>` + space + `<mi>θ</mi>`,
		`"a <b>"`:          `<mtext>a &lt;b&gt;</mtext>`,
		`\cases{a & b; c}`: `<mtable><mtr><mtd><mrow><mi>a</mi></mrow></mtd><mtd><mrow><mi>b</mi></mrow></mtd></mtr><mtr><mtd><mrow><mi>c</mi></mrow></mtd></mtr></mtable>`,
	} {
		got := string(Formula(formula).MathML())
		if full := `<math display="inline"><mrow displaystyle="true">` + want + `</mrow></math>`; got != full {
			t.Errorf("%s is\n%s, want\n%s", formula, got, full)
		}
	}
	if n := strings.Count(string(Formula("a~~b").MathML()), "<math"); n != 2 {
		t.Errorf("a~~b is %d equations", n)
	}
	for _, wrong := range []string{`\what{x}`, `\frac{1}`, `{a`, `a}`, `"a`, `x_`, `\cases{a & b`, `\<script>`} {
		got := string(Formula(wrong).MathML())
		if !strings.HasPrefix(got, "<code>") || strings.Contains(got, "<script") {
			t.Errorf("%s is %s, want it as it was written", wrong, got)
		}
	}
}

func FuzzFormula(f *testing.F) {
	f.Add(`\frac{1}{|B|} Σ_{i} x^2 \cases{a & b; c} "<"`)
	f.Fuzz(func(t *testing.T, text string) {
		got := string(Formula(text).MathML())
		if strings.Contains(strings.ToLower(got), "<script") || got != "" && !strings.HasPrefix(got, "<math") && !strings.HasPrefix(got, "<code>") {
			t.Errorf("%q is %s", text, got)
		}
	})
}

// Controls and readings carry the names that a script finds them by.
func TestControls(t *testing.T) {
	p := Page{Title: "t", Style: "b > i {}", Data: []byte(`{"a":"\u003c"}`), Script: `if (1 < 2) go();`, Sections: []Section{{ID: "s", Title: "S", Blocks: []Block{
		Controls{
			{ID: "m", Label: "margin <m>", Min: -1, Max: 1, Step: 0.1, Value: -0.5, Unit: "°"},
			{ID: "n", Max: 2, Step: 1, Value: 1, Stops: []string{"a", "b", "c"}},
			{ID: "h", Options: []string{"x", "y"}, Value: 1},
			{ID: "go", Label: "Run"},
		},
		Readings{{"r", "loss", "0.5"}},
		Pairs{{SVG: "<svg></svg>"}, {SVG: "<svg></svg>"}},
	}}}}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	for _, want := range []string{
		`margin &lt;m&gt; <output for="m">−0.5°</output><input type="range" id="m" min="-1" max="1" step="0.1" value="-0.5" data-unit="°"/>`,
		`<output for="n">b</output>`, `data-stops="a|b|c"`, `<select id="h"><option value="0">x</option><option value="1" selected="selected">y</option></select>`,
		`<button type="button" id="go">Run</button>`, `<dd id="r">0.5</dd>`, `<script type="application/json" id="data">{"a":"\u003c"}</script>`, `if (1 < 2) go();`, `b > i {}`, `class="pairs"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s in\n%s", want, html[strings.Index(html, "<main>"):])
		}
	}
}
