// Package recipe holds the named training recipes: YAML files of settings, each of which
// says what it reproduces, the command, the figure to expect and the time it takes, so that a
// reader can tell when it broke.
package recipe

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed *.yaml
var files embed.FS

// Recipe is a named set of settings.
type Recipe struct {
	Name     string `yaml:"-"`
	Title    string `yaml:"title"`
	Paper    string `yaml:"paper"`    // what it follows
	Command  string `yaml:"command"`  // that runs it
	Expected string `yaml:"expected"` // metric and value, and whether it was measured here or is quoted
	Time     string `yaml:"time"`     // how long it takes, and on what
	// Settings are those of pipeline.Config that are not the defaults, by their names.
	Settings yaml.MapSlice `yaml:"settings"`
}

// Names returns the names of all recipes, sorted.
func Names() []string {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ".yaml")
	}
	return names
}

// Find returns the recipe of the given name, or an error that lists the names.
func Find(name string) (*Recipe, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no recipe %q; there are %s", name, strings.Join(Names(), ", "))
	}
	r := &Recipe{Name: name}
	if err := yaml.UnmarshalWithOptions(text, r, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("recipe %s: %w", name, err)
	}
	return r, nil
}

// YAML returns the settings as the text of a configuration file.
func (r *Recipe) YAML() ([]byte, error) { return yaml.Marshal(r.Settings) }

// About returns title, paper, command, expected figure and time as lines of text for a terminal.
func (r *Recipe) About() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Name, r.Title)
	for _, f := range [][2]string{{"follows", r.Paper}, {"command", r.Command}, {"expected", r.Expected}, {"time", r.Time}} {
		fmt.Fprintf(&b, "  %-9s %s\n", f[0], strings.ReplaceAll(strings.TrimSpace(f[1]), "\n", "\n            "))
	}
	return b.String()
}

// String returns About, and a line of the settings.
func (r *Recipe) String() string {
	var b strings.Builder
	b.WriteString(r.About() + "  settings ")
	for _, s := range r.Settings {
		fmt.Fprintf(&b, " %v=%v", s.Key, s.Value)
	}
	return b.String() + "\n"
}
