package main

import (
	"fmt"

	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/pipeline/recipe"
)

type recipesCmd struct {
	Name string `arg:"" optional:"" help:"Recipe to show with its settings. Default: list all, each with paper, command, expected figure and time."`
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
	for i, name := range names {
		r, err := recipe.Find(name)
		if err != nil {
			return cli.Usage(err)
		}
		switch {
		case c.Name != "":
			fmt.Fprint(e.text(), r)
		case i > 0:
			fmt.Fprint(e.text(), "\n", r.About())
		default:
			fmt.Fprint(e.text(), r.About())
		}
		settings := map[string]any{}
		for _, s := range r.Settings {
			settings[fmt.Sprint(s.Key)] = s.Value
		}
		list = append(list, recipeJSON{r.Name, r.Title, r.Paper, r.Command, r.Expected, r.Time, settings})
	}
	if e.json {
		return cli.WriteJSON(e.stdout, map[string]any{"recipes": list})
	}
	return nil
}
