package cap

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/internal/table"
)

// Sum is what all runs of a column came to.
type Sum struct {
	Column             Column
	Runs               int
	Minority, Majority Share
	Linear             map[Linear]int
	Total              map[check.AnomalyKind]int // in all runs
	Seen               map[check.AnomalyKind]int // in how many runs
	Reads, Writes      []Latency
	Disagree           int     // runs that do, with theory
	First              *Result // of the lowest seed
	Broken             string  // reads that no order explains, of the lowest seed with some
	brokenSeed         uint64
	bad                []disagreement // the first ones
}

// disagreement is how a run disagrees with theory.
type disagreement struct {
	seed uint64
	text string
}

// complaints are how runs disagree with theory: those of the lowest seeds.
func (s *Sum) complaints() []string {
	all := []string{}
	for _, d := range s.bad {
		all = append(all, d.text)
	}
	return all
}

// maxBad bounds the disagreements that are told.
const maxBad = 5

// NewSum is one for a column without runs.
func NewSum(c Column) *Sum {
	return &Sum{Column: c, Linear: map[Linear]int{}, Total: map[check.AnomalyKind]int{}, Seen: map[check.AnomalyKind]int{}}
}

// Add adds a run of the column. In which order they come makes no difference.
func (s *Sum) Add(r *Result) {
	if s.Runs++; s.First == nil || r.Seed < s.First.Seed {
		s.First = r
	}
	if r.Complaint != "" {
		s.Disagree++
		s.bad = append(s.bad, disagreement{r.Seed, fmt.Sprintf("%s, seed %d: %s", r.Column.Title, r.Seed, r.Complaint)})
		slices.SortFunc(s.bad, func(a, b disagreement) int { return cmp.Compare(a.seed, b.seed) })
		s.bad = s.bad[:min(len(s.bad), maxBad)]
	}
	s.Minority, s.Majority = s.Minority.plus(r.Minority), s.Majority.plus(r.Majority)
	s.Linear[r.Linear]++
	for kind, n := range r.Counts {
		s.Total[kind] += n
		s.Seen[kind]++
	}
	s.Reads, s.Writes = append(s.Reads, r.Reads), append(s.Writes, r.Writes)
	if r.Linear == no && r.Column.Setting.Busy && (s.Broken == "" || r.Seed < s.brokenSeed) {
		if text, ok := r.newThenOld(); ok {
			s.Broken, s.brokenSeed = text, r.Seed
		}
	}
}

func (s Share) plus(o Share) Share { return Share{s.Reads.plus(o.Reads), s.Writes.plus(o.Writes)} }

func (t Tally) plus(o Tally) Tally {
	return Tally{t.Answered + o.Answered, t.Refused + o.Refused, t.Unknown + o.Unknown}
}

// text is a share in words, with its numbers.
func (s Share) text() string {
	all := s.Reads.plus(s.Writes)
	switch {
	case all.asked() == 0:
		return "nothing was asked"
	case all.Answered == all.asked():
		return fmt.Sprintf("answers all %d", all.Answered)
	case all.Answered == 0:
		return fmt.Sprintf("answers none of %d: %s", all.asked(), all.others())
	case s.Writes.Answered == 0 && s.Writes.asked() > 0:
		return fmt.Sprintf("gets %d of %d, writes 0 of %d", s.Reads.Answered, s.Reads.asked(), s.Writes.asked())
	case s.Reads.Answered == 0 && s.Reads.asked() > 0:
		return fmt.Sprintf("gets 0 of %d, writes %d of %d", s.Reads.asked(), s.Writes.Answered, s.Writes.asked())
	}
	return fmt.Sprintf("answers %d of %d", all.Answered, all.asked())
}

// others are the calls that were not answered.
func (t Tally) others() string {
	switch {
	case t.Unknown == 0:
		return "refused"
	case t.Refused == 0:
		return "unknown"
	}
	return fmt.Sprintf("%d refused, %d unknown", t.Refused, t.Unknown)
}

// count is how often something was seen: in one run, or in how many of them.
func (s *Sum) count(kind check.AnomalyKind) string {
	switch {
	case s.Runs == 1:
		return fmt.Sprint(s.Total[kind])
	case s.Total[kind] == 0:
		return "0"
	}
	return fmt.Sprintf("%d, in %d", s.Total[kind], s.Seen[kind])
}

// linear says whether one order explains the calls on each key.
func (s *Sum) linear() string {
	if s.Runs == 1 {
		return string(s.First.Linear)
	}
	if s.Linear[no] > 0 {
		return fmt.Sprintf("no, in %d", s.Linear[no])
	}
	if s.Linear[perhaps] > 0 {
		return fmt.Sprintf("undecided, in %d", s.Linear[perhaps])
	}
	return string(s.First.Linear)
}

// middle is the median of runs' latencies.
func middle(all []Latency) (l Latency) {
	if len(all) == 0 {
		return l
	}
	slices.SortFunc(all, func(a, b Latency) int { return cmp.Compare(a.Median, b.Median) })
	l.Median = all[len(all)/2].Median
	slices.SortFunc(all, func(a, b Latency) int { return cmp.Compare(a.P99, b.P99) })
	l.P99 = all[len(all)/2].P99
	return l
}

func (l Latency) text() string { return fmt.Sprintf("%s, p99 %s", ms(l.Median), ms(l.P99)) }

func ms(t consensus.Time) string {
	return fmt.Sprintf("%.1f ms", float64(t)/float64(time.Millisecond))
}

// sheet is one table.
type sheet struct {
	title string
	about string
	heads []string
	cells func(*Sum) []string
	sums  []*Sum
}

// sheets are the tables of some sums.
func sheets(sums []*Sum) (all []sheet) {
	forgets := slices.ContainsFunc(sums, func(s *Sum) bool { return s.Total[check.Resurrected] > 0 })
	for _, s := range []sheet{
		{
			title: "The network is cut from 2 s to 8 s",
			about: "C0 stays with a minority, C1 with the others; both read and write a cart, a counter, a color and a coupon all the time. Counted are the calls while it is cut, and what is left in the end.",
			heads: []string{"system", "minority", "majority", "lost updates", "stale reads", "siblings left", "one order"},
			cells: func(s *Sum) []string {
				return []string{s.Minority.text(), s.Majority.text(), s.count(check.LostUpdate), s.count(check.StaleRead), s.count(check.LeftSiblings), s.linear()}
			},
		},
		{
			title: "Nothing is cut",
			about: "The same clients on a whole network, in which one frame in ten is late by up to 60 ms: what an answer takes, beside what it is worth.",
			heads: []string{"system", "get", "write", "lost updates", "stale reads", "one order"},
			cells: latencies,
		},
		{
			title: "R + W > N, nothing is cut, and clocks are exact",
			about: "One client writes a color as fast as it can, three watch it and count, and one frame in five is late.",
			heads: []string{"system", "get", "write", "lost updates", "stale reads", "one order"},
			cells: latencies,
		},
	} {
		for _, x := range sums {
			if at := x.Column.Setting.sheet(); at == len(all) {
				s.sums = append(s.sums, x)
			}
		}
		if forgets {
			s = s.with("back after a delete", func(x *Sum) string { return x.count(check.Resurrected) })
		}
		all = append(all, s)
	}
	return slices.DeleteFunc(all, func(s sheet) bool { return len(s.sums) == 0 })
}

func latencies(s *Sum) []string {
	return []string{middle(s.Reads).text(), middle(s.Writes).text(), s.count(check.LostUpdate), s.count(check.StaleRead), s.linear()}
}

// with is the table with another column.
func (s sheet) with(head string, cell func(*Sum) string) sheet {
	cells := s.cells
	s.heads = append(slices.Clone(s.heads), head)
	s.cells = func(x *Sum) []string { return append(cells(x), cell(x)) }
	return s
}

// runs says how many there were, and how they are told.
func (s *sheet) runs() string {
	if n := s.sums[0].Runs; n > 1 {
		return fmt.Sprintf(" Numbers are of all %d runs, and behind the comma in how many of them.", n)
	}
	return ""
}

// sheet is which table a setting belongs to.
func (s Setting) sheet() int {
	switch {
	case s.Busy:
		return 2
	case s.Whole:
		return 1
	}
	return 0
}

// WriteTable writes the tables for a terminal of so many columns (0 = any width),
// with three calls of each column below the first.
func WriteTable(w io.Writer, sums []*Sum, columns int) error {
	var b bytes.Buffer
	for i, s := range sheets(sums) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n%s\n\n", s.title, strings.Join(table.Wrap(s.about+s.runs(), min(cmp.Or(columns, maxText), maxText)), "\n"))
		var t table.Table
		t.Row(append(slices.Clone(s.heads), "")...)
		for _, x := range s.sums {
			t.Row(append(append([]string{x.Column.Title}, s.cells(x)...), x.mark())...)
		}
		if err := t.Write(&b, columns); err != nil {
			return err
		}
	}
	tell(&b, sums, min(cmp.Or(columns, maxText), maxText))
	fmt.Fprint(&b, "\n✓ ended as theory says, ✗ did not\n")
	for _, s := range sums {
		for _, bad := range s.complaints() {
			fmt.Fprintf(&b, "%s\n", strings.Join(table.Hang("✗ "+bad, columns), "\n"))
		}
		if more := s.Disagree - len(s.bad); more > 0 {
			fmt.Fprintf(&b, "✗ %s: %d more\n", s.Column.Title, more)
		}
	}
	_, err := b.WriteTo(w)
	return err
}

// maxText is how wide running text is at most.
const maxText = 110

// tell writes calls in plain words.
func tell(b *bytes.Buffer, sums []*Sum, columns int) {
	for _, s := range sums {
		var texts []string
		switch {
		case s.Broken != "":
			texts = []string{fmt.Sprintf("Seed %d: %s", s.brokenSeed, s.Broken)}
		case !s.Column.Setting.Whole:
			texts = s.First.Tell()
		}
		if len(texts) == 0 {
			continue
		}
		fmt.Fprintf(b, "\n%s", s.Column.Title)
		if s.Column.Note != "" {
			fmt.Fprintf(b, ": %s", s.Column.Note)
		}
		if s.Runs > 1 && s.Broken == "" {
			fmt.Fprintf(b, " (seed %d)", s.First.Seed)
		}
		b.WriteByte('\n')
		for _, text := range texts {
			fmt.Fprintf(b, "%s\n", strings.Join(table.Wrap("  "+text, columns), "\n"))
		}
	}
}

func (s *Sum) mark() string {
	if s.Disagree > 0 {
		return "✗"
	}
	return "✓"
}

// Agree reports whether there are runs, and every one ended as theory says.
func Agree(sums []*Sum) bool {
	return len(sums) > 0 && !slices.ContainsFunc(sums, func(s *Sum) bool { return s.Disagree > 0 })
}

// record is a column for programs.
type record struct {
	ID           string                    `json:"id"`
	Title        string                    `json:"title"`
	Table        string                    `json:"table"`
	Replicas     int                       `json:"replicas"`
	Runs         int                       `json:"runs"`
	Minority     jsonShare                 `json:"minority"`
	Majority     jsonShare                 `json:"majority"`
	Linearizable map[Linear]int            `json:"linearizable"` // runs
	Anomalies    map[check.AnomalyKind]int `json:"anomalies"`    // in all runs
	RunsWith     map[check.AnomalyKind]int `json:"runs_with"`
	Get          jsonLatency               `json:"get"`
	Write        jsonLatency               `json:"write"`
	Agrees       bool                      `json:"agrees"`
	Complaints   []string                  `json:"complaints"`
	Calls        []string                  `json:"calls"` // three, in words
}

type jsonShare struct {
	Gets   jsonTally `json:"gets"`
	Writes jsonTally `json:"writes"`
}

type jsonTally struct {
	Answered int `json:"answered"`
	Refused  int `json:"refused"`
	Unknown  int `json:"unknown"`
}

type jsonLatency struct {
	Median int64 `json:"median_ns"`
	P99    int64 `json:"p99_ns"`
}

// WriteJSON writes one array, one object for each column.
func WriteJSON(w io.Writer, sums []*Sum) error {
	all := []record{}
	titles := []string{"cut", "whole", "quorums"}
	for _, s := range sums {
		share := func(x Share) jsonShare { return jsonShare{jsonTally(x.Reads), jsonTally(x.Writes)} }
		took := func(l []Latency) jsonLatency { m := middle(l); return jsonLatency{int64(m.Median), int64(m.P99)} }
		calls := append([]string{}, s.First.Tell()...)
		if s.Column.Setting.Whole {
			calls = []string{}
		}
		if s.Broken != "" {
			calls = []string{s.Broken}
		}
		all = append(all, record{
			ID: s.Column.ID, Title: s.Column.Title, Table: titles[s.Column.Setting.sheet()], Replicas: s.Column.Replicas, Runs: s.Runs,
			Minority: share(s.Minority), Majority: share(s.Majority), Linearizable: s.Linear, Anomalies: s.Total, RunsWith: s.Seen,
			Get: took(s.Reads), Write: took(s.Writes), Agrees: s.Disagree == 0, Complaints: s.complaints(), Calls: calls,
		})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(all)
}

// disagreements says how many columns do not end as theory says.
func disagreements(sums []*Sum) string {
	n := 0
	for _, s := range sums {
		if s.Disagree > 0 {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %s", n, noun.Several(len(sums), "column"))
}
