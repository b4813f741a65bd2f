package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

// yamlBombs are configurations that grow when they are read, with what is said of each.
func yamlBombs() map[string]string {
	laughs := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'm'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	return map[string]string{
		laughs:                                      "c.yaml:1: ",
		"milestones: &m [1, *m]\n":                  "c.yaml:1: ",
		"batch: &b 8\nepochs: *b\n":                 "c.yaml:1: ",
		"x: &x {batch: 8}\n<<: *x\n":                "c.yaml:1: ",
		"batch: !!binary aGVsbG8=\n":                "c.yaml:1: ",
		"milestones: " + strings.Repeat("[", 1<<16): "c.yaml:1: lists or mappings in each other, more than 32 deep",
		strings.Repeat("- ", 1<<16):                 "c.yaml:1: lists or mappings in each other, more than 32 deep",
		strings.Repeat("a: ", 1<<16):                "c.yaml:1: lists or mappings in each other, more than 32 deep",
		strings.Repeat("# a comment\n", 1<<17):      "c.yaml: 1572864 bytes; a configuration has at most 1048576",
	}
}

// Whatever a configuration holds is refused quickly, with file and line.
func TestHostileConfig(t *testing.T) {
	for text, want := range yamlBombs() {
		c := Default()
		err := c.DecodeConfig("c.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: %.200v, want %q", text, err, want)
		}
	}
}

func FuzzDecodeConfig(f *testing.F) {
	c := Default()
	f.Add(c.encode())
	for text := range yamlBombs() {
		if len(text) < 1<<12 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := Default()
		if err := c.DecodeConfig("c.yaml", text); err == nil {
			d := Default()
			if err := d.DecodeConfig("c.yaml", c.encode()); err != nil {
				t.Fatalf("%q was read; what is written of it is not: %v", text, err)
			}
		}
	})
}
