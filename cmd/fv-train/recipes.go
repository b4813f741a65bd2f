package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/recipe"
)

type recipesCmd struct {
	Name string `arg:"" optional:"" help:"Recipe to show. Default: list all."`
}

// recipeJSON is a recipe as --json prints it.
type recipeJSON struct {
	Name     string         `json:"name"`
	Title    string         `json:"title"`
	Paper    string         `json:"paper"`
	Command  string         `json:"command"`
	Expected string         `json:"expected"`
	Time     string         `json:"time"`
	Settings map[string]any `json:"settings"`
}

func (c *recipesCmd) Run(e *env) error {
	names := recipe.Names()
	if c.Name != "" {
		names = []string{c.Name}
	}
	var list []recipeJSON
	t := tabwriter.NewWriter(e.text(), 0, 0, 2, ' ', 0)
	for _, name := range names {
		r, err := recipe.Find(name)
		if err != nil {
			return cli.Usage(err)
		}
		if c.Name != "" {
			fmt.Fprint(t, r)
		} else {
			fmt.Fprintf(t, "%s\t%s\n", r.Name, r.Title)
		}
		settings := map[string]any{}
		for _, s := range r.Settings {
			settings[fmt.Sprint(s.Key)] = s.Value
		}
		list = append(list, recipeJSON{r.Name, r.Title, r.Paper, r.Command, r.Expected, r.Time, settings})
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e.json {
		return cli.WriteJSON(e.stdout, map[string]any{"recipes": list})
	}
	return nil
}
