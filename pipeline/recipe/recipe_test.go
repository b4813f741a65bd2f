package recipe

import (
	"slices"
	"strings"
	"testing"
)

func TestRecipes(t *testing.T) {
	names := Names()
	if !slices.Contains(names, "lfw-view1") {
		t.Fatalf("recipes %v lack lfw-view1", names)
	}
	for _, name := range names {
		r, err := Find(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Title == "" || r.Paper == "" || r.Expected == "" || r.Time == "" || len(r.Settings) == 0 {
			t.Errorf("%s: a recipe says title, paper, command, expected figure, time and settings; got %+v", name, r)
		}
		if !strings.Contains(r.Command, name) {
			t.Errorf("%s: the command %q does not name the recipe", name, r.Command)
		}
		text, err := r.YAML()
		if err != nil || !strings.Contains(string(text), ": ") {
			t.Errorf("%s: settings %q, error %v", name, text, err)
		}
	}
	if _, err := Find("lfw-view2"); err == nil || !strings.Contains(err.Error(), "lfw-view1") {
		t.Errorf("error %v of an unknown recipe: want one that lists the names", err)
	}
	if _, err := Find("../recipe"); err == nil {
		t.Error("a name that leaves the folder is taken")
	}
}
