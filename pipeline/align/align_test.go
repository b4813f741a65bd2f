package align

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

func under(s Similarity, l Landmarks) Landmarks {
	for i, p := range l {
		l[i] = s.Apply(p)
	}
	return l
}

func TestFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		want := Similarity{rng.NormFloat64(), rng.NormFloat64(), 50 * rng.NormFloat64(), 50 * rng.NormFloat64()}
		from := Templates[0].Landmarks
		got, err := Fit(from, under(want, from))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []float64{got.A - want.A, got.B - want.B, got.X - want.X, got.Y - want.Y} {
			if math.Abs(d) > 1e-9 {
				t.Fatalf("%+v, want %+v", got, want)
			}
		}
	}
	// Of landmarks that no similarity brings there, the fit is the least squares: nothing near is better.
	from := Templates[1].Landmarks
	for i := range from {
		from[i].X += 9 * rng.NormFloat64()
		from[i].Y += 9 * rng.NormFloat64()
	}
	s, err := Fit(from, Templates[0].Landmarks)
	if err != nil {
		t.Fatal(err)
	}
	best := Templates[0].Residual(s, from)
	for _, d := range []Similarity{{A: 1e-3}, {B: 1e-3}, {X: 1e-2}, {Y: 1e-2}} {
		for _, sign := range []float64{-1, 1} {
			other := Similarity{s.A + sign*d.A, s.B + sign*d.B, s.X + sign*d.X, s.Y + sign*d.Y}
			if r := Templates[0].Residual(other, from); r <= best {
				t.Errorf("%+v fits with %v, %+v with %v", s, best, other, r)
			}
		}
	}
	inf := from
	inf[2].X = math.Inf(1)
	for _, bad := range []Landmarks{{}, {{3, 4}, {3, 4}, {3, 4}, {3, 4}, {3, 4}}, inf} {
		if _, err := Fit(bad, from); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

// Bells of brightness at the landmarks of a turned and scaled picture come to lie at the template's.
func TestCrop(t *testing.T) {
	for _, template := range Templates {
		for name, s := range map[string]Similarity{"larger": {1.7, 0.4, 60, 20}, "smaller": {0.55, -0.2, 30, 40}, "far larger": {4, 0, 10, 5}} {
			img := image.NewNRGBA(image.Rect(-7, 5, 593, 605)) // an origin that is not 0
			landmarks := under(s, template.Landmarks)
			for _, p := range landmarks {
				sigma := 1.2 * math.Max(0.8, s.Scale())
				for y := img.Rect.Min.Y; y < img.Rect.Max.Y; y++ {
					for x := img.Rect.Min.X; x < img.Rect.Max.X; x++ {
						d := math.Hypot(float64(x-img.Rect.Min.X)-p.X, float64(y-img.Rect.Min.Y)-p.Y) / sigma
						if v := uint8(255 * math.Exp(-d*d/2)); v > 0 {
							img.Set(x, y, color.NRGBA{v, v, v, 255})
						}
					}
				}
			}
			fit, err := Fit(landmarks, template.Landmarks)
			if err != nil {
				t.Fatal(err)
			}
			crop := template.Crop(img, fit)
			if crop.Rect.Dx() != template.Width || crop.Rect.Dy() != template.Height {
				t.Fatalf("%v", crop.Rect)
			}
			for i, want := range template.Landmarks {
				var sum, sx, sy float64
				for y := int(want.Y) - 6; y <= int(want.Y)+7; y++ {
					for x := int(want.X) - 6; x <= int(want.X)+7; x++ {
						v := float64(crop.NRGBAAt(x, y).R)
						sum, sx, sy = sum+v, sx+v*float64(x), sy+v*float64(y)
					}
				}
				if d := math.Hypot(sx/sum-want.X, sy/sum-want.Y); !(d < 0.1) { // what 8 bits leave of a bell
					t.Errorf("%s, %s: landmark %d is %.2f pixels off", template.Name, name, i, d)
				}
			}
			if c := crop.NRGBAAt(0, 0); c.A != 255 {
				t.Errorf("a corner is %v", c)
			}
		}
	}
}

// The nose of a face from the side comes before one eye or after the other, however the head is turned in the picture.
func TestProfile(t *testing.T) {
	for _, turn := range []Similarity{{1, 0, 0, 0}, {0.8, -0.6, 3, 4}, {0, 2, 0, 0}, {-1, 0, 0, 0}} {
		for nose, want := range map[float64]bool{30: true, 39: false, 56: false, 73: false, 80: true} {
			l := Templates[0].Landmarks
			l[2].X = nose
			l = under(turn, l)
			if got := l.Profile(); got != want {
				t.Errorf("%v, nose at %v: %v", turn, nose, got)
			}
		}
	}
}

func TestParse(t *testing.T) {
	const ten = "1 2 3 4 5 6 7 8 9 10.5"
	tabs, commas := strings.ReplaceAll(ten, " ", "\t"), strings.ReplaceAll(ten, " ", ",")
	for name, text := range map[string]string{
		"lfw":    "a/b c.jpg\t" + tabs + "\r\nd.jpg\t" + tabs + "\n",
		"casia":  "a/b c.jpg\t17\t" + tabs + "\n\nd.jpg\t3\t" + tabs,
		"csv":    "\ufeffpath,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5\na/b c.jpg, " + commas + "\nd.jpg," + commas,
		"header": "a/./b c.jpg," + commas + "\nd.jpg," + commas,
	} {
		list, err := Parse(strings.NewReader(text), "l.txt")
		if err != nil || len(list) != 2 || list[0].Path != "a/b c.jpg" || list[1].Path != "d.jpg" || list[1].Landmarks != (Landmarks{{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10.5}}) {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
	// A table with a header: columns in any order, quotes, and rows that are passed over.
	const header = "outcome,crop,path,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5,problem\n"
	list, err := Parse(strings.NewReader("\ufeff"+header+`aligned,c.jpg,"a/b, c.jpg",`+commas+",\r\nnone,,d.jpg"+strings.Repeat(",", 10)+",\nsmall,,e.jpg,"+commas+",\naligned,c.2.jpg,\"a/b, c.jpg\","+commas+",\n"), "l.csv")
	if err != nil || len(list) != 2 || list[0].Path != "a/b, c.jpg" || list[0].Crop != "c.jpg" || list[1].Crop != "c.2.jpg" || list[1].Line != 5 || list[1].Landmarks != (Landmarks{{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10.5}}) {
		t.Errorf("table: %+v, %v", list, err)
	}
	row := func(crop, path, numbers string) string {
		return header + "aligned," + crop + "," + path + "," + numbers + ",\n"
	}
	for text, want := range map[string]string{
		header:                                    "no landmarks",
		row("c.jpg", "", commas):                  "l.txt:2: the path is empty",
		row("../c.jpg", "a.jpg", commas):          `l.txt:2: "../c.jpg" leads out of`,
		row("c.jpg", "/a.jpg", commas):            `l.txt:2: "/a.jpg" leads out of`,
		row("c.jpg", "a.jpg", "inf"+commas[1:]):   `l.txt:2: "inf" is no coordinate`,
		row("c.jpg", "a.jpg", "2e6"+commas[1:]):   `l.txt:2: "2e6" is no coordinate`,
		row("c.jpg", "a.jpg", ","+commas[2:]+","): "l.txt: record on line 2: wrong number of fields",
		row("c.jpg", "a.jpg", ","+commas[2:]):     `l.txt:2: "" is no coordinate`,
		row("c.jpg", `"a.jpg`, commas):            "l.txt: ",
		row("c.jpg", "a.jpg", commas) + "aligned,./c.jpg,b.jpg," + commas + ",": "l.txt:3: the crop c.jpg stands on line 2 already",
		"a.jpg " + ten + strings.Repeat(" ", 1<<17):                             "l.txt:1: bufio.Scanner: token too long",
		" \t" + strings.ReplaceAll(ten, " ", "\t"):                              "l.txt:1: 10 fields",
		" ," + commas:                            "l.txt:1: the path is empty",
		"":                                       "l.txt: no landmarks; want lines of a path",
		"a.jpg 1 2 3":                            "l.txt:1: 4 fields; want a path and 10 numbers",
		"a.jpg " + ten + "\nb.jpg one" + ten[1:]: `l.txt:2: "one" is no coordinate`,
		"a.jpg NaN" + ten[1:]:                    `l.txt:1: "NaN" is no coordinate`,
		"a.jpg " + ten + "\na.jpg " + ten:        "l.txt:2: a.jpg stands on line 1 already",
		"../a.jpg " + ten:                        `l.txt:1: "../a.jpg" leads out of`,
		"/etc/a.jpg " + ten:                      "leads out of",
	} {
		if _, err := Parse(strings.NewReader(text), "l.txt"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.jpg 1 2 3 4 5 6 7 8 9 10\n")
	f.Add("path,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5\na.jpg,1,2,3,4,5,6,7,8,9,10\n")
	f.Add("path,crop,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5\n\"a, b.jpg\",a.jpg,1,2,3,4,5,6,7,8,9,10\nb.jpg,,,,,,,,,,,\n")
	f.Add("a.jpg NaN Inf -Inf 4 5 6 7 8 9 1e300\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse(strings.NewReader(text), "x")
		if err != nil {
			return
		}
		for _, e := range list {
			for _, p := range []string{e.Path, e.Crop} {
				if p != "" && !filepath.IsLocal(p) {
					t.Errorf("%q leads out", p)
				}
			}
			for _, p := range e.Landmarks {
				if !(math.Abs(p.X) <= 1e6 && math.Abs(p.Y) <= 1e6) {
					t.Errorf("%v", e.Landmarks)
				}
			}
			if s, err := Fit(e.Landmarks, Templates[0].Landmarks); err == nil && math.IsNaN(s.Scale()) {
				t.Error(fmt.Sprint(e, s))
			}
		}
	})
}
