package decree

import (
	"fmt"
	"io"
	"strings"

	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/internal/table"
)

// WriteText prints a decision message by message, and the verdict.
func (r *Run) WriteText(w io.Writer) error {
	var b strings.Builder
	wide := 0
	for i := range r.Steps {
		wide = max(wide, len([]rune(r.Steps[i].route())))
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Kind != "message" {
			fmt.Fprintf(&b, "%8.1f ms  %s %s\n", s.Millis, map[string]string{"chosen": "●", "knows": "✓", "crash": "✗"}[s.Kind], s.Text)
			continue
		}
		fmt.Fprintf(&b, "%8.1f ms  %-*s  %s", s.Millis, wide, s.route(), s.Text)
		if len(s.Lost) > 0 {
			fmt.Fprintf(&b, "   (not received by %s)", strings.Join(s.Lost, " "))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for _, line := range r.Verdict.lines() {
		fmt.Fprintf(&b, "%-11s  %s: %s\n", line.name, line.here, line.says)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// route is from whom a message went to whom.
func (s *Step) route() string {
	return s.From + " → " + strings.Join(append(append([]string{}, s.To...), s.Lost...), " ")
}

// line is what is said of one promise.
type line struct {
	name, here, says string
	kept             bool
}

// lines are the four promises of consensus, and what became of them.
func (v *Verdict) lines() []line {
	here := map[bool]string{true: "holds", false: "is broken"}
	return []line{
		{"agreement", here[v.Agreement], "at most one value is chosen, and whoever knows one knows that", v.Agreement},
		{"validity", here[v.Validity], "it is a value that a proposer proposed", v.Validity},
		{"integrity", here[v.Integrity], "no learner changed its mind", v.Integrity},
		{"termination", "not promised", v.Termination, true},
	}
}

// table is what the duels showed, with its heading.
func (d *Duel) table() [][]string {
	rows := [][]string{{"schedule", "cure", "decided", "rounds", "90 %", "most", "time"}}
	for i := range d.Rows {
		r := &d.Rows[i]
		row := []string{r.Schedule, r.name(), fmt.Sprintf("%d of %d", r.Decided, r.Runs)}
		if r.Decided == 0 {
			row = append(row, fmt.Sprintf("none in %d", d.Limit), "", "", "")
		} else {
			row = append(row, fmt.Sprint(r.quantile(0.5)), fmt.Sprint(r.quantile(0.9)), fmt.Sprint(r.quantile(1)), fmt.Sprintf("%.0f ms", r.Millis))
		}
		rows = append(rows, row)
	}
	return rows
}

// WriteText prints what the duels showed, for a terminal of so many columns; 0 is
// any.
func (d *Duel) WriteText(w io.Writer, columns int) error {
	t := table.Table{Rows: d.table()}
	if err := t.Write(w, columns); err != nil {
		return err
	}
	if columns <= 0 {
		columns = 100
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(table.Wrap(d.legend(), columns), "\n"))
	return err
}

// legend explains the table.
func (d *Duel) legend() string {
	return fmt.Sprintf("By the adversary each ACCEPT arrives after the other's PREPARE. By the clock a message takes 5 to 6 ms, or an ACCEPT 20 or 50 ms more, for its value. "+
		"Who is preempted prepares again at once, or with back-off W after W to 2W attempts of %.0f ms, which is what one takes with the slowest ACCEPTs if nobody disturbs it. "+
		"Rounds are attempts of both proposers together: the median, what nine of ten runs stay within, and the most. A run without a decision in %d counts as undecided. The time is the median until a value is chosen.", d.Attempt, d.Limit)
}

// lines say what the adversary did.
func (f *FLP) lines() []string {
	var kinds []string
	for k := prepare; k <= reject; k++ {
		kinds = append(kinds, fmt.Sprintf("%d %v", f.Kinds[k.String()], k))
	}
	first := []string{fmt.Sprintf("in %s the oldest message arrived at once", noun.Several(f.Extra[0], "round"))}
	for n, rounds := range f.Extra[1:] {
		if rounds > 0 {
			first = append(first, fmt.Sprintf("in %d after %s", rounds, noun.Several(n+1, "other")))
		}
	}
	return []string{
		fmt.Sprintf("%s: nothing is decided.", noun.Several(f.Steps, "round")),
		fmt.Sprintf("%s arrived: %s. None was lost, nobody crashed, and none waited for more than %s; %d are still under way.",
			noun.Several(f.Delivered, "message"), strings.Join(kinds, ", "), several(f.Waited), f.Pending),
		strings.ToUpper(strings.Join(first, ", ")[:1]) + strings.Join(first, ", ")[1:] + ".",
		fmt.Sprintf("After each round both outcomes were still possible: P0 alone has x chosen, within %s; P1 alone has y chosen, within %d.", several(f.Solo[0]), f.Solo[1]),
		fmt.Sprintf("Ballots reached: %d by P0, %d by P1.", f.Ballots[0], f.Ballots[1]),
	}
}

func several(deliveries int) string {
	if deliveries == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", deliveries)
}

// ends says how the run ended without the adversary.
func (f *FLP) ends() string {
	how := map[string]string{
		random:  fmt.Sprintf("Then messages arrive in a random order (seed %d)", f.Seed),
		backoff: fmt.Sprintf("Then messages arrive in the order in which they were sent, and a proposer that is preempted waits for a random time (seed %d)", f.Seed),
		leader:  "Then messages arrive in the order in which they were sent, and P1, once it is preempted, leaves it to P0",
	}[f.Then]
	return fmt.Sprintf("%s: %s is chosen after %s, and the learner knows after %d.", how, f.Chosen, several(f.After), f.Known)
}

// shows says what such a run shows, and what not.
func (f *FLP) shows() []string {
	return []string{
		"This is one schedule that keeps one protocol undecided, for as long as it was asked to. Fischer, Lynch and Paterson (1985) prove more: where messages may take any time and one process may crash, " +
			"every deterministic protocol that agrees has such a schedule, without an end.",
		"It does not show that such a schedule is likely: who looks ahead chooses each delivery. A random order and random waits end it with probability 1, without a bound on the time; a leader that stays ends it for certain.",
		"It does not show that anything goes wrong: at no time were two values chosen, nor can they be.",
	}
}

// WriteText prints it, for a terminal of so many columns; 0 is any.
func (f *FLP) WriteText(w io.Writer, columns int) error {
	text := append(append(f.lines(), "", f.ends(), ""), f.shows()...)
	if columns <= 0 {
		columns = 100
	}
	for _, line := range text {
		if _, err := fmt.Fprintln(w, strings.Join(table.Wrap(line, columns), "\n")); err != nil {
			return err
		}
	}
	return nil
}
