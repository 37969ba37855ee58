package bounds

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	linkedCell = regexp.MustCompile("\\[`([a-z0-9-]+)`\\]\\(#([a-z0-9-]+)\\)")
	listedCell = regexp.MustCompile("(?m)^\\| <a id=\"([a-z0-9-]+)\"></a>`([a-z0-9-]+)` \\| ([a-z ]+) \\| (–|[R0-9 ]+) \\|$")
)

// document reads what docs/BOUNDS.md claims: the ids that the text names, and of
// each how the document says that it ends, and whom it convicts.
func document(t *testing.T) (linked []string, ends, convicts map[string]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/BOUNDS.md")
	if err != nil {
		t.Fatal(err)
	}
	ends, convicts = map[string]string{}, map[string]string{}
	for _, m := range linkedCell.FindAllStringSubmatch(string(text), -1) {
		if m[1] != m[2] {
			t.Errorf("%s links to %s", m[1], m[2])
		}
		linked = append(linked, m[1])
	}
	for _, m := range listedCell.FindAllStringSubmatch(string(text), -1) {
		if _, twice := ends[m[1]]; twice || m[1] != m[2] {
			t.Errorf("%s is listed as %s, or twice", m[1], m[2])
		}
		ends[m[1]], convicts[m[1]] = m[3], strings.Trim(m[4], "–")
	}
	return linked, ends, convicts
}

// TestDocumentTellsWhatRunsShow: each claim of docs/BOUNDS.md names a cell that
// is there, and ends as the document says when it is run.
func TestDocumentTellsWhatRunsShow(t *testing.T) {
	linked, ends, convicts := document(t)
	if len(linked) < 30 {
		t.Fatalf("the document names %d cells", len(linked))
	}
	for _, id := range linked {
		if ends[id] == "" {
			t.Errorf("the text names %s, which the document does not list", id)
		}
	}
	results := runs(t)
	for id := range ends {
		at := slices.IndexFunc(results, func(r Result) bool { return r.ID() == id })
		if at < 0 || !slices.Contains(linked, id) {
			t.Errorf("%s is no cell, or the text does not speak of it", id)
			continue
		}
		r := &results[at]
		if named := replicas(r.Outcome.Verdict.Culprits); r.Word() != ends[id] || named != convicts[id] {
			t.Errorf("the document says that %s ends %q, convicting %q; it ends %q, convicting %q", id, ends[id], convicts[id], r.Word(), named)
		}
	}
}

var (
	claimedCell = regexp.MustCompile("`((?:raft|paxos|pbft)-n-[a-z0-9-]+)`")
	claimNumber = regexp.MustCompile(`(?m)^\| ([0-9]+) \|`)
)

// TestDocumentsNameCells: each cell that docs/CLAIMS.md and docs/BOUNDS.md point to
// exists, and each claim has a number of its own.
func TestDocumentsNameCells(t *testing.T) {
	cells, err := Cells(All)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range []string{"CLAIMS.md", "BOUNDS.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range claimedCell.FindAllStringSubmatch(string(text), -1) {
			if named++; !slices.ContainsFunc(cells, func(c Cell) bool { return c.ID() == m[1] }) {
				t.Errorf("%s names %s, which is no cell", name, m[1])
			}
		}
		if name != "CLAIMS.md" {
			continue
		}
		for i, m := range claimNumber.FindAllStringSubmatch(string(text), -1) {
			if m[1] != strconv.Itoa(i+1) {
				t.Errorf("claim %d has the number %s", i+1, m[1])
			}
		}
	}
	if named < 80 {
		t.Errorf("%d cells are named", named)
	}
}
