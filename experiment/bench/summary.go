package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/table"
)

// row is one line of the table of figures.
type row struct {
	load, who string
	ratio     bool
	series    int // of a side; peers follow behind the sides; -1 = none
	figures
}

// rows are all figures and ratios, load by load: the sides and their ratio, then peers,
// each with what the sides reached of it.
func (r *Report) rows() (all []row) {
	summaries, ratios := r.summaries(), r.ratios()
	for i := range r.Loads {
		load := r.Loads[i].Name
		for _, s := range summaries {
			if s.Load == load {
				side := slices.Index(r.Sides, s.Side)
				all = append(all, row{load: load, who: r.who(side), series: side, figures: s.figures})
			}
		}
		last := ""
		for _, x := range ratios {
			switch {
			case x.Load != load:
				continue
			case x.peer == nil:
				who := "ratio"
				if len(r.Sides) > 2 {
					who += " to " + x.To
				}
				all = append(all, row{load: load, who: who, ratio: true, series: -1, figures: x.figures})
				continue
			case x.To != last:
				last = x.To
				all = append(all, row{load: load, who: x.To, series: len(r.Sides), figures: figuresOf(x.peer.samples())})
			}
			all = append(all, row{load: load, who: strings.TrimSuffix("ratio, "+r.who(slices.Index(r.Sides, x.Of)), ", "), ratio: true, series: -1, figures: x.figures})
		}
	}
	return all
}

// who names a side; the only one has the name of its protocol.
func (r *Report) who(side int) string {
	if name := r.Sides[side]; name != "" || len(r.Results) == 0 {
		return name
	}
	return r.Results[0].Protocol
}

// text is a figure with its spread, where there is any.
func (f *figure) text(ratio bool) string {
	print := brief
	if ratio {
		print = func(v float64) string { return fmt.Sprintf("%.2f", v) }
	}
	switch {
	case f == nil:
		return "–"
	case f.Least == f.Most:
		return print(f.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", print(f.Median), print(f.Least), print(f.Most))
}

// WriteText writes the figures of all loads and sides as a table for a terminal of so
// many columns; 0 = any width.
func (r *Report) WriteText(w io.Writer, columns int) error {
	rows := r.rows()
	if len(rows) == 0 {
		return nil
	}
	head := "Figures of one round:"
	if r.Rounds > 1 {
		head = fmt.Sprintf("Medians of %d rounds, and the least and the greatest of one round:", r.Rounds)
	}
	if _, err := fmt.Fprintln(w, strings.Join(table.Wrap(head, columns), "\n")); err != nil {
		return err
	}
	t := table.Table{Indent: "  "}
	t.Row("LOAD", "OF", "OPERATIONS/s", "P50 ms", "P99 ms", "MAX ms", "LONGEST GAP ms", "CPU µs")
	last := ""
	for _, x := range rows {
		load := x.load
		if load == last {
			load = ""
		}
		last = x.load
		t.Row(load, x.who, x.Throughput.text(x.ratio), x.P50.text(x.ratio), x.P99.text(x.ratio), x.Max.text(x.ratio), x.Gap.text(x.ratio), x.CPU.text(x.ratio))
	}
	if err := t.Write(w, columns); err != nil {
		return err
	}
	if r.Peers != nil && r.Peers.Note != "" {
		_, err := fmt.Fprintln(w, strings.Join(table.Wrap("Of others: "+r.Peers.Note, columns), "\n"))
		return err
	}
	return nil
}

// Objects are the figures for programs: summaries, then ratios.
func (r *Report) Objects() (all []any) {
	for _, s := range r.summaries() {
		all = append(all, s)
	}
	for _, x := range r.ratios() {
		all = append(all, x)
	}
	return all
}
