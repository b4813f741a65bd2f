package pipeline

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/losses"
)

// Every head trains, its model says how it was trained, and a run that begins from that
// model has its weights, whatever their shape.
func TestHeads(t *testing.T) {
	data := drawFaces(t, 5)
	for _, name := range losses.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := train(t, tiny(t, data, "head="+name, "max-steps=3", "accumulate=2", "lr=0.001", "per-identity=2"), Events{})
			m, err := embed.Load(r.Model)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := losses.Describe(name)
			if err != nil {
				t.Fatal(err)
			}
			o, err := spec.Resolve(losses.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := embed.HeadInfo{Name: name, Settings: o.Params, MarginGradient: string(o.MarginGradient), FeatureNorm: string(o.FeatureNorm)}
			if len(want.Settings) == 0 {
				want.Settings, m.Head.Settings = nil, nil
			}
			if !reflect.DeepEqual(m.Head, want) {
				t.Errorf("head %+v, want %+v", m.Head, want)
			}
			h, err := losses.New(name, losses.Options{})
			if err != nil {
				t.Fatal(err)
			}
			shapes := losses.ParamShapes(h, r.Identities, m.Dim())
			for _, p := range shapes {
				if got := m.HeadParams[p.Name]; !slices.Equal(got.Shape, p.Shape) {
					t.Errorf("%s has shape %v, want %v", p.Name, got.Shape, p.Shape)
				}
			}

			if len(shapes) == 1 && len(shapes[0].Shape) == 2 {
				return // weights [C,D] are TestInit's
			}
			c := tiny(t, data, "head="+name, "max-steps=1", "lr=1e-9", "weight-decay=0", "init="+r.Model)
			again := train(t, c, Events{})
			next, err := embed.Load(again.Model)
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range m.HeadParams {
				for i, v := range next.HeadParams[name].Data {
					if d := v - p.Data[i]; d > 1e-6 || d < -1e-6 {
						t.Fatalf("%s[%d] is %v in a run from a model where it is %v", name, i, v, p.Data[i])
					}
				}
			}
		})
	}
}

// The help of the flag names every head.
func TestHeadHelp(t *testing.T) {
	c := Default()
	for _, f := range c.Fields() {
		if f.Name != "head" {
			continue
		}
		words := strings.FieldsFunc(f.Help, func(r rune) bool { return strings.ContainsRune(" ,;:.", r) })
		for _, name := range losses.Names() {
			if !slices.Contains(words, name) {
				t.Errorf("the help of --head does not name %s: %s", name, f.Help)
			}
		}
	}
}
