package costs

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"quorate.dev/quorate/protocol"
)

// table is a heading and lines of cells, the first line the columns' names.
type table struct {
	title string
	lines [][]string
}

// WriteText writes the tables for a terminal.
func WriteText(w io.Writer, all []Cost) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, table := range tables(all) {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintln(t, table.title)
		for _, cells := range table.lines {
			fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// writeMarkdown writes the tables as they stand in docs/BOUNDS.md.
func writeMarkdown(w io.Writer, all []Cost) error {
	var b strings.Builder
	for i, table := range tables(all) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "**%s**\n\n", table.title)
		for i, cells := range table.lines {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(cells)))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tables are what is shown: what one decision costs, what a request costs among
// a hundred, and what passes when nobody asks.
func tables(all []Cost) []table {
	messages := table{title: "Messages and bytes between replicas, per decision of one request", lines: [][]string{
		{"protocol", "n", "f", "messages", "formula", "ratio", "bytes", "formula", "ratio"}}}
	signatures := table{title: "Signatures, per decision of one request", lines: [][]string{
		{"protocol", "n", "made", "formula", "ratio", "checked", "formula", "ratio", "of clients checked", "formula"}}}
	waiting := table{title: "What a client waits for, and what is written before it is said", lines: [][]string{
		{"protocol", "n", "message delays", "formula", "syncs in a row", "formula", "writes waited for", "formula"}}}
	for i := range all {
		c := &all[i]
		messages.lines = append(messages.lines, c.messages())
		signatures.lines = append(signatures.lines, c.signatures())
		waiting.lines = append(waiting.lines, c.waiting())
	}
	return []table{messages, signatures, waiting, gathered(all), loaded(all), idle(all)}
}

// gathered is what a request costs when a decision holds a hundred.
func gathered(all []Cost) table {
	t := table{title: fmt.Sprintf("The same per request, with %d requests per decision", perHundred), lines: [][]string{
		{"protocol", "n", "messages", "bytes", "... alone", "signatures made", "checked", "of clients checked", "writes waited for"}}}
	for i := range all {
		c, h := &all[i], &all[i].Hundred
		t.lines = append(t.lines, c.line(number(h.perRequest(h.Frames())), number(h.perRequest(h.bytes())), number(c.Alone.perRequest(c.Alone.bytes())),
			number(h.perRequest(h.Signed)), number(h.perRequest(h.Verified)), number(h.perRequest(h.Admitted)), number(h.perRequest(h.Forced))))
	}
	return t
}

// loaded is what a decision costs when several are under way.
func loaded(all []Cost) table {
	t := table{title: fmt.Sprintf("Per decision under load: %d callers in a closed loop, batches of at most %d, several under way", callers, loopBatch), lines: [][]string{
		{"protocol", "n", "requests", "messages", "formula", "ratio", "signatures checked", "if all were", "writes waited for", "alone"}}}
	for i := range all {
		c, l, e := &all[i], &all[i].Load, &all[i].Theory
		t.lines = append(t.lines, c.line(number(l.each(l.Requests)), number(l.each(l.Frames())), whole(e.Frames), ratio(l.each(l.Frames()), e.Frames),
			number(l.each(l.Verified)), whole(e.Verified), number(l.each(l.Forced)), whole(e.Forced)))
	}
	return t
}

// idle is what passes when nobody asks, with standard timing.
func idle(all []Cost) table {
	t := table{title: "Messages per second when nobody asks, and per checkpoint, with standard parameters", lines: [][]string{
		{"protocol", "n", "per second", "formula", "ratio", "checkpoint's, of 64 decisions"}}}
	for i := range all {
		c := &all[i]
		rate := float64(framesOf(c.Idle.of(protocol.Upkeep))) / idleSeconds
		own := costsOf(c.Protocol)
		want := own.Upkeep(c.Replicas)
		t.lines = append(t.lines, c.line(number(rate), formula(own.Text.Upkeep, want), ratio(rate, want), whole(own.Checkpoint(c.Replicas))))
	}
	return t
}

// line begins with who it is about.
func (c *Cost) line(cells ...string) []string {
	p, _ := protocol.Lookup(c.Protocol)
	return append([]string{p.Title, strconv.Itoa(c.Replicas)}, cells...)
}

// formula is an expected number, behind the formula that it comes from.
func formula(text string, n int) string {
	if text == "" {
		return whole(n)
	}
	return text + " = " + whole(n)
}

func (c *Cost) messages() []string {
	a, e, own := &c.Alone, &c.Theory, costsOf(c.Protocol)
	frames, bytes, weigh := a.each(a.Frames()), a.each(a.bytes()), own.Bytes(c.Replicas, a.batch())
	return c.line(strconv.Itoa(c.Faults), number(frames), formula(own.Text.Frames, e.Frames), ratio(frames, e.Frames),
		number(bytes), formula(own.Text.Bytes, weigh), ratio(bytes, weigh))
}

func (c *Cost) signatures() []string {
	a, e, text := &c.Alone, &c.Theory, costsOf(c.Protocol).Text
	made, checked := a.each(a.Signed), a.each(a.Verified)
	return c.line(number(made), formula(text.Signed, e.Signed), ratio(made, e.Signed),
		number(checked), formula(text.Verified, e.Verified), ratio(checked, e.Verified),
		number(a.each(a.Admitted)), formula("n", e.Admitted))
}

func (c *Cost) waiting() []string {
	a, e := &c.Alone, &c.Theory
	return c.line(number(c.Delays), whole(e.Delays), number(c.Syncs), whole(e.Syncs), number(a.each(a.Forced)), formula(costsOf(c.Protocol).Text.Forced, e.Forced))
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

func whole(n int) string { return strconv.Itoa(n) }

// ratio is counted to expected; where both are nothing there is none.
func ratio(counted float64, expected int) string {
	if expected == 0 && counted == 0 {
		return "–"
	}
	return strconv.FormatFloat(counted/float64(expected), 'f', 3, 64)
}
