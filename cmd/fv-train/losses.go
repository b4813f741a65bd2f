package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/metric"
	"github.com/faceverify/fv/losses/plain"
	"github.com/faceverify/fv/losses/spec"
)

type lossesCmd struct {
	Name     string `arg:"" optional:"" help:"Loss to explain. Default: list all."`
	HTML     string `name:"html" placeholder:"FILE" help:"Write a page that shows the losses instead: one file with chapters, pictures and sliders."`
	Pictures string `placeholder:"DIR" help:"Write that page's pictures as SVG and PNG files."`
	Seed     uint64 `default:"1" help:"Seed of the small networks that the page trains."`
}

// lossJSON is a loss as --json prints it.
type lossJSON struct {
	Name           string             `json:"name"`
	Kind           string             `json:"kind"` // head, metric or plain
	Title          string             `json:"title"`
	Equation       string             `json:"equation"`
	Target         string             `json:"target,omitempty"` // logits of a head
	Other          string             `json:"other,omitempty"`
	Params         map[string]float64 `json:"params"` // defaults
	MarginGradient string             `json:"margin_gradient,omitempty"`
	FeatureNorm    string             `json:"feature_norm,omitempty"`
	Paper          string             `json:"paper"`
	Notes          string             `json:"notes,omitempty"`

	text  string // the whole description
	order []string
}

func (c *lossesCmd) Run(e *env) error {
	if c.HTML != "" || c.Pictures != "" {
		return c.lecture(e)
	}
	all := allLosses()
	if c.Name == "" {
		listLosses(e.text(), all)
	} else {
		name := strings.ToLower(c.Name)
		if head, err := losses.Describe(name); err == nil { // which knows other names
			name = head.Name
		}
		at := slices.IndexFunc(all, func(l lossJSON) bool { return l.Name == name })
		if at < 0 {
			return noLoss(c.Name, all)
		}
		all = all[at : at+1]
		fmt.Fprint(e.text(), all[0].text)
	}
	if e.json {
		return cli.WriteJSON(e.stdout, map[string]any{"losses": all})
	}
	return nil
}

func noLoss(name string, all []lossJSON) error {
	known := map[string]bool{}
	var names []string
	for _, l := range all {
		known[l.Name] = true
		names = append(names, l.Name)
	}
	err := cli.Usagef("there is no loss %q; there are %s", name, strings.Join(names, ", "))
	if near := cli.Nearest(name, known); near != "" {
		return cli.WithHint(err, "did you mean %s?", near)
	}
	return err
}

// allLosses returns heads, metric losses and plain losses, each by name.
func allLosses() []lossJSON {
	var all []lossJSON
	for _, name := range losses.Names() {
		s, err := losses.Describe(name)
		if err != nil {
			panic(err) // the registry's own name
		}
		o, err := s.Resolve(losses.Options{})
		if err != nil {
			panic(err) // defaults
		}
		l := lossJSON{
			Name: s.Name, Kind: "head", Title: s.Title, Equation: s.Loss, Target: s.Target, Other: s.Other, Params: o.Params,
			MarginGradient: string(o.MarginGradient), FeatureNorm: string(o.FeatureNorm), Paper: s.Paper, Notes: s.Notes,
			text: s.String() + "  train with     " + trainFlags(s, o) + "\n",
		}
		if l.Equation == "" {
			l.Equation = "softmax cross-entropy"
		}
		for _, p := range s.Params {
			if _, ok := o.Params[p.Name]; ok {
				l.order = append(l.order, p.Name)
			}
		}
		all = append(all, l)
	}
	for _, group := range []struct {
		kind string
		list []spec.Loss
	}{{"metric", metric.Specs()}, {"plain", plain.Specs()}} {
		for _, s := range group.list {
			l := lossJSON{
				Name: s.Name, Kind: group.kind, Title: s.Title, Equation: s.Equation, Params: map[string]float64{}, Paper: s.Paper, Notes: s.Notes,
				text: s.String() + "  in Go          losses/" + group.kind + "\n",
			}
			for _, p := range s.Params {
				l.Params[p.Name] = p.Default
				l.order = append(l.order, p.Name)
			}
			if group.kind == "metric" {
				l.text += "  train with     " + metricFlags(s) + "\n"
			}
			all = append(all, l)
		}
	}
	return all
}

// metricFlags returns the flags of fv-train that train with a metric loss.
func metricFlags(s spec.Loss) string {
	if s.Name == "center" {
		return "--loss head+center --loss-weight 0.003"
	}
	flags := "--loss " + s.Name + " --per-identity 4"
	if s.Name == "triplet" {
		flags += " --mining batch-hard"
	}
	return flags
}

// trainFlags returns the flags of fv-train that say what the head's defaults say.
func trainFlags(s losses.Spec, o losses.Options) string {
	flags := []string{"--head", s.Name}
	var rest []string
	for _, p := range s.Params {
		v, ok := o.Params[p.Name]
		switch number := strconv.FormatFloat(v, 'g', -1, 64); {
		case !ok:
		case p.Name == "scale" || p.Name == "margin":
			flags = append(flags, "--"+p.Name, number)
		default:
			rest = append(rest, p.Name+"="+number)
		}
	}
	if rest != nil {
		flags = append(flags, "--head-params", "'"+strings.Join(rest, ";")+"'")
	}
	if o.MarginGradient != "" {
		flags = append(flags, "--margin-gradient", string(o.MarginGradient))
	}
	if o.FeatureNorm != "" {
		flags = append(flags, "--feature-norm", string(o.FeatureNorm))
	}
	return strings.Join(flags, " ")
}

// listLosses writes equation, defaults and paper of each.
func listLosses(w io.Writer, all []lossJSON) {
	kind := ""
	for _, l := range all {
		if l.Kind != kind {
			if kind != "" {
				fmt.Fprintln(w)
			}
			kind = l.Kind
			fmt.Fprintln(w, map[string]string{
				"head":   "Heads, for --head: logits of the own class and of others, with a softmax cross-entropy unless said otherwise",
				"metric": "Metric losses, for --loss: of embeddings against each other; package losses/metric",
				"plain":  "Plain losses, of predictions against targets: package losses/plain",
			}[kind])
		}
		fmt.Fprintf(w, "  %-18s %s\n", l.Name, l.Title)
		line := func(text string) {
			if text != "" {
				fmt.Fprintf(w, "  %-18s %s\n", "", text)
			}
		}
		if l.Kind == "head" {
			line("own " + l.Target + "; other " + l.Other)
		}
		if l.Kind != "head" || l.Equation != "softmax cross-entropy" {
			line("loss " + l.Equation)
		}
		var defaults []string
		for _, name := range l.order {
			defaults = append(defaults, name+"="+strconv.FormatFloat(l.Params[name], 'g', 6, 64))
		}
		line(strings.Join(defaults, " "))
		line(l.Paper)
	}
}
