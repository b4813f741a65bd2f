package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// schema is docs/json.md: sections of keys with their types.
type schema struct {
	sections map[string]map[string]string
	seen     map[string]bool // "section key"
}

func readSchema(t *testing.T) *schema {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := &schema{map[string]map[string]string{}, map[string]bool{}}
	section := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(name)
			s.sections[section] = map[string]string{}
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		keys := regexp.MustCompile("`[^`]+`").FindAllString(cells[1], -1)
		kinds := strings.Split(strings.TrimSpace(cells[2]), ", ") // one for all, or one each
		for i, k := range keys {
			s.sections[section][strings.Trim(k, "`")] = kinds[min(i, len(kinds)-1)]
		}
	}
	return s
}

// object checks an object against a section.
func (s *schema) object(t *testing.T, at, section string, v map[string]any) {
	for key, x := range v {
		kind, ok := s.sections[section][key]
		s.seen[section+" "+key] = true
		if !ok {
			t.Errorf("%s.%s is not in docs/json.md, section %s", at, key, section)
			continue
		}
		s.value(t, at+"."+key, kind, x)
	}
}

func (s *schema) value(t *testing.T, at, kind string, v any) {
	if list, ok := strings.CutPrefix(kind, "list of "); ok {
		items, ok := v.([]any)
		if !ok {
			t.Errorf("%s is %v, want a list", at, v)
		}
		for _, x := range items {
			s.value(t, at+"[]", list, x)
		}
		return
	}
	for _, k := range strings.Split(strings.Replace(kind, "true or false", "boolean", 1), " or ") {
		switch x := v.(type) {
		case nil:
			if k == "null" {
				return
			}
		case bool:
			if k == "boolean" {
				return
			}
		case string:
			if k == "text" {
				return
			}
		case float64:
			if k == "number" || k == "integer" && x == float64(int(x)) {
				return
			}
		case map[string]any:
			if k == "system" {
				for _, key := range []string{"name", "file"} {
					if _, ok := x[key].(string); !ok {
						t.Errorf("%s has no %s", at, key)
					}
					delete(x, key)
				}
				k = "verify"
			}
			if _, ok := s.sections[k]; ok {
				s.object(t, at, k, x)
				return
			}
		}
	}
	t.Errorf("%s is %v; docs/json.md says %s", at, v, kind)
}

// The tables of docs/json.md are the JSON of the commands: every key is documented with its type, and
// every key of the tables occurs.
func TestJSONDocumented(t *testing.T) {
	s, dir := readSchema(t), t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r := rand.New(rand.NewPCG(1, 1))
	matrix := func(from, to int, set string) string {
		text := "identity,name,e0,e1,e2,e3\n"
		for k := from; k < to; k++ {
			for i := range 2 {
				text += fmt.Sprintf("p%d,p%d/%s%d.jpg", k, k, set, i)
				for j := range 4 {
					text += fmt.Sprintf(",%v", float64((k*(j+3))%17)-8+r.NormFloat64())
				}
				text += "\n"
			}
		}
		return file(fmt.Sprint(set, from, ".csv"), text)
	}
	all := matrix(0, 200, "x")
	pairs, scores := "", "label,score,a,b\n"
	for k := range 40 {
		pairs += fmt.Sprintf("p%d/x0,p%d/x1,1\np%d/x0,p%d/x1,0\n", k, k, k, k+1)
		scores += fmt.Sprintf("1,%v,p%d/x0,p%d/x1\n0,%v,p%d/x0,p%d/x1\n", r.Float64(), k, k, r.Float64()-0.4, k, k+1)
	}
	for k := range 190 { // enough impostor pairs for a TAR at FAR 0.001 on each fold
		for i := range 60 {
			pairs += fmt.Sprintf("p%d/x0,p%d/x1,0\n", k, (k+1+3*i)%200)
		}
	}
	pairs += "absent/x,p1/x0,0\n"
	list, scored := file("pairs.csv", pairs), file("scores.csv", scores)
	attributes := file("people.csv", "identity,sex\np1,f\np2,m\n")
	faces, run0 := filepath.Join(dir, "faces"), filepath.Join(dir, "run")
	drawFaces(t, faces)
	saveModel(t, run0, nil)
	facePairs := file("faces.csv", "ann/ann_0001,ann/ann_0002,1\nann/ann_0001,bob/bob_0001,0\n")
	curve := file("curve.txt", "0 0\n0.5 0.1\n1 1\n")
	face := func(name string) string { return filepath.Join(faces, name[:3], name+".jpg") }
	out := filepath.Join(dir, "out")
	for _, args := range [][]string{
		{"verify", "--embeddings", all, "--pairs", list, "--missing", "skip", "--protocol", "insightface,opensphere", "--bootstrap", "20", "--far", "0.1,1e-6", "--group", "sex", "--attributes", attributes, "--out", out},
		{"verify", "--scores", scored, "--out", out},
		{"allpairs", all, "--hardest", "2", "--far", "0.1,1e-9"},
		{"allpairs", all, all},
		{"compare", scored, filepath.Join(out, "scores.csv"), "--far", "0.1"},
		{"identify", "--gallery", matrix(0, 30, "g"), "--probes", matrix(0, 60, "q"), "--fpir", "0.1,1e-6", "--normalise", "s", "--cohort", matrix(100, 110, "c")},
		{"blufr", all, "--train", "20", "--gallery", "50", "--trials", "2"},
		{"calibrate", scored, "--threshold-for", "eer"},
		{"curves", curve},
		{"contract", run0, "--images", faces, "--pairs", facePairs},
		{"embed", run0, faces, "--out", filepath.Join(dir, "e.csv")},
		{"same", run0, face("ann_0001"), face("bob_0001")},
		{"same", run0, face("ann_0001"), face("bob_0001"), "--threshold", "0.5"},
	} {
		var stdout, stderr bytes.Buffer
		if err := run(context.Background(), append(args, "--json"), nil, &stdout, &stderr); err != nil {
			t.Errorf("%v: %v", args, err)
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
			t.Errorf("%v: %v", args, err)
			continue
		}
		for _, key := range []string{"version", "command"} {
			if _, ok := v[key].(string); ok == (args[0] == "embed" || args[0] == "same") {
				t.Errorf("%s: %s is %v", args[0], key, v[key])
			}
			delete(v, key)
		}
		s.object(t, args[0], args[0], v)
	}
	for section, keys := range s.sections {
		for key := range keys {
			if !s.seen[section+" "+key] {
				t.Errorf("docs/json.md: `%s` of %s does not occur", key, section)
			}
		}
	}
}
