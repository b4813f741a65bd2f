package pipeline

import (
	"bytes"
	"encoding"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/faceverify/fv/internal/yamlfile"
)

// Field is one setting of a Config as text.
type Field struct {
	Name  string
	Value string // "" where there is none
	Help  string
	Group string
	Free  bool // may differ when a run is resumed
}

// Fields returns all settings in the order of the struct.
func (c *Config) Fields() []Field {
	v := reflect.ValueOf(c).Elem()
	fields := make([]Field, v.NumField())
	for i := range fields {
		tag := v.Type().Field(i).Tag
		help, _, _ := strings.Cut(tag.Get("help"), " Default: ")
		fields[i] = Field{tag.Get("name"), fieldText(v.Field(i)), help, tag.Get("group"), tag.Get("keep") == "free"}
	}
	return fields
}

// Set sets a field from its text, as Fields returns it; "" leaves it as it is.
func (c *Config) Set(name, text string) error {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("name") == name {
			if text == "" {
				return nil
			}
			if err := setField(v.Field(i), text); err != nil {
				return settingError(name, "%w", err)
			}
			return nil
		}
	}
	return fmt.Errorf("no setting is called %q", name)
}

// Default returns the settings of a run for which nothing is said.
func Default() Config {
	var c Config
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if err := c.Set(tag.Get("name"), tag.Get("default")); err != nil {
			panic(err)
		}
	}
	return c
}

func fieldText(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return ""
	}
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		text, _ := x.MarshalText() // those of this package do not fail
		return string(text)
	case []float64:
		parts := make([]string, len(x))
		for i, f := range x {
			parts[i] = strconv.FormatFloat(f, 'g', -1, 64)
		}
		return strings.Join(parts, ",")
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return fmt.Sprint(v.Interface())
}

func setField(v reflect.Value, text string) (err error) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := setField(p.Elem(), text); err != nil {
			return err
		}
		v.Set(p)
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), 0, 0)
		for part := range strings.SplitSeq(text, ",") {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := setField(e, strings.TrimSpace(part)); err != nil {
				return err
			}
			s = reflect.Append(s, e)
		}
		v.Set(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(n)
	case reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number of at least 0", text)
		}
		v.SetUint(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	default:
		panic("pipeline: Config has a field of type " + v.Type().String())
	}
	return nil
}

// encode returns the settings as a YAML file in groups. What the head is like is null where there is none, so
// that the file can be given as --config.
func (c *Config) encode() []byte {
	var b bytes.Buffer
	group := ""
	for _, f := range c.Fields() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n# %s\n", group)
		}
		value := "null"
		if idle := !c.HasHead() && slices.Contains(HeadSettings, f.Name); f.Value != "" && !idle {
			text, err := yaml.Marshal(f.Value)
			if err != nil {
				panic(err) // a string always has a YAML form
			}
			value = strings.TrimSpace(string(text))
			// Numbers and truth values need no quotes: they are read as text again.
			if _, err := strconv.ParseFloat(f.Value, 64); err == nil || f.Value == "true" || f.Value == "false" {
				value = f.Value
			}
		}
		fmt.Fprintf(&b, "%s: %s\n", f.Name, value)
	}
	return bytes.TrimLeft(b.Bytes(), "\n")
}

// ReadConfig reads a YAML file over the settings of c. An unknown key or a value of the
// wrong kind is an error that names file and line.
func (c *Config) ReadConfig(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return c.DecodeConfig(path, text)
}

// DecodeConfig is ReadConfig of text; name is used in errors.
func (c *Config) DecodeConfig(name string, text []byte) error {
	entries, err := yamlfile.Parse(name, "setting", text)
	if err != nil {
		return err
	}
	for _, e := range entries {
		value, err := scalarText(e.Value)
		if err == nil {
			err = c.Set(e.Key, value)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, e.Line, err)
		}
	}
	return nil
}

// scalarText returns a plain value, or a list of them with commas, as text.
func scalarText(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.NullNode:
		return "", nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, nil
	case *ast.SequenceNode:
		parts := make([]string, len(n.Values))
		for i, v := range n.Values {
			var err error
			if parts[i], err = scalarText(v); err != nil {
				return "", err
			}
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("%s: want a plain value or a list of them", n.GetPath())
}
