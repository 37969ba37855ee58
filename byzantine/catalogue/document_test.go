package catalogue

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The document lists every behaviour with its row and its outcomes, no other,
// and tests that exist: for systems that tolerate liars, and for each protocol that
// tolerates none, in a section of its own.
func TestDocument(t *testing.T) {
	rows, crash := readRows(t)
	tests := testsHere(t)
	for _, p := range All() {
		if p.For("pbft") {
			compareRow(t, p.Name, rows, fmt.Sprintf("| %s | `%s` | %s | %s | %s", p.Group, p.Name, p.Sentence, p.AtF, p.AtF1), tests)
		}
		for _, of := range trusting() {
			if !p.For(of.Name) {
				continue
			}
			what := p.Sentence
			if p.Protocols == nil {
				what = crashWords(crash[of.Title][p.Name]) // what it shows there is not in the catalogue
			}
			compareRow(t, p.Name, crash[of.Title], fmt.Sprintf("| %s | `%s` | %s | %s", p.Group, p.Name, what, p.OneOf(of)), tests)
		}
	}
	crash["3f+1"] = rows
	for section, left := range crash {
		for name := range left {
			t.Errorf("docs/ADVERSARIES.md has a row for %s (%s), which the catalogue has not", name, section)
		}
	}
}

// readRows reads the document's rows, by name; of the protocols that tolerate no
// liar, by their titles first, with which their sections begin.
func readRows(t *testing.T) (rows map[string][]string, crash map[string]map[string][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/ADVERSARIES.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, crash = map[string][]string{}, map[string]map[string][]string{}
	for _, of := range trusting() {
		crash[of.Title] = map[string][]string{}
	}
	section := rows
	for _, line := range strings.Split(string(text), "\n") {
		if heading, is := strings.CutPrefix(line, "## "); is {
			title, _, _ := strings.Cut(heading, ":")
			if section = crash[title]; section == nil {
				section = rows
			}
		}
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && len(cells) >= 5 && strings.HasPrefix(cells[1], "`") {
			section[strings.Trim(cells[1], "`")] = cells
		}
	}
	return rows, crash
}

func crashWords(cells []string) string {
	if len(cells) < 3 || cells[2] == "" {
		return "what one does to 2f+1"
	}
	return cells[2]
}

// compareRow holds one row of a table, and the tests that it names, against the
// catalogue, and takes it off the list.
func compareRow(t *testing.T, name string, rows map[string][]string, want string, tests map[string]bool) {
	t.Helper()
	cells := rows[name]
	delete(rows, name)
	if cells == nil {
		t.Errorf("docs/ADVERSARIES.md has no row for %s: want\n%s", name, want)
		return
	}
	last := len(cells) - 1
	if got := strings.Join(cells[:last], " | "); got != want {
		t.Errorf("docs/ADVERSARIES.md has\n%s\nand the catalogue\n%s", got, want)
	}
	for _, test := range strings.Split(strings.TrimSuffix(cells[last], " |"), ", ") {
		if !tests[test] {
			t.Errorf("docs/ADVERSARIES.md: %s: there is no %s", name, test)
		}
	}
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsHere lists the tests of behaviours, and of the packages that run whole
// systems of traitors.
func testsHere(t *testing.T) map[string]bool {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../*_test.go", "../*/*_test.go", "../../experiment/*/*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	tests := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
	}
	return tests
}
