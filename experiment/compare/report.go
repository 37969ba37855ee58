package compare

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/internal/table"
	"quorate.dev/quorate/protocol"
)

// Report is a comparison: all of it, or as far as it has come.
type Report struct {
	Scenario   string
	Seconds    float64 // how long each load lasts
	Clients    int     // callers of each side
	ValueBytes int
	Cores      int     // of this machine
	Turns      bool    // one after the other; otherwise all share the machine
	Patience   float64 // of the replicas with a silent leader or primary, milliseconds; 0 = as shipped
	Sides      []Side
}

// Side is one of the clusters.
type Side struct {
	Protocol string
	Replicas int
	Faults   int // that it tolerates: crashes in Raft, lies in PBFT
	Phase    string
	Elapsed  float64 // of its load, in seconds
	Leader   int     // as it says itself; -1 = nobody does
	View     uint64  // the highest view or term
	Seconds  []Second
	Events   []Event
	Total    Total
	Verdict  *Verdict // nil until it is judged
}

// Second is one second of the load.
type Second struct {
	At        int // it begins so many seconds after the load began
	Done      int // operations answered in it
	Failed    int // given up, or turned away
	P50, P99  float64
	Available bool // anything was answered
	Forked    bool // it is of the time after a fork, when answers contradict each other
}

// Event is a fault that happened to one side, or did not, and why.
type Event struct {
	At      float64 // seconds since the load began
	Kind    string
	Replica int // -1 = nobody was found
	What    string
	Error   string
}

// Silence is a time in which no operation was answered.
type Silence struct{ From, Lasted time.Duration }

// Traffic is what replicas handed to the links to each other.
type Traffic struct {
	Class    string
	Messages uint64
	Bytes    uint64
}

// Total sums up a side's load. Latencies are in milliseconds.
type Total struct {
	Done, Failed int
	PerSecond    float64
	P50, P99     float64
	Silence      Silence // the longest
	Decisions    uint64  // sequence numbers executed
	Sent         []Traffic
}

// sent adds up what replicas sent each other.
func (t *Total) sent() (sum Traffic) {
	for _, x := range t.Sent {
		sum.Messages, sum.Bytes = sum.Messages+x.Messages, sum.Bytes+x.Bytes
	}
	return sum
}

// ratio is 0 if there is nothing to divide by.
func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// availability is how many of the seconds had an answer, and how many had one that
// is worth nothing.
func (s *Side) availability() (with, forked, of int) {
	for _, x := range s.Seconds {
		switch {
		case x.Available && x.Forked:
			forked++
		case x.Available:
			with++
		}
	}
	return with, forked, len(s.Seconds)
}

// markFork marks the seconds from the fork on.
func markFork(seconds []Second, at float64) {
	for i := range seconds {
		seconds[i].Forked = float64(seconds[i].At+1) > at
	}
}

// leads is the protocol's word for who orders requests.
func (s *Side) leads() string { return s.underTest().Words.Lead }

// underTest is the side's protocol.
func (s *Side) underTest() protocol.Protocol {
	p, _ := protocol.Lookup(s.Protocol)
	return p
}

// title names a side.
func (s *Side) title() string {
	return fmt.Sprintf("%s, %s", s.underTest().Title, noun.Several(s.Replicas, "replica"))
}

// conditions says under which conditions the figures were taken, for people who
// would believe them.
func (r *Report) conditions() string {
	if r.Turns {
		return fmt.Sprintf("one after the other on the same machine of %d cores, callers included", r.Cores)
	}
	return fmt.Sprintf("all at once on the same machine of %d cores, callers included: each is slower than alone (--turns lets one follow the other)", r.Cores)
}

// row is one line of the table: what it is, and its value of a side.
type row struct {
	name string
	of   func(s *Side) string
}

// rows are the lines of the table and of the page.
func rows() []row {
	return []row{
		{"tolerates", tolerates},
		{"operations per second", func(s *Side) string { return grouped(s.Total.PerSecond) }},
		{"answered, given up", func(s *Side) string {
			return grouped(float64(s.Total.Done)) + ", " + grouped(float64(s.Total.Failed))
		}},
		{"latency, median", func(s *Side) string { return brief(s.Total.P50) + " ms" }},
		{"latency, 99 of 100 below", func(s *Side) string { return brief(s.Total.P99) + " ms" }},
		{"longest without an answer", func(s *Side) string {
			return fmt.Sprintf("%s ms, from %.1f s on", brief(milliseconds(s.Total.Silence.Lasted)), s.Total.Silence.From.Seconds())
		}},
		{"seconds with an answer", func(s *Side) string {
			with, forked, of := s.availability()
			text := fmt.Sprintf("%d of %d", with, of)
			if forked > 0 {
				text += fmt.Sprintf("; %d forked", forked)
			}
			return text
		}},
		{"decisions", func(s *Side) string { return grouped(float64(s.Total.Decisions)) }},
		{"operations per decision", func(s *Side) string { return brief(ratio(uint64(s.Total.Done), s.Total.Decisions)) }},
		{"messages per decision", func(s *Side) string { return brief(ratio(s.Total.sent().Messages, s.Total.Decisions)) }},
		{"bytes per decision", func(s *Side) string { return grouped(ratio(s.Total.sent().Bytes, s.Total.Decisions)) }},
		{"messages per operation", func(s *Side) string { return brief(ratio(s.Total.sent().Messages, uint64(s.Total.Done))) }},
		{"bytes per operation", func(s *Side) string { return grouped(ratio(s.Total.sent().Bytes, uint64(s.Total.Done))) }},
	}
}

// tolerates is what the bound promises.
func tolerates(s *Side) string {
	if s.underTest().Model == quorum.Crash {
		return fmt.Sprintf("%s, no lie", noun.Several(s.Faults, "crash"))
	}
	return noun.Several(s.Faults, "liar") + " or as many crashes"
}

// WriteTable prints the report for people: the figures, the faults, and what the
// judges say, for a terminal of so many columns; 0 = any width.
func WriteTable(w io.Writer, r *Report, columns int) error {
	var b strings.Builder
	wide := textColumns
	if columns > 0 {
		wide = min(wide, columns)
	}
	head := fmt.Sprintf("%s each, values of %d bytes, %.0f s; %s", noun.Several(r.Clients, "caller"), r.ValueBytes, r.Seconds, r.conditions())
	fmt.Fprintf(&b, "%s%s\n", wrapped(r.Scenario, "", wide), wrapped(head, "", wide))
	heading := []string{""}
	for i := range r.Sides {
		heading = append(heading, strings.ToUpper(r.Sides[i].title()))
	}
	var t table.Table
	t.Row(heading...)
	for _, x := range rows() {
		cells := []string{x.name}
		for i := range r.Sides {
			cells = append(cells, x.of(&r.Sides[i]))
		}
		t.Row(cells...)
	}
	if err := t.Write(&b, columns); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for i := range r.Sides {
		s := &r.Sides[i]
		fmt.Fprintf(&b, "\n%s\n", s.title())
		for _, e := range s.Events {
			b.WriteString(wrapped(fmt.Sprintf("%7.1f s  %s", e.At, oneLine(e.String())), "           ", wide))
		}
		for _, line := range s.Verdict.lines() {
			b.WriteString(wrapped("  "+line, "    ", wide))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String is what happened, in one line.
func (e Event) String() string {
	if e.Error != "" {
		return e.What + ": " + e.Error
	}
	return e.What
}

// textColumns is how wide text may be.
const textColumns = 79

// wrapped breaks a text between words into lines; those after the first begin
// with an indent.
func wrapped(text, indent string, columns int) string {
	var b strings.Builder
	for utf8.RuneCountInString(text) > columns {
		cut := strings.LastIndexByte(string([]rune(text)[:columns+1]), ' ')
		if cut <= len(indent) {
			break // one long word
		}
		b.WriteString(text[:cut] + "\n")
		text = indent + text[cut+1:]
	}
	return b.String() + text + "\n"
}

// grouped is a number without a fraction, its thousands apart.
func grouped(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + " " + text[at:]
	}
	return text
}

// brief is a number with as many digits as mean something.
func brief(v float64) string {
	switch {
	case v >= 100:
		return grouped(v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
