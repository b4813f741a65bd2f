// Package yamlfile reads the lines "key: value" of a YAML file.
package yamlfile

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// What a file of settings never has: the parser takes time that grows with the square of the depth, 13 s for 64 KiB of
// brackets.
const (
	maxBytes = 1 << 20
	maxDepth = 32 // of brackets; and of mappings and lists that begin on one line
)

// Entry is one line of the outermost mapping. Value may be an anchor or an alias; neither is followed.
type Entry struct {
	Key   string
	Line  int // from 1
	Value ast.Node
}

// Parse reads a file, whose name stands in errors; key says in them what the keys are, such as "flag".
func Parse(name, key string, text []byte) ([]Entry, error) {
	if err := check(name, string(text)); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: not YAML: %w", name, err)
	}
	var entries []Entry
	for _, doc := range file.Docs {
		var values []*ast.MappingValueNode
		switch n := doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
		case *ast.MappingNode:
			values = n.Values
		case *ast.MappingValueNode:
			values = []*ast.MappingValueNode{n}
		default:
			return nil, fmt.Errorf("%s:%d: want lines of the form \"%s: value\"", name, n.GetToken().Position.Line, key)
		}
		for _, v := range values {
			token := v.Key.GetToken()
			entries = append(entries, Entry{token.Value, token.Position.Line, v.Value})
		}
	}
	return entries, nil
}

func check(name, text string) error {
	if len(text) > maxBytes {
		return fmt.Errorf("%s: %d bytes; a configuration has at most %d", name, len(text), maxBytes)
	}
	depth, line := 0, 0
	for s := range strings.Lines(text) {
		line++
		if strings.HasPrefix(strings.TrimSpace(s), "#") {
			continue
		}
		for _, c := range s {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
		}
		if depth > maxDepth || strings.Count(s, "- ")+strings.Count(s, ": ")+strings.Count(s, "? ") > maxDepth {
			return fmt.Errorf("%s:%d: lists or mappings in each other, more than %d deep; want plain values", name, line, maxDepth)
		}
	}
	return nil
}
