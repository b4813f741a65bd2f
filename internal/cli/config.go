package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml/ast"

	"github.com/faceverify/fv/internal/yamlfile"
)

// Config is the flag that names a configuration file: a YAML mapping from flag names
// (without dashes in front) to values. A key that is no flag of any sub-command is an
// error that names the line and the nearest flag.
type Config string

// BeforeResolve implements kong's hook: it makes the file a source of values.
func (c Config) BeforeResolve(app *kong.Kong, ctx *kong.Context, trace *kong.Path, config *config) error {
	path := string(ctx.FlagValue(trace.Flag).(Config))
	if err := config.read(path, app.Model.Node); err != nil {
		return err
	}
	ctx.AddResolver(config)
	return nil
}

type config struct {
	path   string
	values map[string]configValue
}

type configValue struct {
	value any // string, bool or []any
	line  int
}

// Validate implements kong.Resolver; read has checked the keys.
func (c *config) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (c *config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if v, ok := c.values[flag.Name]; ok {
		return v.value, nil
	}
	return nil, nil
}

// blame names file and line in an error about a flag whose value came from the file.
func (c *config) blame(err error) error {
	flag, ok := strings.CutPrefix(err.Error(), "--")
	if !ok {
		return err
	}
	if end := strings.IndexAny(flag, "=: "); end >= 0 {
		flag = flag[:end]
	}
	if v, ok := c.values[flag]; ok {
		return fmt.Errorf("%s:%d: %w", c.path, v.line, err)
	}
	return err
}

// Blame names file and line in an error that begins with "--flag", if the flag's value came
// from the configuration file of the command line that Parse has parsed. Of errors that were joined it
// does so for each.
func Blame(parsed *kong.Context, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, Blame(parsed, e))
		}
		return errors.Join(errs...)
	}
	for _, p := range parsed.Path {
		if p.Resolved && err != nil && strings.HasPrefix(err.Error(), "--"+p.Flag.Name+":") {
			_, callErr := parsed.Call(func(c *config) { err = c.blame(err) })
			if callErr != nil {
				panic(callErr) // Parse has bound the config
			}
			break
		}
	}
	return err
}

func (c *config) read(path string, root *kong.Node) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	entries, err := yamlfile.Parse(path, "flag", text)
	if err != nil {
		return err
	}
	c.path, c.values = path, map[string]configValue{}
	known := flagNames(root, map[string]bool{})
	for _, e := range entries {
		if !known[e.Key] {
			err := fmt.Errorf("%s:%d: no flag is named %q", path, e.Line, e.Key)
			if near := Nearest(e.Key, known); near != "" {
				err = WithHint(err, "did you mean %q?", near)
			}
			return err
		}
		value, err := scalarOrList(e.Value)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", path, e.Line, e.Key, err)
		}
		if value != nil {
			c.values[e.Key] = configValue{value, e.Line}
		}
	}
	return nil
}

// scalarOrList returns a value as kong takes it: text, for kong to parse as it parses a
// flag; a bool; a list as text with commas; nil for nothing.
func scalarOrList(n ast.Node) (any, error) {
	switch n := n.(type) {
	case *ast.NullNode:
		return nil, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.SequenceNode:
		parts := make([]string, len(n.Values))
		for i, v := range n.Values {
			s, err := scalarOrList(v)
			if err != nil || s == nil {
				return nil, errors.New("want a list of plain values")
			}
			parts[i] = strings.ReplaceAll(fmt.Sprint(s), ",", `\,`)
		}
		return strings.Join(parts, ","), nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, nil
	case *ast.InfinityNode, *ast.NanNode:
		return nil, errors.New("not a finite number")
	}
	return nil, errors.New("want a plain value or a list of them")
}

// flagNames collects the names of the flags of a command and of all below it, but
// for those that only make sense on a command line.
func flagNames(n *kong.Node, names map[string]bool) map[string]bool {
	for _, f := range n.Flags {
		switch f.Name {
		case "help", "config", "version":
		default:
			names[f.Name] = true
		}
	}
	for _, c := range n.Children {
		flagNames(c, names)
	}
	return names
}

// Nearest returns the candidate with the smallest edit distance from name, "" when none
// is near (more than a third of the letters differ).
func Nearest(name string, candidates map[string]bool) string {
	best, at := "", len(name)/3+1
	for c := range candidates {
		d := editDistance(strings.ToLower(name), strings.ToLower(c))
		if d < at || d == at && best != "" && c < best {
			best, at = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's: insertions, deletions and substitutions of bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
