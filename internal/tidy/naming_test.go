package tidy

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// quoted finds what a document says in code.
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// aPath is a word that looks like a path of this repository.
	aPath = regexp.MustCompile(`^(\./)?[a-z][a-z0-9_-]*(/[a-zA-Z0-9_.*-]+)+$|^\./[a-z-]+$`)
	aFile = regexp.MustCompile(`\b[a-z0-9_/]+\.go\b|\b[A-Z]+\.md\b`)
	aLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	// aName is a name of Go behind its package's.
	aName = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?(?:\(\))?$`)
	// alone is a name of Go without a package.
	alone = regexp.MustCompile(`^[A-Z]\w*[a-z]\w*$`)
	// aTest is the name of a test, with the word in front of it.
	aTest = regexp.MustCompile(`(?:([a-z][a-z/]*) )?\b((?:Test|Fuzz|Benchmark)[A-Z]\w*)`)
	// traces are the names of golden traces, and a row is one of a table.
	traces = regexp.MustCompile(`[|;] traces? ([a-z_]+(?:, [a-z_]+)*)`)
	aRow   = regexp.MustCompile(`(?m)^\|.*$`)
	aWord  = regexp.MustCompile(`[A-Za-z][\w./]*`)
)

// notPaths look like paths of the repository and are something else.
var notPaths = map[string]string{
	"./quorate-testnet": "a directory that a command makes",
	"bench/...":         "keys of a benchmark",
}

// names is what the source declares.
type names struct {
	packages map[string][]string        // paths, by path and by last element
	declared map[string]map[string]bool // by package path: top level, methods, fields
	files    map[string]bool            // base names
}

// TestDocuments: the files, packages, functions, types, tests and golden
// traces that the documents name are there.
func TestDocuments(t *testing.T) {
	known := collect(t)
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/adr/*.md", "doc.go", "*/doc.go", "*/*/doc.go"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, gone := range known.missing(file, string(text)) {
				t.Errorf("%s names %s, which is not there", strings.TrimPrefix(file, "../../"), gone)
			}
		}
	}
}

// TestMissing: a document that names what is not there is caught.
func TestMissing(t *testing.T) {
	known := collect(t)
	for _, c := range []struct{ text, gone string }{
		{"`pbft/normal.go`, `./storage`, `go test ./storage`, `sim/testdata/pbft/*.txt`, `/metrics`, `data/`", ""},
		{"`pbft/abnormal.go`", "pbft/abnormal.go"},
		{"`trial/play.go`", "trial/play.go"},
		{"`go test ./storages`", "./storages"},
		{"`sim/testdata/viewstamped/*.txt`", "sim/testdata/viewstamped/*.txt"},
		{"see abnormal.go", "abnormal.go"},
		{"see normal.go, pbft/slot.go, pbft/abnormal.go", "pbft/abnormal.go"},
		{"see NUMBERS.md §2, TESTING.md", "NUMBERS.md"},
		{"[there](adr/0000-nothing.md#part)", "adr/0000-nothing.md"},
		{"[there](TESTING.md#mutation-tests), [far](https://example.org/x)", ""},
		{"`viewchange.Select`, `consensus.Engine.Step`", ""},
		{"`viewchange.Elect`", "viewchange.Elect"},
		{"`consensus.Engine.Stop`", "consensus.Engine.Stop"},
		{"`trial.Spec`", "trial.Spec"},
		{"`Horizon`, `PREPARE`, `Unheard`", "Unheard"},
		{"pbft TestNormal", "TestNormal"},
		{"storage TestBackupVotesOnce", "storage TestBackupVotesOnce"},
		{"pbft TestBackupVotesOnce, and TestJoin", ""},
		{"; traces are kept\n| a trace and all | trace normal, gone; traces normal, abnormal |", "trace gone trace abnormal"},
		{"| what | where | how |\n|---|---|---|\n| x | somewhere | y |", ""},
		{"| rule | where | test |\n|---|---|---|\n| x | mayVote, mayNot; pbft (if it may) | TestJoin |", "mayNot"},
	} {
		if gone := strings.Join(known.missing("../../docs/X.md", c.text), " "); gone != c.gone {
			t.Errorf("%s: got %q, want %q", c.text, gone, c.gone)
		}
	}
	if gone := known.missing("../../pbft/doc.go", "normal.go, driver.go"); !slices.Equal(gone, []string{"driver.go"}) {
		t.Errorf("a file of another package: got %v", gone)
	}
}

// missing lists what a document names that is not there.
func (k *names) missing(file, text string) []string {
	var gone []string
	note := func(there bool, name string) {
		if !there {
			gone = append(gone, name)
		}
	}
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		for _, word := range strings.Fields(m[1]) {
			if aPath.MatchString(word) && notPaths[word] == "" {
				note(exists("../..", word), word)
			}
		}
		if n := aName.FindStringSubmatch(m[1]); n != nil && !strings.HasSuffix(m[1], ".go") {
			note(k.declares(n[1], n[2]) && (n[3] == "" || k.declares(n[1], n[3])), m[1])
		}
		note(!alone.MatchString(m[1]) || k.declares("", m[1]), m[1])
	}
	for _, name := range aFile.FindAllString(text, -1) {
		note(slices.Contains(gone, name) || k.fileExists(file, name), name)
	}
	for _, m := range aLink.FindAllStringSubmatch(text, -1) {
		note(exists(filepath.Dir(file), m[1]), m[1])
	}
	for _, m := range aTest.FindAllStringSubmatch(text, -1) {
		if k.packages[m[1]] != nil && k.declares("", m[2]) {
			note(k.declares(m[1], m[2]), m[0])
		} else {
			note(k.declares("", m[2]), m[2])
		}
	}
	rows := strings.Join(aRow.FindAllString(text, -1), "\n")
	for _, m := range traces.FindAllStringSubmatch(rows, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			note(exists("../..", "sim/testdata/*/"+name+".txt"), "trace "+name)
		}
	}
	return append(gone, k.missingPlaces(text)...)
}

// missingPlaces reads the tables of rules, which say where each is carried
// out.
func (k *names) missingPlaces(text string) []string {
	var gone []string
	inside := false
	remark := regexp.MustCompile(`\([^)]*\)`)
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			inside = false
			continue
		}
		if strings.TrimSpace(cells[1]) == "rule" && strings.TrimSpace(cells[2]) == "where" {
			inside = true
			continue
		}
		if !inside {
			continue
		}
		for _, word := range aWord.FindAllString(remark.ReplaceAllString(cells[2], ""), -1) {
			typeName, method, _ := strings.Cut(word, ".")
			there := k.packages[word] != nil || k.declares("", word) || k.declares(typeName, method) ||
				k.declares("", typeName) && k.declares("", method)
			if !there {
				gone = append(gone, word)
			}
		}
	}
	return gone
}

// declares reports whether a package, or any if it has no name, declares a name.
func (k *names) declares(pkg, name string) bool {
	if pkg == "" {
		for _, d := range k.declared {
			if d[name] {
				return true
			}
		}
	}
	return slices.ContainsFunc(k.packages[pkg], func(p string) bool { return k.declared[p][name] })
}

// fileExists reports whether a file is there that a document names outside of
// a link. A doc.go names files of its own package without a directory.
func (k *names) fileExists(document, name string) bool {
	switch {
	case path.Ext(name) == ".md":
		return exists("../../docs", name) || exists("../..", name)
	case strings.Contains(name, "/"):
		return exists("../..", name)
	case path.Base(document) == "doc.go":
		return exists(filepath.Dir(document), name)
	}
	return k.files[name]
}

// exists reports whether a path, or one of a pattern, is there.
func exists(dir, name string) bool {
	found, err := filepath.Glob(filepath.Join(dir, name))
	return err == nil && len(found) > 0
}

// collect reads what the module declares.
func collect(t *testing.T) *names {
	k := &names{packages: map[string][]string{}, declared: map[string]map[string]bool{}, files: map[string]bool{}}
	for _, p := range loadModule(t).Packages {
		declared := map[string]bool{}
		k.declared[p.Path] = declared
		k.packages[p.Path] = []string{p.Path}
		if last := path.Base(p.Path); last != p.Path {
			k.packages[last] = append(k.packages[last], p.Path)
		}
		for _, f := range p.Files {
			k.files[path.Base(f.Path)] = true
			ast.Inspect(f.ast, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					declared[n.Name.Name] = true
					return false
				case *ast.TypeSpec:
					declared[n.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range n.Names {
						declared[name.Name] = true
					}
				case *ast.Field:
					for _, name := range n.Names {
						declared[name.Name] = true
					}
				}
				return true
			})
		}
	}
	return k
}
