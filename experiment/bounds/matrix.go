package bounds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/table"
)

// matrix is the table of one section: scenarios by protocols and sizes.
type matrix struct {
	Section string
	Columns []string
	Rows    []scenarioRow
}

// scenarioRow is one scenario.
type scenarioRow struct {
	Name  string
	Cells map[string]*Result // by column; none where there is no such run
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
	column := r.Column()
	if !slices.Contains(m.Columns, column) {
		m.Columns = append(m.Columns, column)
	}
	row := slices.IndexFunc(m.Rows, func(x scenarioRow) bool { return x.Name == r.Row })
	if row < 0 {
		row, m.Rows = len(m.Rows), append(m.Rows, scenarioRow{Name: r.Row, Cells: map[string]*Result{}})
	}
	m.Rows[row].Cells[column] = r
}

// theory is what it says of a row's cells: once, if it says the same of all, or
// else of each protocol.
func (m *matrix) theory(x *scenarioRow) string {
	var names, all []string
	words := map[string][]string{}
	for _, column := range m.Columns {
		c := x.Cells[column]
		if c == nil {
			continue
		}
		name, word := c.Spec.UnderTest().Title, strings.Join(c.Theory, " or ")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if !slices.Contains(words[name], word) {
			words[name], all = append(words[name], word), append(all, word)
		}
	}
	slices.Sort(all)
	switch all = slices.Compact(all); {
	case len(all) == 1:
		return all[0]
	case len(names) == 1:
		return strings.Join(words[names[0]], "; ")
	}
	for i, name := range names {
		names[i] = name + ": " + strings.Join(words[name], "; ")
	}
	return strings.Join(names, " · ")
}

// WriteTable writes the matrices for a terminal of so many columns; 0 = any width.
// What disagrees has a cross, and its complaint below the table.
func WriteTable(w io.Writer, results []Result, columns int) error {
	var b bytes.Buffer
	for i, m := range matrices(results) {
		if i > 0 {
			b.WriteByte('\n')
		}
		var t table.Table
		t.Row(slices.Concat([]string{m.Section}, m.Columns, []string{"theory"})...)
		for _, r := range m.Rows {
			cells := []string{"  " + r.Name}
			for _, column := range m.Columns {
				cells = append(cells, r.Cells[column].text())
			}
			t.Row(append(cells, m.theory(&r))...)
		}
		if columns > 0 && t.Width() > columns {
			b.WriteString(strings.Join(table.Wrap(m.Section, columns), "\n") + "\n")
			t.Rows[0][0] = ""
		}
		if err := t.Write(&b, columns); err != nil {
			return err
		}
	}
	fmt.Fprint(&b, "\n✓ ended as theory says, ✗ did not\n")
	for i := range results {
		if r := &results[i]; r.complaint() != "" {
			complaint := fmt.Sprintf("✗ %s, %s: %s", r.Column(), r.Row, r.complaint())
			fmt.Fprintf(&b, "\n%s\n", strings.Join(table.Wrap(complaint, columns), "\n"))
		}
	}
	_, err := b.WriteTo(w)
	return err
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
	if brief := r.brief(); brief != "" {
		text += ": " + brief
	}
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
	ID           string                `json:"id"`
	Section      string                `json:"section"`
	Scenario     string                `json:"scenario"`
	Protocol     string                `json:"protocol"`
	Replicas     int                   `json:"replicas"`
	Quorum       int                   `json:"quorum"`
	Faults       int                   `json:"faults"`
	Outcome      string                `json:"outcome"`
	Theory       []string              `json:"theory"`
	Agrees       bool                  `json:"agrees"`
	Complaint    string                `json:"complaint,omitempty"`
	Why          string                `json:"why"`
	Claims       []string              `json:"claims,omitempty"`
	Source       string                `json:"source"`
	Culprits     []consensus.ReplicaID `json:"culprits"`
	Linearizable string                `json:"linearizable"`
	ForkAt       uint64                `json:"fork_at,omitempty"`
	Violations   []string              `json:"violations"`
	Asked        int                   `json:"asked"`
	Answered     int                   `json:"answered"`
	View         uint64                `json:"view"`
	Nanoseconds  int64                 `json:"elapsed_ns"`
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
	return record{
		ID: r.ID(), Section: r.Section, Scenario: r.Row, Protocol: r.Spec.Protocol, Replicas: r.Spec.Replicas,
		Quorum: s.Quorum(), Faults: s.Faults(), Outcome: r.Word(), Theory: r.Theory, Agrees: r.Agrees(), Complaint: r.complaint(),
		Why: r.Why, Claims: r.claims(), Source: r.Source, Culprits: append([]consensus.ReplicaID{}, o.Verdict.Culprits...), Linearizable: string(o.Verdict.Linearizable), ForkAt: uint64(o.Verdict.ForkAt),
		Violations: o.Violations(), Asked: o.Asked, Answered: o.Answered, View: uint64(o.Views), Nanoseconds: int64(o.Elapsed),
	}
}
