package housetest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the prefix of the import paths of the house.
const module = "github.com/faceverify/fv/"

// leaves are packages that all others may import.
var leaves = []string{"internal/random", "internal/page", "internal/atomicfile", "internal/offheap", "internal/setting", "internal/table", "internal/parquetfile", "internal/yamlfile"}

// rules say which packages of the house, leaves aside, a package may import: dependencies
// point down only. A name that ends in / stands for all packages below; the first rule that
// matches holds.
var rules = []struct {
	pkg string
	may []string
}{
	{"cmd/", []string{"cmd/internal/", "pipeline", "pipeline/", "embed", "embed/", "losses", "losses/", "eval", "eval/", "internal/cli", "internal/kernel", "internal/nn", "internal/mpi", "internal/mpi/"}},
	{"scripts/emulate", []string{"internal/cpu", "scripts/emulate/job"}}, // it runs the kernels' tests where the processor has no such variant
	{"scripts/emulate/", []string{"scripts/emulate/"}},
	{"scripts/", []string{"pipeline", "pipeline/", "embed", "embed/", "losses", "losses/", "eval", "eval/", "internal/hosttest"}},
	{"pipeline", []string{"pipeline/", "embed", "embed/", "losses", "losses/", "eval", "internal/ops", "internal/nn", "internal/kernel", "internal/mpi", "internal/mpi/"}},
	{"pipeline/align/detect", []string{"pipeline/align", "embed/onnx", "internal/nn", "internal/kernel"}},
	{"pipeline/", []string{"pipeline/", "embed", "eval", "internal/kernel"}},
	{"embed", []string{"embed/", "internal/ops", "internal/nn", "internal/kernel"}},
	{"embed/", []string{"embed/", "internal/nn", "internal/kernel"}},
	{"losses", []string{"losses/", "internal/ops", "internal/kernel"}},
	{"losses/lecture", []string{"losses", "losses/", "internal/ops", "internal/kernel"}},
	{"losses/", []string{"losses/", "internal/ops", "internal/kernel"}},
	{"eval", nil},
	{"eval/", []string{"eval", "eval/", "internal/kernel"}},
	{"internal/ops", []string{"internal/nn", "internal/kernel"}},
	{"internal/nn", []string{"internal/kernel"}},
	{"internal/kernel", []string{"internal/cpu"}},
	{"internal/mpi/", []string{"internal/mpi", "internal/hosttest"}},
	{"internal/", nil},
}

// gorgonia lists who may import Gorgonia.
var gorgonia = []string{"pipeline", "pipeline/", "embed", "embed/", "losses", "losses/", "internal/ops"}

func matches(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return pkg == p || strings.HasSuffix(p, "/") && strings.HasPrefix(pkg, p)
	})
}

// eachImport calls f for every import of every Go file of the module that is no test.
func eachImport(t *testing.T, f func(file, pkg, imported string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		rel = filepath.ToSlash(rel)
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			f(rel, path.Dir(rel), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files looked at: is this the root of the module?", files)
	}
}

func TestDirectionOfImports(t *testing.T) {
	eachImport(t, func(file, pkg, imported string) {
		imported, ours := strings.CutPrefix(imported, module)
		if !ours || matches(imported, leaves) {
			return
		}
		for _, r := range rules {
			if !matches(pkg, []string{r.pkg}) {
				continue
			}
			if !matches(imported, r.may) {
				t.Errorf("%s imports %s; %s may import %v", file, imported, pkg, r.may)
			}
			return
		}
		t.Errorf("%s: no rule says what %s may import", file, pkg)
	})
}

func TestWhoImportsGorgonia(t *testing.T) {
	eachImport(t, func(file, pkg, imported string) {
		if (imported == "gorgonia.org/gorgonia" || strings.HasPrefix(imported, "gorgonia.org/gorgonia/")) && !matches(pkg, gorgonia) {
			t.Errorf("%s imports %s; only %v may", file, imported, gorgonia)
		}
	})
}

// Loading a library makes a program dynamic: one package may, behind a build tag.
func TestWhoLoadsLibraries(t *testing.T) {
	eachImport(t, func(file, pkg, imported string) {
		if imported == "github.com/ebitengine/purego" && pkg != "internal/mpi" {
			t.Errorf("%s imports %s; only internal/mpi may", file, imported)
		}
	})
}

// No cgo: the program is the same thing for everyone, without a C compiler.
func TestNoCgo(t *testing.T) {
	eachImport(t, func(file, _, imported string) {
		if imported == "C" {
			t.Errorf("%s uses cgo", file)
		}
	})
}
