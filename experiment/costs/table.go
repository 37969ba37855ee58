package costs

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	layout "quorate.dev/quorate/internal/table"
	"quorate.dev/quorate/protocol"
)

// table is a heading and lines of cells, the first line the columns' names.
type table struct {
	title string
	lines [][]string
}

// WriteText writes the tables for a terminal of so many columns; 0 = any width.
func WriteText(w io.Writer, all []Cost, columns int) error {
	for i, shown := range tables(all) {
		title := strings.Join(layout.Wrap(shown.title, columns), "\n")
		if i > 0 {
			title = "\n" + title
		}
		if _, err := fmt.Fprintln(w, title); err != nil {
			return err
		}
		t := layout.Table{Rows: shown.lines, Indent: "  ", Right: true}
		if err := t.Write(w, columns); err != nil {
			return err
		}
	}
	return nil
}

// markdown is the tables as they stand in docs/BOUNDS.md.
func markdown(all []Cost) string {
	var b strings.Builder
	for _, table := range tables(all) {
		fmt.Fprintf(&b, "\n**%s**\n\n", table.title)
		for i, cells := range table.lines {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(cells)))
			}
		}
	}
	return b.String()
}

// tables are what is shown: what one decision costs, what a request costs among
// a hundred, and what passes when nobody asks.
func tables(all []Cost) []table {
	shown := []struct {
		title string
		heads []string
		line  func(*Cost) []string
	}{
		{"Messages and bytes between replicas, per decision of one request",
			[]string{"protocol", "n", "f", "messages", "formula", "ratio", "bytes", "formula", "ratio"}, (*Cost).messages},
		{"Signatures, per decision of one request",
			[]string{"protocol", "n", "made", "formula", "ratio", "checked", "formula", "ratio", "of clients checked", "formula"}, (*Cost).signatures},
		{"What a client waits for, and what is written before it is said",
			[]string{"protocol", "n", "message delays", "formula", "syncs in a row", "formula", "writes waited for", "formula"}, (*Cost).waiting},
		{fmt.Sprintf("The same per request, with %d requests per decision", perHundred),
			[]string{"protocol", "n", "messages", "bytes", "... alone", "signatures made", "checked", "of clients checked", "writes waited for"}, (*Cost).gathered},
		{fmt.Sprintf("Per decision under load: %d callers in a closed loop, batches of at most %d, several under way", callers, loopBatch),
			[]string{"protocol", "n", "requests", "messages", "formula", "ratio", "signatures checked", "if all were", "writes waited for", "alone"}, (*Cost).loaded},
		{"A read without an order, one at a time, clients' messages included",
			[]string{"protocol", "n", "messages", "formula", "ratio", "bytes", "formula", "ratio", "signatures made", "checked", "message delays", "formula", "syncs in a row", "formula", "writes waited for", "formula"}, (*Cost).reading},
		{"Messages per second when nobody asks, and per checkpoint, with standard parameters",
			[]string{"protocol", "n", "per second", "formula", "ratio", "checkpoint's, of 64 decisions"}, (*Cost).upkeep},
	}
	var out []table
	for _, x := range shown {
		of := table{x.title, [][]string{x.heads}}
		for k := range all {
			c := &all[k]
			p, _ := protocol.Lookup(c.Protocol)
			if cells := x.line(c); cells != nil {
				of.lines = append(of.lines, append([]string{p.Title, strconv.Itoa(c.Replicas)}, cells...))
			}
		}
		if len(of.lines) > 1 {
			out = append(out, of)
		}
	}
	return out
}

// formula is an expected number, behind the formula that it comes from.
func formula(text string, n int) string {
	if text == "" {
		return strconv.Itoa(n)
	}
	return text + " = " + strconv.Itoa(n)
}

func (c *Cost) messages() []string {
	a, e, own := &c.Alone, &c.Theory, costsOf(c.Protocol)
	frames, bytes, weigh := a.each(a.Frames()), a.each(a.bytes()), own.Bytes(c.Replicas, a.batch())
	return []string{strconv.Itoa(c.Faults), number(frames), formula(own.Text.Frames, e.Frames), ratio(frames, e.Frames),
		number(bytes), formula(own.Text.Bytes, weigh), ratio(bytes, weigh)}
}

func (c *Cost) signatures() []string {
	a, e, text := &c.Alone, &c.Theory, costsOf(c.Protocol).Text
	made, checked := a.each(a.Signed), a.each(a.Verified)
	return []string{number(made), formula(text.Signed, e.Signed), ratio(made, e.Signed),
		number(checked), formula(text.Verified, e.Verified), ratio(checked, e.Verified),
		number(a.each(a.Admitted)), formula("n", e.Admitted)}
}

func (c *Cost) waiting() []string {
	a, e := &c.Alone, &c.Theory
	return []string{number(c.Delays), strconv.Itoa(e.Delays), number(c.Syncs), strconv.Itoa(e.Syncs), number(a.each(a.Forced)), formula(costsOf(c.Protocol).Text.Forced, e.Forced)}
}

// gathered is what a request costs when a decision holds a hundred.
func (c *Cost) gathered() []string {
	h := &c.Hundred
	return []string{number(h.perRequest(h.Frames())), number(h.perRequest(h.bytes())), number(c.Alone.perRequest(c.Alone.bytes())),
		number(h.perRequest(h.Signed)), number(h.perRequest(h.Verified)), number(h.perRequest(h.Admitted)), number(h.perRequest(h.Forced))}
}

// loaded is what a decision costs when several are under way.
func (c *Cost) loaded() []string {
	l, e := &c.Load, &c.Theory
	return []string{number(l.each(l.Requests)), number(l.each(l.Frames())), strconv.Itoa(e.Frames), ratio(l.each(l.Frames()), e.Frames),
		number(l.each(l.Verified)), strconv.Itoa(e.Verified), number(l.each(l.Forced)), strconv.Itoa(e.Forced)}
}

// reading is what a read costs that is not ordered; nil if there is none.
func (c *Cost) reading() []string {
	r, e, own := &c.Read, &c.ReadTheory, costsOf(c.Protocol)
	if own.Read == nil {
		return nil
	}
	sent, weight := r.reads(e)
	frames, bytes, weigh := r.perRequest(sent), r.perRequest(weight), own.ReadBytes(c.Replicas, readBytes())
	return []string{number(frames), formula(own.Text.Read, e.Frames), ratio(frames, e.Frames), number(bytes), formula(own.Text.ReadBytes, weigh), ratio(bytes, weigh),
		number(r.perRequest(r.Signed)), number(r.perRequest(r.Verified + r.Admitted)), number(c.ReadDelays), strconv.Itoa(e.Delays),
		number(c.ReadSyncs), strconv.Itoa(e.Syncs), number(r.perRequest(r.Forced)), strconv.Itoa(e.Forced)}
}

// upkeep is what passes when nobody asks, with standard timing.
func (c *Cost) upkeep() []string {
	rate, own := float64(framesOf(c.Idle.of(protocol.Upkeep)))/idleSeconds, costsOf(c.Protocol)
	want := own.Upkeep(c.Replicas)
	return []string{number(rate), formula(own.Text.Upkeep, want), ratio(rate, want), strconv.Itoa(own.Checkpoint(c.Replicas))}
}

// number prints a count, with as many digits as say something.
func number(x float64) string {
	switch {
	case x == float64(int64(x)):
		return strconv.FormatInt(int64(x), 10)
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 1:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// ratio is counted to expected; where both are nothing there is none.
func ratio(counted float64, expected int) string {
	if expected == 0 && counted == 0 {
		return "–"
	}
	return strconv.FormatFloat(counted/float64(expected), 'f', 3, 64)
}

// The lines of a document between which the tables stand.
const (
	begins = "<!-- quorate costs: from here -->\n"
	ends   = "<!-- quorate costs: to here -->\n"
)

// Insert puts the tables into a document, in the place of those that stand there.
func Insert(document string, all []Cost) (string, error) {
	before, rest, found := strings.Cut(document, begins)
	_, after, closed := strings.Cut(rest, ends)
	if !found || !closed {
		return "", fmt.Errorf("no place for the tables: the lines %q and %q must stand in it, in this order", strings.TrimSpace(begins), strings.TrimSpace(ends))
	}
	return before + begins + markdown(all) + "\n" + ends + after, nil
}
