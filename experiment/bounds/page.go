package bounds

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/noun"
)

//go:embed page.html
var pageText string

var page = report.Page(pageText)

// The page's data.
type (
	pageData struct {
		Where           string
		Count, Disagree int
		Sections        []report.Table
		Pairs           []pagePair
	}
	// What the same scenario does to either protocol, with as many faults to stand,
	// is next to each other.
	pagePair struct {
		Scenario string
		Faults   int
		Cells    []*pageCell
	}
	pageCell struct {
		*Result
		Tone, Facts, Named, Complaint string
		Shows                         []string // claims that the run bears out
		Calls                         report.Table
		CallsCut                      int
		Chart                         *messageChart // nil = none
		Figure                        report.Figure
	}
)

// WriteHTML writes the matrix with a chart for each cell as one page that needs
// nothing else. Real says that the cells were run as processes, of which there
// are no charts.
func WriteHTML(w io.Writer, results []Result, real bool) error {
	data := pageData{Where: "in the simulator", Count: len(results)}
	if real {
		data.Where = "as processes over libp2p"
	}
	cells := map[*Result]*pageCell{}
	for i := range results {
		c, err := newPageCell(&results[i])
		if err != nil {
			return err
		}
		if !c.Agrees() {
			data.Disagree++
		}
		cells[c.Result] = c
	}
	for _, m := range matrices(results) {
		data.Sections = append(data.Sections, m.table())
		data.Pairs = append(data.Pairs, m.pairs(cells)...)
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// table is the matrix, each place with a link to its cell.
func (m *matrix) table() report.Table {
	t := report.Table{Title: m.Section, Class: "stack", Heads: []report.Cell{{Text: "scenario"}}}
	for _, c := range m.Columns {
		t.Heads = append(t.Heads, report.Cell{Text: c})
	}
	t.Heads = append(t.Heads, report.Cell{Text: "theory"})
	for _, row := range m.Rows {
		line := []report.Cell{{Text: row.Name}}
		for _, column := range m.Columns {
			var c report.Cell
			if r := row.Cells[column]; r != nil {
				c = report.Cell{Text: r.Word(), Note: cmp.Or(r.named(), r.brief()), Tone: tone(r.Word()), Link: r.ID(), Alarm: !r.Agrees()}
			}
			line = append(line, c)
		}
		t.Rows = append(t.Rows, append(line, report.Cell{Text: m.theory(&row), Tone: "missing"}))
	}
	return t
}

// pairs are the panels of a matrix.
func (m *matrix) pairs(cells map[*Result]*pageCell) (all []pagePair) {
	for _, row := range m.Rows {
		first := len(all)
		for _, column := range m.Columns {
			r := row.Cells[column]
			if r == nil {
				continue
			}
			f := r.system().Faults()
			at := slices.IndexFunc(all[first:], func(p pagePair) bool { return p.Faults == f && p.Cells[0].Spec.Protocol != r.Spec.Protocol })
			if at < 0 {
				at, all = len(all)-first, append(all, pagePair{Scenario: row.Name, Faults: f})
			}
			all[first+at].Cells = append(all[first+at].Cells, cells[r])
		}
	}
	return all
}

// newPageCell draws one cell.
func newPageCell(r *Result) (*pageCell, error) {
	o := &r.Outcome
	c := &pageCell{
		Result: r, Tone: tone(r.Word()), Named: r.named(), Complaint: r.complaint(),
		Facts: fmt.Sprintf("Theory: %s. Answered %d of %s; highest %s %d; %v by the run's clock.", strings.Join(r.Theory, " or "),
			o.Answered, noun.Several(o.Asked, "operation"), r.era(), o.Views, time.Duration(o.Elapsed).Round(time.Millisecond)),
	}
	c.Shows = r.claims()
	c.Calls, c.CallsCut = r.splitCalls()
	if r.Err != nil || len(r.Outcome.Steps) == 0 {
		return c, nil
	}
	chart, err := newMessageChart(r)
	if err != nil {
		return nil, err
	}
	c.Chart = chart
	c.Figure = report.Figure{Note: chart.Slot + ".", Drawing: chart.SVG(r.Column() + ", " + r.Row + ": " + r.Word())}
	if chart.Cut > 0 {
		c.Figure.Note = fmt.Sprintf("%s; %d more messages left out.", chart.Slot, chart.Cut)
	}
	for i, v := range chart.Values {
		c.Figure.Legend = append(c.Figure.Legend, report.Key{Class: report.Color(i), Text: v.Letter, Code: v.Digest})
	}
	return c, nil
}

// tone is how a word is coloured.
func tone(word string) string {
	switch word {
	case spec.Live:
		return "good"
	case spec.Stopped:
		return "stopped"
	case "not run":
		return "missing"
	}
	return "bad"
}

// named says whom evidence convicts, or that it cannot convict anybody.
func (r *Result) named() string {
	switch {
	case r.unprovable():
		return "Nobody can be convicted"
	case r.forkedUnaided():
		return "Nobody lied"
	}
	if len(r.Outcome.Verdict.Culprits) == 0 {
		return ""
	}
	ids := slices.Clone(r.Outcome.Verdict.Culprits)
	slices.Sort(ids)
	return "Convicted: " + replicas(ids)
}
