package bounds

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"quorate/trial"
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
		Cells           []*pageCell
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
	pageCell struct {
		ID, Column, Row, Word, Tone, Named, Theory, Why, Source, Complaint string
		Agrees                                                             bool
		Answered, Asked                                                    int
		View                                                               uint64
		Elapsed, Slot                                                      string
		Cut                                                                int
		Chart                                                              template.HTML
		Values                                                             []pageValue
		Ending                                                             []string
		EndTone                                                            string
	}
	pageValue struct {
		Value
		Tint int
	}
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
		data.Cells = append(data.Cells, c)
		cells[c.ID] = c
	}
	for _, m := range Matrices(results) {
		data.Sections = append(data.Sections, m.page(cells))
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

// newPageCell draws one cell.
func newPageCell(r *Result) (*pageCell, error) {
	o := &r.Outcome
	c := &pageCell{
		ID: r.ID(), Column: r.Column(), Row: r.Row, Word: r.Word(), Tone: tone(r.Word()), Named: r.named(),
		Theory: strings.Join(r.Theory, " or "), Why: r.Why, Source: r.Source, Complaint: r.Complaint, Agrees: r.Agrees(),
		Answered: o.Answered, Asked: o.Asked, View: uint64(o.Views), Elapsed: elapsed(o),
	}
	if r.Err != nil {
		c.Complaint = r.Err.Error()
	}
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
func elapsed(o *trial.Outcome) string {
	return fmt.Sprintf("%v by the run's clock", time.Duration(o.Elapsed).Round(time.Millisecond))
}

// tone is how a word is coloured.
func tone(word string) string {
	switch word {
	case trial.Live:
		return "good"
	case trial.Stopped:
		return "stopped"
	case "not run":
		return "missing"
	}
	return "bad"
}

// named says whom evidence convicts.
func (r *Result) named() string {
	if len(r.Outcome.Verdict.Culprits) == 0 {
		return ""
	}
	ids := slices.Clone(r.Outcome.Verdict.Culprits)
	slices.Sort(ids)
	return "Convicted: " + replicas(ids)
}
