package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/faceverify/fv/eval"
)

// liveRun feeds a page with the events of a run up to a number of validations, ten steps each.
func liveRun(t testing.TB, l *Live, validations int) {
	t.Helper()
	e := l.Events(Events{})
	e.Start(Start{Dir: "runs/<b>", Config: Default(), Identities: 9, Images: 99, Steps: 10 * validations})
	r := rand.New(rand.NewPCG(1, 1))
	for v := range validations {
		for step := 10*v + 1; step <= 10*v+10; step++ {
			e.Step(Progress{Step: step, Epoch: float64(step) / 5, Loss: 9 - float64(step)/100, LR: 0.1, TargetAngle: 1, ImagesPerSecond: 50, Remaining: time.Minute})
		}
		pairs := &eval.Pairs{Name: "drawn", Folds: 1}
		var scores []float64
		for i := range 40 {
			same := i%2 == 0
			pairs.Pairs = append(pairs.Pairs, eval.Pair{A: fmt.Sprintf("<i>%d</i>.jpg", i), B: "b.jpg", Same: same})
			score := 0.3 * r.Float64()
			if same {
				score += 0.01 * float64(v+1)
			}
			scores = append(scores, score)
		}
		pairs.CutFolds(2)
		result, err := eval.Evaluate(scores, pairs, eval.Options{Protocols: []string{eval.Plain}})
		if err != nil {
			t.Fatal(err)
		}
		e.Measured(Measured{Step: 10*v + 10, Result: result, Load: func(name string) (image.Image, error) {
			if name == "b.jpg" {
				return nil, os.ErrNotExist
			}
			return image.NewGray(image.Rect(0, 0, 9, 9)), nil
		}})
		e.Validated(Validation{Step: 10*v + 10, AUC: 0.5 + float64(v)/100}, true)
	}
	e.Warning("an image <script>alert(1)</script> cannot be read")
}

func livePage(t testing.TB, l *Live, keep bool) string {
	t.Helper()
	p, _ := l.Page(keep)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page shows what there is at any time, escapes what comes from files, and keeps no more than it says.
func TestLivePage(t *testing.T) {
	l := &Live{}
	if text := livePage(t, l, false); !strings.Contains(text, "Training") {
		t.Errorf("before the run the page is %.200s", text)
	}
	liveRun(t, l, 70)
	if text := livePage(t, l, false); !strings.Contains(text, "1m0s left") {
		t.Error("the page of a run that goes on does not say how long it takes")
	}
	l.End("ended")
	text := livePage(t, l, true)
	for _, want := range []string{"ended: 99 images of 9 people", "after step 700", "Two people at ", "One person at ", "data:image/jpeg;base64,", "Best AUC", `data-stops="step `, "cannot be read"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, bad := range []string{"<i>0", "alert(1)</script>", "runs/<b>", "http://www.w3.org/1999", " left<"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(text, `<div class="frame"`); n < 2 || n > liveFrames {
		t.Errorf("%d histograms are kept, want at most %d", n, liveFrames)
	}
	if n := strings.Count(livePage(t, l, false), `<div class="frame"`); n != 1 {
		t.Errorf("%d histograms are sent while the run goes on, want the last", n)
	}
	var s liveSeries
	for i := range 10 * livePoints {
		s.grow(float64(i), float64(i))
	}
	if n := len(s.x); n >= livePoints || n < livePoints/4 || s.x[n-1] != s.y[n-1] || s.x[n-1] < 9.9*livePoints {
		t.Errorf("%d points up to %v", n, s.x[n-1])
	}
}

// BenchmarkLivePage is what a reader costs a run: one rendering in a second at most, of 700 steps and 70 validations here.
func BenchmarkLivePage(b *testing.B) {
	l := &Live{}
	liveRun(b, l, 70)
	for b.Loop() {
		livePage(b, l, false)
	}
}

// In a browser the page follows the run without being loaded again, and the page that is kept moves through its histograms.
func TestLiveBrowser(t *testing.T) {
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("there is no chromium to show the page in")
	}
	dir := t.TempDir()
	dom := func(url string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
			"--user-data-dir="+filepath.Join(dir, "profile"), "--window-size=500,900", "--virtual-time-budget=4000", "--dump-dom", url)
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", browser, err)
		}
		return string(out)
	}
	l := &Live{}
	l.End("waiting")
	before := livePage(t, l, false)
	liveRun(t, l, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			fmt.Fprint(w, before)
		case r.URL.RawQuery == "after=":
			w.Header().Set("X-Version", "5")
			fmt.Fprint(w, livePage(t, l, false))
		case r.URL.RawQuery == "after=5":
			w.WriteHeader(http.StatusNoContent)
		default:
			http.NotFound(w, r)
			if r.URL.Path != "/favicon.ico" { // that is the browser's own
				t.Errorf("the page asks for %s", r.URL)
			}
		}
	}))
	text := dom(server.URL)
	server.Close()
	if !strings.Contains(before, "waiting") || !strings.Contains(text, "after step 20") || !strings.Contains(text, "data:image/jpeg") {
		t.Errorf("the browser shows %.300s", regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(text, ""))
	}

	page := strings.Replace(livePage(t, l, true), "</body>", `<script>
const slider = document.getElementById("frame");
slider.value = 0;
slider.dispatchEvent(new Event("input", { bubbles: true }));
const seen = document.createElement("pre");
seen.id = "seen";
seen.textContent = [...document.querySelectorAll("#frames .frame")].map(f => getComputedStyle(f).display).join(" ") + " " + slider.parentElement.querySelector("output").textContent +
  " " + (document.documentElement.scrollWidth <= document.documentElement.clientWidth);
document.body.append(seen);
</script></body>`, 1)
	file := filepath.Join(dir, LiveFile)
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := dom("file://" + file); !strings.Contains(text, `<pre id="seen">block none step 10 true</pre>`) {
		t.Errorf("moved to the first histogram, the browser shows %s", regexp.MustCompile(`<pre id="seen">.*</pre>`).FindString(text))
	}
}
