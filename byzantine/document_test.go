package byzantine

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The document lists every behaviour with its row and its outcomes, no other,
// and tests that exist.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/ADVERSARIES.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && len(cells) == 6 && strings.HasPrefix(cells[1], "`") {
			rows[strings.Trim(cells[1], "`")] = cells
		}
	}
	tests := testsHere(t)
	for _, p := range Catalogue() {
		cells := rows[p.Name]
		delete(rows, p.Name)
		if cells == nil {
			t.Errorf("docs/ADVERSARIES.md has no row for %s", p.Name)
			continue
		}
		want := fmt.Sprintf("| %s | `%s` | %s | %s | %s", p.Group, p.Name, p.Sentence, p.AtF, p.AtF1)
		if got := strings.Join(cells[:5], " | "); got != want {
			t.Errorf("docs/ADVERSARIES.md has\n%s\nand the catalogue\n%s", got, want)
		}
		for _, name := range strings.Split(strings.TrimSuffix(cells[5], " |"), ", ") {
			if !tests[name] {
				t.Errorf("docs/ADVERSARIES.md: %s: there is no %s", p.Name, name)
			}
		}
	}
	for name := range rows {
		t.Errorf("docs/ADVERSARIES.md has a row for %s, which the catalogue has not", name)
	}
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

func testsHere(t *testing.T) map[string]bool {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
	}
	return tests
}
