package dataset

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParsePeople(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Person
	}{
		"names":            {"Ann B\nbob\n", []Person{{"Ann B", 1}, {"bob", 2}}},
		"Windows":          {"\ufeffAnn B \r\n\r\n bob\t\r\n", []Person{{"Ann B", 1}, {"bob", 3}}},
		"again":            {"bob\nann\nbob", []Person{{"bob", 1}, {"ann", 2}}},
		"names of numbers": {"1\n2\n3\n", []Person{{"1", 1}, {"2", 2}, {"3", 3}}},
		"one number":       {"7", []Person{{"7", 1}}},
		"names like":       {"person 1\nperson 2\n", []Person{{"person 1", 1}, {"person 2", 2}}},
		"counts":           {"Ann B\t3\nbob\t1\n", []Person{{"Ann B", 1}, {"bob", 2}}},
		"View 1":           {"2\nAnn B\t3\nbob 1\n", []Person{{"Ann B", 2}, {"bob", 3}}},
		"View 2":           {"2\n1\nann\t3\n2\nbob\t1\ncat 0\n", []Person{{"ann", 3}, {"bob", 5}, {"cat", 6}}},
		"one of a kind":    {"1\n1\nann\t3\n", []Person{{"ann", 3}}},
		"number and count": {"1\n12\t3\n", []Person{{"12", 2}}},
	} {
		got, err := ParsePeople(strings.NewReader(c.text), "p.txt")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

func TestParsePeopleMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "p.txt: empty",
		" \n\n":                            "p.txt: empty",
		"ann\xff\n":                        "p.txt:1: not UTF-8",
		"ann\nb\x00b\n":                    "p.txt:2: not UTF-8",
		"a\n" + strings.Repeat("b", 1<<17): "p.txt:2: longer than 64 KiB",
		"3\nann 1\nbob 2\n":                "p.txt:1: the header announces 3 people; only 2 lines follow",
		"1\nann 1\n\nbob 2\n":              `p.txt:4: "bob 2" follows the last`,
		"2\nann 1\nbob\n":                  `p.txt:3: "bob" has no count`,
		"2\nann 1\nbob many\n":             `p.txt:3: "bob many": the count "many" is no whole number`,
		"2\nann 1\nbob -1\n":               `p.txt:3: "bob -1": the count "-1"`,
		"ann\t1\nbob\n":                    `p.txt:2: "bob" has no count`,
		"2\n1\nann 1\n":                    "p.txt:1: the header announces 2 folds; the file has 1",
		"2\n1\nann 1\nbob 1\n":             `p.txt:4: "bob 1" where the number of people of fold 2 is wanted`,
		"0\n1\nann 1\n":                    `p.txt:1: header "0": want the number of folds`,
		"-1\nann 1\n":                      `p.txt:1: "-1" where the number of people of fold 1`,
		"99999999999\n1\nann 1\n":          "p.txt:1: the header announces 99999999999 folds",
	} {
		_, err := ParsePeople(strings.NewReader(text), "p.txt")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: error is %v; want %q", text, err, want)
		}
	}
	dir := t.TempDir()
	if _, err := ReadPeople(dir); err == nil || !strings.Contains(err.Error(), "is a folder; want a file") {
		t.Errorf("folder: %v", err)
	}
	if _, err := ReadPeople(filepath.Join(dir, "none")); err == nil {
		t.Error("no error where there is no file")
	}
}

// Up to half of the names may lack a folder.
func TestPeopleWithoutFolder(t *testing.T) {
	root := tree(t, "ann/1.jpg", "bob/1.jpg")
	people := filepath.Join(t.TempDir(), "p.txt")
	write(t, people, []byte("bob\nann\ncat\ndan\n"))
	s, err := Open(root, Options{People: people})
	if err != nil {
		t.Fatal(err)
	}
	want := people + ":3: " + root + ` has no folder "cat"; the same holds of 2 of the file's 4 names`
	if !slices.Equal(s.Identities, []string{"ann", "bob"}) || !slices.Equal(s.Warnings, []string{want}) {
		t.Errorf("%q, %q; want %q", s.Identities, s.Warnings, want)
	}
	write(t, people, []byte("ann\ncat\ndan\n"))
	_, err = Open(root, Options{People: people})
	want = people + ":2: " + root + ` has no folder "cat"; the same holds of 2 of the file's 3 names. Want a people file`
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %v; want %q", err, want)
	}
}

// Whatever the text, parsing ends with distinct names that are in it, or an error that names the file.
func FuzzParsePeople(f *testing.F) {
	for _, text := range []string{"ann\nbob", "2\nann\t1\nbob 2", "2\n1\nann\t3\n2\nbob\t1\ncat 0\n", "1\n2\n", "\ufeffann\t1\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		people, err := ParsePeople(strings.NewReader(text), "p.txt")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p.txt") {
				t.Fatal(err)
			}
			return
		}
		lines := strings.Split(text, "\n")
		seen := map[string]bool{}
		for _, x := range people {
			if x.Name == "" || seen[x.Name] || x.Line < 1 || x.Line > len(lines) || !strings.Contains(lines[x.Line-1], x.Name) {
				t.Fatalf("%+v of %+v", x, people)
			}
			seen[x.Name] = true
		}
		if len(people) == 0 {
			t.Fatal("nobody")
		}
	})
}
