package bounds

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"quorate.dev/quorate/experiment/spec"
)

// matrix is the table of one section: scenarios by protocols and sizes.
type matrix struct {
	Section string
	Columns []string
	Rows    []scenarioRow
}

// scenarioRow is one scenario.
type scenarioRow struct {
	Name   string
	Theory string    // of each protocol, if they differ in it
	Cells  []*Result // by column; nil where there is no such run
}

// matrices arranges results in the order in which their sections, columns and
// rows first appear.
func matrices(results []Result) []matrix {
	var ms []matrix
	for i := range results {
		r := &results[i]
		at := slices.IndexFunc(ms, func(m matrix) bool { return m.Section == r.Section })
		if at < 0 {
			at, ms = len(ms), append(ms, matrix{Section: r.Section})
		}
		ms[at].put(r)
	}
	return ms
}

func (m *matrix) put(r *Result) {
	column := slices.Index(m.Columns, r.Column())
	if column < 0 {
		column, m.Columns = len(m.Columns), append(m.Columns, r.Column())
	}
	row := slices.IndexFunc(m.Rows, func(x scenarioRow) bool { return x.Name == r.Row })
	if row < 0 {
		row, m.Rows = len(m.Rows), append(m.Rows, scenarioRow{Name: r.Row})
	}
	x := &m.Rows[row]
	for i := range m.Rows {
		for len(m.Rows[i].Cells) < len(m.Columns) {
			m.Rows[i].Cells = append(m.Rows[i].Cells, nil)
		}
	}
	x.Cells[column] = r
	x.Theory = x.theory()
}

// theory is what it says of the row's cells: once, if it says the same of all.
func (x *scenarioRow) theory() string {
	var protocols []string
	words := map[string][]string{}
	var all []string
	for _, c := range x.Cells {
		if c == nil {
			continue
		}
		name, _, _ := strings.Cut(c.Column(), " ")
		if !slices.Contains(protocols, name) {
			protocols = append(protocols, name)
		}
		if word := strings.Join(c.Theory, " or "); !slices.Contains(words[name], word) {
			words[name] = append(words[name], word)
			all = append(all, word)
		}
	}
	slices.Sort(all)
	if len(slices.Compact(all)) == 1 {
		return all[0]
	}
	var parts []string
	for _, name := range protocols {
		part := strings.Join(words[name], "; ")
		if len(protocols) > 1 {
			part = name + ": " + part
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " · ")
}

// WriteTable writes the matrices for a terminal. What disagrees has a cross,
// and its complaint below the table.
func WriteTable(w io.Writer, results []Result) error {
	var b strings.Builder
	for i, m := range matrices(results) {
		if i > 0 {
			b.WriteString("\n")
		}
		m.write(&b)
	}
	for i := range results {
		if r := &results[i]; r.Err != nil {
			fmt.Fprintf(&b, "\n✗ %s, %s: %v\n", r.Column(), r.Row, r.Err)
		} else if r.Complaint != "" {
			fmt.Fprintf(&b, "\n✗ %s, %s: %s\n", r.Column(), r.Row, r.Complaint)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// write lays one matrix out in columns as wide as their widest entry.
func (m *matrix) write(b *strings.Builder) {
	lines := [][]string{append(append([]string{m.Section}, m.Columns...), "theory")}
	for _, r := range m.Rows {
		line := []string{"  " + r.Name}
		for _, c := range r.Cells {
			line = append(line, c.text())
		}
		lines = append(lines, append(line, r.Theory))
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		text := ""
		for i, cell := range line {
			text += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

// text is a cell of the terminal's table.
func (r *Result) text() string {
	if r == nil {
		return "-"
	}
	mark := "✓ "
	if !r.Agrees() {
		mark = "✗ "
	}
	text := mark + r.Word()
	if ids := r.Outcome.Verdict.Culprits; len(ids) > 0 {
		text += " (" + replicas(ids) + ")"
	} else if r.unprovable() {
		text += " (no proof)"
	}
	return text
}

// unprovable reports whether somebody lied so that the histories differ, and
// nobody can be convicted of it.
func (r *Result) unprovable() bool {
	return len(r.Spec.Traitors) > 0 && (r.forkedWithoutProof() || r.Err == nil && r.Word() == spec.Unsafe)
}

// forkedUnaided reports whether the histories differ although nobody lied.
func (r *Result) forkedUnaided() bool {
	return r.forkedWithoutProof() && len(r.Spec.Traitors) == 0
}

func (r *Result) forkedWithoutProof() bool {
	return r.Err == nil && r.Word() == spec.Forked && len(r.Outcome.Verdict.Culprits) == 0
}

// record is a result for programs.
type record struct {
	ID           string   `json:"id"`
	Section      string   `json:"section"`
	Scenario     string   `json:"scenario"`
	Protocol     string   `json:"protocol"`
	Replicas     int      `json:"replicas"`
	Quorum       int      `json:"quorum"`
	Faults       int      `json:"faults"`
	Outcome      string   `json:"outcome"`
	Theory       []string `json:"theory"`
	Agrees       bool     `json:"agrees"`
	Complaint    string   `json:"complaint,omitempty"`
	Why          string   `json:"why"`
	Source       string   `json:"source"`
	Culprits     []int    `json:"culprits"`
	Linearizable string   `json:"linearizable"`
	ForkAt       uint64   `json:"fork_at,omitempty"`
	Violations   []string `json:"violations"`
	Asked        int      `json:"asked"`
	Answered     int      `json:"answered"`
	View         uint64   `json:"view"`
	Nanoseconds  int64    `json:"elapsed_ns"`
}

// WriteJSON writes one array, one object for each cell.
func WriteJSON(w io.Writer, results []Result) error {
	all := []record{}
	for i := range results {
		all = append(all, results[i].record())
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(all)
}

func (r *Result) record() record {
	o, s := &r.Outcome, r.system()
	out := record{
		ID: r.ID(), Section: r.Section, Scenario: r.Row, Protocol: r.Spec.Protocol, Replicas: r.Spec.Replicas,
		Quorum: s.Quorum(), Faults: s.Faults(), Outcome: r.Word(), Theory: r.Theory, Agrees: r.Agrees(), Complaint: r.Complaint,
		Why: r.Why, Source: r.Source, Culprits: []int{}, Linearizable: string(o.Verdict.Linearizable), ForkAt: uint64(o.Verdict.ForkAt),
		Violations: []string{}, Asked: o.Asked, Answered: o.Answered, View: uint64(o.Views), Nanoseconds: int64(o.Elapsed),
	}
	if r.Err != nil {
		out.Complaint = r.Err.Error()
	}
	for _, id := range o.Verdict.Culprits {
		out.Culprits = append(out.Culprits, int(id))
	}
	for _, v := range o.Verdict.Violations {
		out.Violations = append(out.Violations, v.String())
	}
	return out
}
