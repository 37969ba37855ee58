package bounds

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/noun"
)

// fit leaves out what does not fit: replies first, then what comes last before
// the end.
func (d *drawer) fit(rows []report.Row) []report.Row {
	excess := -maxArrows
	for _, r := range rows {
		if r.Kind == report.Message {
			excess++
		}
	}
	if excess <= 0 {
		return rows
	}
	drop := map[int]bool{}
	for pass := range 2 {
		for i := len(rows) - 1; i >= 0 && len(drop) < excess; i-- {
			if rows[i].Kind == report.Message && (pass == 1 || strings.HasPrefix(rows[i].Text, "REPLY")) {
				drop[i] = true
			}
		}
	}
	d.chart.Cut = len(drop)
	at := -1
	return slices.DeleteFunc(rows, func(report.Row) bool {
		at++
		return drop[at]
	})
}

// plainResults takes the colour off results that nobody disputes: it is for
// telling values apart.
func (d *drawer) plainResults() {
	if d.results != 1 {
		return
	}
	at := slices.IndexFunc(d.chart.Values, func(v valueKey) bool { return v.Letter == "r1" })
	d.chart.Values = slices.Delete(d.chart.Values, at, at+1)
	for i := range d.chart.Rows {
		r := &d.chart.Rows[i]
		if r.Value == at {
			r.Value = -1
			r.Text = strings.Replace(strings.Replace(r.Text, " r1·", " ", 1), "accepts r1 of", "accepts the result of", 1)
		} else if r.Value > at {
			r.Value--
		}
	}
}

// markFork marks the executions of honest replicas that exclude each other.
func (d *drawer) markFork() {
	if !d.result.Outcome.Verdict.Forked {
		return
	}
	values := map[int]bool{}
	for _, r := range d.chart.Rows {
		if r.Kind == report.Execution && r.Value >= 0 && !d.chart.Lifelines[r.From].Traitor {
			values[r.Value] = true
		}
	}
	for i := range d.chart.Rows {
		r := &d.chart.Rows[i]
		r.Fork = len(values) > 1 && r.Kind == report.Execution && !d.chart.Lifelines[r.From].Traitor
	}
}

// end says how it ended and why.
func (d *drawer) end() {
	o, c := &d.result.Outcome, d.chart
	c.Slot = d.slot()
	switch o.Word() {
	case spec.Forked:
		c.Tone, c.Ending = "bad", d.forked()
	case spec.Deceived:
		c.Tone = "bad"
		c.Ending = []string{"A client was deceived: it believed equal replies that no honest replica sent. Replies are authentic by their channel only, so that nobody can be shown to have lied."}
	case spec.Stopped:
		c.Tone, c.Ending = "stopped", d.lacking()
	case spec.Live:
		c.Tone = "good"
		c.Ending = []string{fmt.Sprintf("Safe and live: %d of %s answered, highest %s %d.", o.Answered, noun.Several(o.Asked, "operation"), d.result.era(), o.Views)}
	default:
		c.Tone = "bad"
		for _, v := range o.Verdict.Violations {
			if text := string(v.Kind) + ": " + v.Text; len(c.Ending) < maxLacks && !slices.Contains(c.Ending, text) {
				c.Ending = append(c.Ending, text)
			}
		}
		if d.result.unprovable() {
			c.Ending = append(c.Ending, d.unprovable())
		}
	}
}

// slot names what the chart shows.
func (d *drawer) slot() string {
	for _, r := range d.result.Outcome.Steps {
		s, ok := d.read(r.Frame)
		if s = s.At(d.result.Outcome.Slot); !ok || s.Seq == 0 {
			continue
		}
		return fmt.Sprintf("%s %d", d.result.Spec.UnderTest().Words.Place, s.Seq)
	}
	return "what was said while nothing was ordered"
}

// era is what the protocol calls the time of one primary or leader.
func (r *Result) era() string { return r.Spec.UnderTest().Words.View }

// forked says who executed what, and who is convicted of it.
func (d *drawer) forked() []string {
	who := map[string][]string{}
	var order []string
	for _, r := range d.chart.Rows {
		if r.Kind != report.Execution || r.Value < 0 || d.chart.Lifelines[r.From].Traitor {
			continue
		}
		letter := d.chart.Values[r.Value].Letter
		if !slices.Contains(order, letter) {
			order = append(order, letter)
		}
		who[letter] = append(who[letter], d.chart.Lifelines[r.From].Name)
	}
	text := fmt.Sprintf("Fork at n=%d", d.result.Outcome.Verdict.ForkAt)
	for i, letter := range order {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		slices.Sort(who[letter])
		text += sep + strings.Join(who[letter], " ") + " executed " + letter
	}
	lines := []string{text + "."}
	if named := d.result.Outcome.Verdict.Culprits; len(named) > 0 {
		lines = append(lines, fmt.Sprintf("Evidence convicts %s.", replicas(named)))
		for _, e := range foremost(d.result.Outcome.Verdict.Evidence) {
			if len(lines) <= maxLacks {
				lines = append(lines, "Proof: "+e.Fault.String()+".")
			}
		}
	} else if d.elects() {
		lines = append(lines, d.unprovable())
	}
	return append(lines, d.lost()...)
}

// unprovable is why a fork of Raft has no culprit.
func (d *drawer) unprovable() string {
	if len(d.result.Spec.Traitors) == 0 {
		return "Nobody lied: a member forgot what it had acknowledged, and voted on."
	}
	return "Nobody can be convicted: members sign nothing, and whoever shows what he received could have made it himself."
}

// lost says which answer did not stay.
func (d *drawer) lost() []string {
	for _, v := range d.result.Outcome.Verdict.Violations {
		if v.Kind == check.Lost {
			return []string{"Answers did not stay: " + v.Text + "."}
		}
	}
	return nil
}

// foremost puts the first proof against each culprit before all others.
func foremost(all []evidence.Entry) []evidence.Entry {
	var ahead, behind []evidence.Entry
	seen := map[consensus.ReplicaID]bool{}
	for _, e := range all {
		if seen[e.Fault.Replica] {
			behind = append(behind, e)
		} else {
			ahead = append(ahead, e)
		}
		seen[e.Fault.Replica] = true
	}
	return append(ahead, behind...)
}

// maxLacks bounds the sentences of an ending.
const maxLacks = 5

// lacking says what is missing, and whom: each replica's own word.
func (d *drawer) lacking() []string {
	lines := []string{fmt.Sprintf("Safe, but stopped: %d of %s answered.", d.result.Outcome.Answered, noun.Several(d.result.Outcome.Asked, "operation"))}
	for _, s := range d.result.Outcome.Statuses {
		if d.result.Spec.Lies(s.Replica) || len(s.Waiting) == 0 || len(lines) > maxLacks {
			continue
		}
		w := s.Waiting[0]
		text := fmt.Sprintf("R%d waits for %s", s.Replica, w.What)
		if w.InView {
			text += fmt.Sprintf(" in %s %d", d.result.era(), w.View)
		}
		if w.Seq != 0 {
			text += fmt.Sprintf(", n=%d", w.Seq)
		}
		if w.Need > 0 {
			text += fmt.Sprintf(": %d of %d", len(w.Have), w.Need)
		}
		if len(w.Missing) > 0 {
			text += ", lacking " + replicas(w.Missing)
		}
		lines = append(lines, text+".")
	}
	return lines
}
