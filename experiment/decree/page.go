package decree

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"time"

	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/internal/noun"
)

//go:embed run.html
var runText string

//go:embed duel.html
var duelText string

//go:embed flp.html
var flpText string

//go:embed break.html
var breakText string

var (
	runPage   = report.Page(runText)
	duelPage  = report.Page(duelText)
	flpPage   = report.Page(flpText)
	breakPage = report.Page(breakText)
)

// chart draws steps between the participants.
func chart(s Shape, steps []Step, untimed bool) *report.Chart {
	c := &report.Chart{Untimed: untimed}
	for end := range s.ends() {
		c.Lifelines = append(c.Lifelines, report.Lifeline{Name: s.name(end), Client: end < s.Proposers})
	}
	kinds := map[string]report.Kind{"message": report.Message, "chosen": report.Term, "knows": report.Accepted, "crash": report.Crash}
	for i := range steps {
		step := &steps[i]
		c.Rows = append(c.Rows, report.Row{
			Kind: kinds[step.Kind], At: time.Duration(step.at), From: step.from, To: step.to, Lost: step.lost, Text: step.Text, Value: colorOf(step.Value),
		})
	}
	return c
}

// colorOf is the number of a value's color; -1 is none.
func colorOf(name string) int {
	for v := value(1); v <= Most; v++ {
		if v.String() == name {
			return int(v - 1)
		}
	}
	return -1
}

// WriteHTML writes the decision as one page that needs nothing else.
func (r *Run) WriteHTML(w io.Writer) error {
	return write(w, runPage, map[string]any{
		"Run": r, "Promises": r.promises(), "Rounds": noun.Several(r.Rounds, "attempt"),
		"Who":    fmt.Sprintf("%s, %s and %s", noun.Several(r.Proposers, "proposer"), noun.Several(r.Acceptors, "acceptor"), noun.Several(r.Learners, "learner")),
		"Figure": report.Figure{Drawing: chart(r.Shape, r.Steps, false).SVG("One decision of single-decree Paxos"), Legend: values(r.Proposers)},
	})
}

// promises is the table of what consensus promises.
func (r *Run) promises() report.Table {
	t := report.Table{Class: "stack", Heads: []report.Cell{{Text: "promise"}, {Text: "here"}, {Text: "what it says"}}}
	for _, line := range r.Verdict.lines() {
		tone := "good"
		if !line.kept {
			tone = "bad"
		}
		if line.name == "termination" {
			tone = "missing"
		}
		t.Rows = append(t.Rows, []report.Cell{{Text: line.name}, {Text: line.here, Tone: tone}, {Text: line.says}})
	}
	return t
}

// values explains the colors.
func values(n int) (keys []report.Key) {
	for i := range n {
		keys = append(keys, report.Key{Class: report.Color(i), Text: fmt.Sprintf("%v, of P%d", value(i+1), i)})
	}
	return keys
}

// WriteHTML writes what the duels showed as one page that needs nothing else.
func (d *Duel) WriteHTML(w io.Writer) error {
	t := report.Table{Class: "stack", Heads: []report.Cell{
		{Text: "schedule"}, {Text: "cure"}, {Text: "decided"}, {Text: "rounds"}, {Text: "90 %"}, {Text: "most"}, {Text: "time"},
	}}
	for _, cells := range d.table()[1:] {
		row := make([]report.Cell, len(cells))
		for i, text := range cells {
			row[i].Text = text
		}
		t.Rows = append(t.Rows, row)
	}
	for i := range d.Rows {
		switch r := &d.Rows[i]; {
		case r.Decided == r.Runs:
			t.Rows[i][2].Tone = "good"
		case r.Decided == 0:
			t.Rows[i][2].Tone = "bad"
		default:
			t.Rows[i][2].Tone = "stopped"
		}
	}
	data := map[string]any{"Duel": d, "Table": t, "Plot": d.plot(), "Legend": d.legend()}
	if d.duel != nil {
		data["Chart"] = report.Figure{Drawing: chart(d.duel.Shape, d.duel.Steps, false).SVG("The first rounds of a duel without a cure"), Legend: values(2)}
	}
	return write(w, duelPage, data)
}

// plot is the share of runs that decided within so many rounds, by cure.
func (d *Duel) plot() report.Figure {
	f := report.Figure{Note: "Share of the runs that decided within so many rounds, in percent; ACCEPTs 50 ms slower."}
	p := report.NewPlot("Share of the runs that decided, over rounds", 320, report.Logarithmic("rounds", 1, float64(d.Limit)), report.UpTo("percent", 100, 5))
	series := 0
	for i := range d.Rows {
		r := &d.Rows[i]
		if r.Schedule != bySlowClock || r.Window > 1 {
			continue
		}
		var points []report.Point
		for rounds := 1; rounds <= d.Limit; rounds++ {
			within, _ := slices.BinarySearch(r.Rounds, rounds+1)
			points = append(points, report.Point{X: float64(rounds), Y: 100 * float64(within) / float64(max(r.Runs, 1))})
		}
		p.Curve(report.Color(series), "", points)
		f.Legend = append(f.Legend, report.Key{Class: report.Color(series), Text: r.name()})
		series++
	}
	f.Drawing = p.End()
	return f
}

// WriteHTML writes the run as one page that needs nothing else.
func (f *FLP) WriteHTML(w io.Writer) error {
	kinds := report.Table{Class: "small", Heads: []report.Cell{{Text: "message"}, {Text: "delivered"}}}
	for k := prepare; k <= reject; k++ {
		kinds.Rows = append(kinds.Rows, []report.Cell{{Text: k.String()}, {Text: fmt.Sprint(f.Kinds[k.String()])}})
	}
	return write(w, flpPage, map[string]any{
		"FLP": f, "Kinds": kinds, "Lines": f.lines(), "Ends": f.ends(), "Shows": f.shows(),
		"Chart": report.Figure{Drawing: chart(duelists, f.first, true).SVG("The first deliveries of the adversary"), Legend: values(2)},
	})
}

// WriteRulesHTML writes some executions as one page that needs nothing else.
func WriteRulesHTML(w io.Writer, all []*Break) error {
	type section struct {
		*Break
		Table report.Table
	}
	index := report.Table{Class: "stack", Heads: []report.Cell{{Text: "rule"}, {Text: "what it says"}, {Text: "switched off"}, {Text: "what becomes of it"}}}
	var plays []section
	for _, b := range all {
		index.Rows = append(index.Rows, []report.Cell{{Text: b.Rule}, {Text: b.Says}, {Text: b.Without}, {Text: b.Off.outcome(), Tone: "bad", Link: b.Rule}})
		t := report.Table{Class: "stack small", Heads: []report.Cell{{Text: "with the rule"}, {Text: "without it"}}}
		for _, row := range beside(b.With.Steps, b.Off.Steps) {
			cell := report.Cell{Text: row[1], Tone: "bad"}
			if row[0] == row[1] {
				cell = report.Cell{Text: "same", Tone: "missing"}
			}
			t.Rows = append(t.Rows, []report.Cell{{Text: row[0]}, cell})
		}
		plays = append(plays, section{b, t})
	}
	return write(w, breakPage, map[string]any{"Index": index, "Plays": plays})
}

// write fills in a page.
func write(w io.Writer, page interface{ Execute(io.Writer, any) error }, data any) error {
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
