package lecture

import (
	"encoding/json"
	"fmt"
	"html"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// browser returns a Chromium, or skips the test.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no chromium to show the page in")
	return ""
}

// position is where a chapter's controls are to be moved, in their order.
type position struct {
	Chapter string    `json:"chapter"`
	IDs     []string  `json:"ids"`
	Values  []float64 `json:"values"`
	Drag    *drag     `json:"drag,omitempty"`
	Hover   *drag     `json:"hover,omitempty"` // where the pointer rests, in the picture
}

// drag is a mark that is dragged, by units of its picture.
type drag struct {
	Figure string  `json:"figure"`
	Mark   string  `json:"mark"`
	DX     float64 `json:"dx"`
	DY     float64 `json:"dy"`
}

// shown is what the browser then has.
type shown struct {
	Values   []float64                    `json:"values"` // of the controls
	Marks    map[string]map[string]string `json:"marks"`  // by figure
	Readings map[string]string            `json:"readings"`
	Outputs  map[string]string            `json:"outputs"` // what stands beside sliders
	Tip      string                       `json:"tip"`     // what the pointer is told
}

// driver moves the controls as a reader does, by events, and writes what is then shown in place of the page.
const driver = `
const shown = [];
try { for (const p of plan) {
  p.ids.forEach((id, i) => set(id, p.values[i]));
  const section = document.getElementById(p.chapter);
  if (p.drag) {
    const svg = document.getElementById(p.drag.figure), mark = svg.querySelector('[data-mark="' + p.drag.mark + '"]');
    svg.scrollIntoView({ block: "center", behavior: "instant" });
    const start = mark.getAttribute("d").match(/-?[\d.]+/g).slice(0, 2).map(Number), m = svg.getScreenCTM();
    if (p.drag.mark === "disc") start[0] -= 20; // from its edge inwards
    const at = (x, y) => ({ bubbles: true, pointerId: 1, clientX: m.a * x + m.e, clientY: m.d * y + m.f });
    const place = at(...start), held = document.elementFromPoint(place.clientX, place.clientY); // what a finger would meet
    const fire = (type, x, y) => held.dispatchEvent(new PointerEvent(type, at(x, y)));
    fire("pointerdown", start[0], start[1]);
    fire("pointermove", start[0] + p.drag.dx, start[1] + p.drag.dy);
    fire("pointerup", start[0] + p.drag.dx, start[1] + p.drag.dy);
    fire("pointermove", 0, 0); // let go of: nothing follows
  }
  const s = { values: p.ids.map(get), marks: {}, readings: {}, outputs: {}, tip: "" };
  if (p.hover) {
    const svg = document.getElementById(p.hover.figure), m = svg.getScreenCTM();
    svg.dispatchEvent(new PointerEvent("pointermove", { clientX: m.a * p.hover.dx + m.e, clientY: m.d * p.hover.dy + m.f }));
    s.tip = [...svg.parentElement.querySelectorAll(".tip:not([hidden]) div")].map(e => e.textContent).join("; ");
  }
  for (const svg of section.querySelectorAll("svg[id]")) {
    const marks = s.marks[svg.id] = {};
    for (const e of svg.querySelectorAll("[data-mark]")) {
      marks[e.dataset.mark] = e.tagName === "text" ? e.getAttribute("x") + " " + e.getAttribute("y") + " " + e.textContent : e.getAttribute("d");
    }
  }
  for (const e of section.querySelectorAll(".readings dd")) s.readings[e.id] = e.textContent;
  for (const e of section.querySelectorAll(".controls output")) s.outputs[e.htmlFor.value] = e.textContent;
  shown.push(s);
} } catch (e) { mistakes.push(e.stack); }
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify({ shown, errors: window.mistakes, width: document.documentElement.scrollWidth, view: document.documentElement.clientWidth,
  displayed: getComputedStyle(document.querySelector("form.controls")).display });
document.body.replaceChildren(result);
`

// outcome is what the driver writes.
type outcome struct {
	Shown       []shown
	Errors      []string
	Width, View int
	Displayed   string
}

// visit shows the page in a window of the given width, and returns what it shows as the controls are moved.
func visit(t *testing.T, path string, width int, plan []position) outcome {
	t.Helper()
	page := written(t)
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	page = strings.Replace(page, "<body>", `<body><script>window.mistakes = []; addEventListener("error", e => mistakes.push(e.message + " at line " + e.lineno));</script>`, 1)
	page = strings.Replace(page, "</body>", "<script>const plan = "+string(text)+";\n"+driver+"</script></body>", 1)
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir="+filepath.Join(dir, "profile"),
		fmt.Sprintf("--window-size=%d,900", width), "--dump-dom", "file://"+file)
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	m := regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`).FindSubmatch(dom)
	if m == nil {
		t.Fatalf("the browser shows no result; its page begins with %.300s", dom)
	}
	var out outcome
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &out); err != nil {
		t.Fatal(err)
	}
	for _, e := range out.Errors {
		t.Errorf("the script fails: %s", e)
	}
	if len(out.Shown) != len(plan) {
		t.Fatalf("%d of %d positions were shown", len(out.Shown), len(plan))
	}
	return out
}

// positions returns where a chapter starts, the ends of each of its controls, and some drawn places.
func positions(c *chapter, r *rand.Rand) []position {
	at := func(f func(i int, min, max, step, value float64) float64) position {
		p := position{Chapter: c.id}
		for i, k := range c.controls {
			if k.Button() {
				continue
			}
			lo, hi, step := k.Min, k.Max, k.Step
			if k.Options != nil {
				lo, hi, step = 0, float64(len(k.Options)-1), 1
			}
			if k.ID == "g-stop" { // how far it goes depends on the head
				hi = float64(len(c.data.([]headTable)[int(p.Values[0])].Stops) - 1)
			}
			v := min(max(f(i, lo, hi, step, k.Value), lo), hi)
			v = lo + step*math.Round((v-lo)/step)
			p.IDs, p.Values = append(p.IDs, k.ID), append(p.Values, math.Round(v*1e6)/1e6)
		}
		return p
	}
	all := []position{at(func(_ int, _, _, _, value float64) float64 { return value })}
	for i := range c.controls {
		all = append(all,
			at(func(j int, lo, _, _, value float64) float64 {
				if i == j {
					return lo
				}
				return value
			}),
			at(func(j int, _, hi, _, value float64) float64 {
				if i == j {
					return hi
				}
				return value
			}))
	}
	for range 8 {
		all = append(all, at(func(_ int, lo, hi, _, _ float64) float64 { return lo + (hi-lo)*r.Float64() }))
	}
	return all
}

var numerals = regexp.MustCompile(`[-−]?\d+(?:\.\d+)?`)

// differ says where two texts differ: their numbers by more than tolerance, or by more than one in the last place where tolerance is 0,
// or the rest at all.
func differ(got, want string, tolerance float64) string {
	if a, b := numerals.ReplaceAllString(got, "#"), numerals.ReplaceAllString(want, "#"); a != b {
		return "their form"
	}
	a, b := numerals.FindAllString(got, -1), numerals.FindAllString(want, -1)
	for i := range a {
		parse := func(s string) float64 {
			v, err := strconv.ParseFloat(strings.Replace(s, "−", "-", 1), 64)
			if err != nil {
				return math.NaN()
			}
			return v
		}
		allowed := tolerance
		if allowed == 0 {
			_, decimals, _ := strings.Cut(b[i], ".")
			allowed = 1.01 * math.Pow10(-len(decimals))
		}
		if d := math.Abs(parse(a[i]) - parse(b[i])); !(d <= allowed) {
			return fmt.Sprintf("number %d, %s for %s", i, a[i], b[i])
		}
	}
	return ""
}

// pictureTolerance is in units of a picture: coordinates are written to a tenth, so two that are alike may differ by one tenth.
const pictureTolerance = 0.101

// In a browser every chapter shows, wherever its controls are moved, what Go draws for the same values.
func TestBrowser(t *testing.T) {
	path := browser(t)
	l := lecture(t)
	r := rand.New(rand.NewPCG(1, 2))
	var plan []position
	byID := map[string]*chapter{}
	for _, c := range l.chapters {
		plan = append(plan, positions(c, r)...)
		byID[c.id] = c
	}
	out := visit(t, path, 1200, plan)
	if out.Displayed != "flex" {
		t.Errorf("controls are displayed as %q", out.Displayed)
	}
	marks, moved := 0, map[string]bool{}
	for i, p := range plan {
		got := out.Shown[i]
		v := values{}
		for k, id := range p.IDs {
			v[id] = p.Values[k]
			if got.Values[k] != p.Values[k] {
				t.Fatalf("%s: %s was moved to %v and stands at %v", p.Chapter, id, p.Values[k], got.Values[k])
			}
		}
		want := byID[p.Chapter].draw(v)
		start := out.Shown[0].Marks
		for k := range plan {
			if plan[k].Chapter == p.Chapter {
				start = out.Shown[k].Marks
				break
			}
		}
		for _, f := range want.row {
			state := f.State()
			if len(got.Marks[f.ID]) != len(state) {
				t.Errorf("%s has %d marks, want %d", f.ID, len(got.Marks[f.ID]), len(state))
			}
			for name, w := range state {
				g := got.Marks[f.ID][name]
				if d := differ(g, w, pictureTolerance); d != "" {
					t.Errorf("%s, %s at %v: %s differs:\n got %.300s\nwant %.300s", f.ID, name, v, d, g, w)
				}
				if g != start[f.ID][name] {
					moved[f.ID] = true
				}
				marks++
			}
		}
		for _, r := range want.readings {
			if d := differ(got.Readings[r.ID], r.Value, 0); d != "" {
				t.Errorf("%s at %v: %s, got %q, want %q", r.ID, v, d, got.Readings[r.ID], r.Value)
			}
		}
	}
	t.Logf("%d marks compared at %d positions", marks, len(plan))
	for _, f := range l.Pictures() {
		if f.ID != "k-normface-angle" && f.ID != "k-normface-cosine" && !moved[f.ID] { // which have nothing to set
			t.Errorf("no control moves %s", f.ID)
		}
	}
}

// What is dragged moves its controls, and the page is no wider than a phone.
func TestBrowserDrag(t *testing.T) {
	path := browser(t)
	l := lecture(t)
	ids := func(chapter string, drag drag, ids ...string) position {
		p := position{Chapter: chapter, Drag: &drag}
		for _, c := range l.chapters {
			for _, k := range c.controls {
				for _, id := range ids {
					if c.id == chapter && k.ID == id {
						p.IDs, p.Values = append(p.IDs, id), append(p.Values, k.Value)
					}
				}
			}
		}
		return p
	}
	plan := []position{
		ids("regression", drag{"b-fit", "outlier", -100, -150}, "b-x", "b-y"),
		ids("focal", drag{"e-loss", "at", -80, 40}, "e-p"),
		ids("triplet", drag{"f-circle", "anchor", 60, 20}, "f-anchor"),
		ids("regions", drag{"j-asoftmax-sphere", "disc", -40, 30}, "j-yaw", "j-pitch"),
		ids("separation", drag{"l-margin", "arc-at", 90, 0}, "l-k"),
		{Chapter: "misclassified", IDs: []string{}, Values: []float64{}, Hover: &drag{Figure: "d-output", DX: 200, DY: 220}}, // ŷ = 0.5
	}
	out := visit(t, path, 500, plan)
	if out.Width > out.View {
		t.Errorf("the page is %d wide in a window of %d", out.Width, out.View)
	}
	if tip := out.Shown[5].Tip; tip != "at  0.5; cross-entropy  2; MSE  1" {
		t.Errorf("where ŷ = 0.5 the pointer is told %q", tip)
	}
	directions := [][]float64{{-1, 1}, {-1}, {-1}, {-1, 1}, {1}, nil}
	for i, p := range plan {
		for k, id := range p.IDs {
			if d := (out.Shown[i].Values[k] - p.Values[k]) * directions[i][k]; !(d > 0) {
				t.Errorf("%s: %s went from %v to %v", p.Chapter, id, p.Values[k], out.Shown[i].Values[k])
			}
		}
	}
	// The outlier is where it was dragged to: 380 units of the picture, less margins, are 10 of x.
	x, y := out.Shown[0].Values[0], out.Shown[0].Values[1]
	if wx, wy := plan[0].Values[0]-100*10/332.0, plan[0].Values[1]+150*10/280.0; math.Abs(x-wx) > 0.06 || math.Abs(y-wy) > 0.06 {
		t.Errorf("the outlier is at (%v, %v), want (%.2f, %.2f)", x, y, wx, wy)
	}
}
