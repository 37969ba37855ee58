package cap

import (
	_ "embed"
	"fmt"
	"io"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/sim"
)

//go:embed page.html
var pageText string

var page = report.Page(pageText)

// The page's data.
type (
	pageData struct {
		Seed       uint64
		Runs, More int
		Disagree   string
		Sheets     []pageSheet
		Panels     []panel
	}
	pageSheet struct {
		Title, About string
		Table        report.Table
	}
	panel struct {
		ID, Title, Note, Word, Tone string
		Figure                      report.Figure
		Told, Bad                   []string
	}
)

// WriteHTML writes the tables with a time line for each column as one page that
// needs nothing else.
func WriteHTML(w io.Writer, sums []*Sum) error {
	data := pageData{Disagree: disagreements(sums)}
	for _, s := range sums {
		data.Seed, data.Runs, data.More = s.First.Seed, s.Runs, s.Runs-1
		data.Panels = append(data.Panels, s.panel())
	}
	for _, s := range sheets(sums) {
		data.Sheets = append(data.Sheets, pageSheet{s.title, s.about + s.runs(), s.table()})
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// table is a sheet, each row with a link to its time line.
func (s *sheet) table() report.Table {
	t := report.Table{Class: "stack"}
	for _, h := range append(s.heads, "theory") {
		t.Heads = append(t.Heads, report.Cell{Text: h})
	}
	for _, x := range s.sums {
		word, tone := x.word()
		row := []report.Cell{{Text: x.Column.Title, Note: x.Column.Note}}
		for _, text := range s.cells(x) {
			row = append(row, report.Cell{Text: text})
		}
		end := report.Cell{Text: "agrees", Tone: "good"}
		if x.Disagree > 0 {
			end = report.Cell{Text: "disagrees", Tone: "bad"}
		}
		row[0] = report.Cell{Text: x.Column.Title, Note: word, Tone: tone, Link: x.anchor(), Alarm: x.Disagree > 0}
		t.Rows = append(t.Rows, append(row, end))
	}
	return t
}

// anchor is where a column's time line stands.
func (s *Sum) anchor() string { return fmt.Sprintf("%s-%d", s.Column.ID, s.Column.Setting.sheet()) }

// word is a column in a few words, and its tone.
func (s *Sum) word() (word, tone string) {
	switch {
	case s.Column.Setting.Whole && s.Linear[no]+s.Total[check.StaleRead] > 0:
		return "answers, sometimes what is old", "bad"
	case s.Column.Setting.Whole:
		return "answers", "good"
	case s.Minority.Writes.Answered > 0 && s.Minority.Reads.Answered == 0:
		return "answers writes, and loses", "bad"
	case s.Total[check.LostUpdate] > 0 && s.Minority.Writes.Answered > 0:
		return "answers on both sides, and loses", "bad"
	case s.Minority.Reads.Answered > 0 && s.Minority.Writes.Answered == 0:
		return "answers gets, refuses writes", "stopped"
	case s.Minority.Reads.Answered > 0:
		return "answers on both sides, keeps both", "good"
	}
	return "refuses without a quorum", "stopped"
}

// panel is a column's time line, with its calls in words.
func (s *Sum) panel() panel {
	p := panel{ID: s.anchor(), Title: s.Column.Title, Note: s.Column.Note, Told: s.First.Tell(), Bad: s.complaints()}
	p.Word, p.Tone = s.word()
	if s.Column.Setting.Whole {
		p.Told = []string{fmt.Sprintf("Gets take %s, writes %s.", middle(s.Reads).text(), middle(s.Writes).text())}
		p.Title += ", nothing is cut"
	}
	if s.Broken != "" {
		p.Told = append(p.Told, fmt.Sprintf("Seed %d: %s", s.brokenSeed, s.Broken))
	}
	line := s.First.timeline()
	p.Figure = report.Figure{
		Note:    fmt.Sprintf("Seed %d.", s.First.Seed),
		Legend:  []report.Key{{Text: "● answered"}, {Text: "□ refused"}, {Text: "◇ unknown"}, {Text: "✕ wrong"}},
		Drawing: line.SVG(s.Column.Title + ": what each side was answered"),
	}
	return p
}

// timeline has two lanes for each client: what it read, and what it wrote.
func (r *Result) timeline() *report.Timeline {
	s := r.Column.Setting
	t := &report.Timeline{Span: time.Duration(s.pace().closesAt + sim.Second)}
	if !s.Whole {
		t.Bands = []report.Band{{From: time.Duration(cutAt), To: time.Duration(healedAt), Text: "cut"}}
	}
	for client := range s.clients() {
		gets := report.Lane{Name: fmt.Sprintf("C%d gets", client)}
		writes := report.Lane{Name: fmt.Sprintf("C%d writes", client)}
		for i := range r.Calls {
			c := &r.Calls[i]
			switch {
			case c.Client != client:
			case c.Kind == kv.KindGet:
				gets.Marks = append(gets.Marks, c.mark())
			default:
				writes.Marks = append(writes.Marks, c.mark())
			}
		}
		t.Lanes = append(t.Lanes, gets, writes)
	}
	return t
}

// mark is a call at its moment.
func (c *Call) mark() report.Mark {
	m := report.Mark{At: time.Duration(c.Began), Ending: report.Answered, Tip: fmt.Sprintf("%s: %s, %s", moment(c.Began), c.deed(), c.ended())}
	switch {
	case c.Odd:
		m.Ending = report.Wrong
		if m.Tip += ", but is gone in the end"; c.Kind == kv.KindGet {
			m.Tip = fmt.Sprintf("%s: %s, %s: old", moment(c.Began), c.deed(), c.ended())
		}
	case c.answered():
	case c.Refused:
		m.Ending = report.Refused
	default:
		m.Ending = report.Unanswered
	}
	return m
}
