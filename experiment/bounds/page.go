package bounds

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/experiment/spec"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// The page's data. A table has one line for each row of its section.
type (
	pageData struct {
		Where           string
		Count, Disagree int
		Sections        []pageSection
		Scenarios       []pageScenario
		Tints           []struct{}
	}
	pageSection struct {
		Name    string
		Columns []string
		Rows    []pageRow
	}
	pageRow struct {
		Name   string
		Cells  []*pageCell // by column; nil = no such run
		Theory string
	}
	// A scenario has a panel, with a pair for each f: what the same does to either
	// protocol stands next to each other.
	pageScenario struct {
		Section, Name string
		Pairs         []pagePair
	}
	pagePair struct {
		Faults int
		Cells  []*pageCell
	}
	pageCell struct {
		ID, Column, Row, Word, Tone, Named, Theory, Why, Source, Complaint string
		Agrees                                                             bool
		Answered, Asked                                                    int
		Era                                                                string // what View counts
		View                                                               uint64
		Elapsed, Slot                                                      string
		Cut                                                                int
		Chart                                                              template.HTML
		Values                                                             []pageValue
		Ending                                                             []string
		EndTone                                                            string
		Calls                                                              []pageCall
		CallsCut                                                           int
	}
	pageValue struct {
		Value
		Tint int
	}
	pageCall struct{ Asked, Took, Client, Side, Operation, Answer, Tone string }
)

// tints is how many colours the stylesheet has for values.
const tints = 6

// WriteHTML writes the matrix with a chart for each cell as one page that needs
// nothing else. Real says that the cells were run as processes, of which there
// are no charts.
func WriteHTML(w io.Writer, results []Result, real bool) error {
	data := pageData{Where: "in the simulator", Count: len(results), Tints: make([]struct{}, tints)}
	if real {
		data.Where = "as processes over libp2p"
	}
	cells := map[string]*pageCell{}
	for i := range results {
		c, err := newPageCell(&results[i])
		if err != nil {
			return err
		}
		if !c.Agrees {
			data.Disagree++
		}
		cells[c.ID] = c
	}
	for _, m := range Matrices(results) {
		data.Sections = append(data.Sections, m.page(cells))
		data.Scenarios = append(data.Scenarios, m.scenarios(cells)...)
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// page turns a matrix into the page's form.
func (m *Matrix) page(cells map[string]*pageCell) pageSection {
	s := pageSection{Name: m.Section, Columns: m.Columns}
	for _, row := range m.Rows {
		r := pageRow{Name: row.Name, Theory: row.Theory, Cells: make([]*pageCell, len(m.Columns))}
		for i, cell := range row.Cells {
			if cell != nil {
				r.Cells[i] = cells[cell.ID()]
			}
		}
		s.Rows = append(s.Rows, r)
	}
	return s
}

// scenarios are the panels of a matrix: in each pair those who stand the same
// number of faults.
func (m *Matrix) scenarios(cells map[string]*pageCell) (all []pageScenario) {
	for _, row := range m.Rows {
		s := pageScenario{Section: m.Section, Name: row.Name}
		for _, cell := range row.Cells {
			if cell == nil {
				continue
			}
			f := cell.system().Faults()
			at := slices.IndexFunc(s.Pairs, func(p pagePair) bool { return p.Faults == f && p.Cells[0].Column[:4] != cell.Column()[:4] })
			if at < 0 {
				at, s.Pairs = len(s.Pairs), append(s.Pairs, pagePair{Faults: f})
			}
			s.Pairs[at].Cells = append(s.Pairs[at].Cells, cells[cell.ID()])
		}
		all = append(all, s)
	}
	return all
}

// newPageCell draws one cell.
func newPageCell(r *Result) (*pageCell, error) {
	o := &r.Outcome
	c := &pageCell{
		ID: r.ID(), Column: r.Column(), Row: r.Row, Word: r.Word(), Tone: tone(r.Word()), Named: r.named(),
		Theory: strings.Join(r.Theory, " or "), Why: r.Why, Source: r.Source, Complaint: r.Complaint, Agrees: r.Agrees(),
		Answered: o.Answered, Asked: o.Asked, Era: r.era(), View: uint64(o.Views), Elapsed: elapsed(o),
	}
	if r.Err != nil {
		c.Complaint = r.Err.Error()
	}
	c.Calls, c.CallsCut = r.story()
	if r.Err != nil || len(o.Steps) == 0 {
		return c, nil
	}
	chart, err := NewChart(r)
	if err != nil {
		return nil, err
	}
	c.Slot, c.Cut, c.Ending, c.EndTone = chart.Slot, chart.Cut, chart.Ending, chart.Tone
	for i, v := range chart.Values {
		c.Values = append(c.Values, pageValue{v, i % tints})
	}
	// The chart escapes all that comes from outside of it.
	c.Chart = template.HTML(chart.SVG(c.Column + ", " + c.Row + ": " + c.Word))
	return c, nil
}

// elapsed is how long the run took, by its own clock.
func elapsed(o *spec.Outcome) string {
	return fmt.Sprintf("%v by the run's clock", time.Duration(o.Elapsed).Round(time.Millisecond))
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
