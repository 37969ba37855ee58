package bounds

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// messageChart is the message sequence chart of a run's decisive steps, with how it
// ended.
type messageChart struct {
	report.Chart
	Values []valueKey // what was voted for, in order of appearance; rows have its index
	Slot   string     // which slot it shows
	Ending []string   // how it ended, in sentences
	Tone   string     // of the ending: good, stopped or bad
	Cut    int        // messages left out
}

// valueKey is a batch or a result under a letter.
type valueKey struct {
	Letter string
	Digest string
}

// maxArrows bounds the messages of a chart: what does not fit on a page
// explains nothing.
const maxArrows = 60

// together is how far apart the deliveries of one frame may lie to share a row.
const together = 50 * time.Millisecond

// drawer turns steps into a chart.
type drawer struct {
	read    func(frame []byte) (protocol.Summary, bool)
	result  *Result
	chart   *messageChart
	ends    map[string]int
	values  map[crypto.Digest]int
	results int                              // how many of the values are results
	heard   map[ballot][]consensus.ReplicaID // who said so
	told    map[string]string                // end -> the leader who told it that the slot is decided
	done    map[int]int                      // end -> its commit's row, plus one
	back    []int                            // crashes of the spec that are over
	open    map[string]int                   // sender and frame -> its last row
}

// ballot is what an end counts the voices for: of PBFT the COMMITs for a batch, of
// Raft and Paxos those who have stored the slot's entry in a term or ballot, of a client the replies
// with one result.
type ballot struct {
	at    string
	view  consensus.View
	seq   consensus.Seq
	value crypto.Digest
}

// newMessageChart makes the chart of a cell that was run in the simulator. It fails if
// nobody can read the protocol's frames.
func newMessageChart(r *Result) (*messageChart, error) {
	p, err := protocol.Of(r.Outcome.Genesis)
	if err != nil {
		return nil, fmt.Errorf("chart of %s: %w", r.ID(), err)
	}
	d := &drawer{
		read: p.Codec(r.Outcome.Genesis).Summary, result: r, chart: &messageChart{}, ends: map[string]int{}, values: map[crypto.Digest]int{},
		heard: map[ballot][]consensus.ReplicaID{}, told: map[string]string{}, done: map[int]int{}, open: map[string]int{},
	}
	d.lifelines()
	for _, s := range r.Outcome.Steps {
		d.returns(s.At)
		d.step(s)
	}
	d.chart.Rows = d.fit(d.chart.Rows)
	d.plainResults()
	d.markFork()
	d.end()
	return d.chart, nil
}

// lifelines makes a column for each client that appears, then the replicas.
func (d *drawer) lifelines() {
	var clients []string
	for _, s := range d.result.Outcome.Steps {
		for _, name := range []string{s.From, s.To} {
			if strings.HasPrefix(name, "C") && !slices.Contains(clients, name) {
				clients = append(clients, name)
			}
		}
	}
	slices.Sort(clients)
	for _, name := range clients {
		d.add(report.Lifeline{Name: name, Client: true})
	}
	for i := range d.result.Spec.Replicas {
		e := report.Lifeline{Name: fmt.Sprintf("R%d", i)}
		for _, t := range d.result.Spec.Traitors {
			if int(t.Replica) == i {
				e.Traitor, e.Note = true, doing(t)
			}
		}
		d.add(e)
	}
}

func (d *drawer) add(l report.Lifeline) {
	d.ends[l.Name] = len(d.chart.Lifelines)
	d.chart.Lifelines = append(d.chart.Lifelines, l)
}

// doing is what a traitor does, in a few words.
func doing(t sim.Traitor) string {
	var all []string
	for _, a := range t.Schedule {
		for _, b := range a.Behaviours {
			if !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	return strings.Join(all, ", ")
}

// step adds what one step shows.
func (d *drawer) step(s sim.Step) {
	from, known := d.ends[s.From]
	if !known {
		if s.Kind == sim.StepFault {
			d.row(report.Fault, s.At, -1, s.Text)
		}
		return
	}
	switch s.Kind {
	case sim.StepSend, sim.StepDeliver:
		d.frame(s, from)
	case sim.StepNote:
		d.fact(s, from)
	case sim.StepExecute:
		d.execution(s, from)
	case sim.StepBelieve:
		d.accepted(s, from)
	case sim.StepFault:
		kind := report.Fault
		if s.Text == string(sim.FaultCrash) {
			kind = report.Crash
		}
		d.row(kind, s.At, from, s.From+": "+s.Text)
	}
}

// row adds a row, which has no value.
func (d *drawer) row(kind report.Kind, at consensus.Time, from int, text string) *report.Row {
	d.chart.Rows = append(d.chart.Rows, report.Row{Kind: kind, At: time.Duration(at), From: from, Text: text, Value: -1})
	return &d.chart.Rows[len(d.chart.Rows)-1]
}

// frame adds a send, or moves its receiver from those in vain to those who got it.
func (d *drawer) frame(s sim.Step, from int) {
	to, known := d.ends[s.To]
	said, understood := d.read(s.Frame)
	if !known || !understood {
		return
	}
	said = said.At(d.result.Outcome.Slot)
	if said.Kind == "ACCEPTED" {
		said.Signer = d.replica(from) // no vote of Paxos says whose it is
	}
	key := s.From + string(s.Frame)
	if d.elects() {
		key = s.From + d.words(said, s.From) // each receiver gets a frame of its own
	}
	i, open := d.open[key]
	if !open || time.Duration(s.At)-d.chart.Rows[i].At > together {
		i = len(d.chart.Rows)
		d.row(report.Message, s.At, from, d.words(said, s.From)).Value = d.value(said)
		d.open[key] = i
	}
	row := &d.chart.Rows[i]
	if s.Kind == sim.StepSend {
		if said.Kind == "COMMIT" {
			d.hear(s.From, said) // its own vote counts the moment it casts it
		}
		row.Lost = append(row.Lost, to)
		return
	}
	if d.down(to, s.At) {
		return // it arrived where nobody was
	}
	d.hear(s.To, said)
	row.Lost = slices.DeleteFunc(row.Lost, func(e int) bool { return e == to })
	if !slices.Contains(row.To, to) {
		row.To = append(row.To, to)
	}
}

// down reports whether a replica is crashed at a moment, by the cell's script.
func (d *drawer) down(end int, at consensus.Time) bool {
	for _, f := range d.result.Spec.Faults {
		for _, id := range f.Replicas {
			if f.Kind == spec.Crash && d.ends[fmt.Sprintf("R%d", id)] == end && at >= f.At && (f.Lasts == 0 || at < f.At+f.Lasts) {
				return true
			}
		}
	}
	return false
}

// returns adds the rows of those who have come back by now.
func (d *drawer) returns(now consensus.Time) {
	for i, f := range d.result.Spec.Faults {
		if f.Kind != spec.Crash || f.Lasts == 0 || f.At+f.Lasts > now || slices.Contains(d.back, i) {
			continue
		}
		d.back = append(d.back, i)
		for _, id := range f.Replicas {
			name := fmt.Sprintf("R%d", id)
			d.row(report.Return, f.At+f.Lasts, d.ends[name], name+" is back")
		}
	}
}

// hear counts a voice as its receiver does, and remembers who told it that the
// slot is decided.
func (d *drawer) hear(at string, s protocol.Summary) {
	slot, b := d.result.Outcome.Slot, ballot{at: at}
	if s.Decided >= slot && s.Decided > 0 {
		d.told[at] = fmt.Sprintf("R%d", s.Signer)
	}
	switch {
	case s.Kind == "COMMIT" && s.Valued:
		b.value = s.Value
	case s.Kind == protocol.KindReply:
		b.seq, b.value = s.Seq, s.Value
	case s.Stored >= slot && s.Stored > 0, s.Kind == "ACCEPTED" && s.Seq == slot:
		b.view = s.View
	default:
		return
	}
	if !slices.Contains(d.heard[b], s.Signer) {
		d.heard[b] = append(d.heard[b], s.Signer)
	}
}

// accepted adds a box; with several results about, it says which one was accepted:
// the first that f+1 have said.
func (d *drawer) accepted(s sim.Step, from int) {
	best, need := -1, d.result.system().Replies()
	for digest, i := range d.values {
		if len(d.heard[ballot{at: s.From, seq: s.Seq, value: digest}]) >= need && (best < 0 || i < best) {
			best = i
		}
	}
	which := "the result"
	if best >= 0 {
		which = d.chart.Values[best].Letter
	}
	d.row(report.Accepted, s.At, from, fmt.Sprintf("%s accepts %s of n=%d", s.From, which, s.Seq)).Value = best
}

// words is a frame's label.
func (d *drawer) words(s protocol.Summary, from string) string {
	text := s.Kind
	switch {
	case s.Kind == protocol.KindRequest || s.Kind == protocol.KindRefused || s.Kind == "CHECKPOINT":
	default:
		text += fmt.Sprintf(" %c%d", d.result.era()[0], s.View)
	}
	if s.Seq != 0 {
		text += fmt.Sprintf(" n%d", s.Seq)
	}
	if v := d.value(s); v >= 0 {
		text += fmt.Sprintf(" %s·%s", d.chart.Values[v].Letter, d.chart.Values[v].Digest)
	}
	if why, _, _ := strings.Cut(s.Text, ":"); why != "" {
		text += " " + why
	}
	if signer := fmt.Sprintf("R%d", s.Signer); s.Signed && signer != from {
		text += " (signed by " + signer + ")"
	}
	return text
}

// value is the index of what is voted for, new ones getting the next letter.
func (d *drawer) value(s protocol.Summary) int {
	if !s.Valued {
		return -1
	}
	if i, known := d.values[s.Value]; known {
		return i
	}
	letter := ""
	if s.Kind == protocol.KindReply {
		d.results++
		letter = fmt.Sprintf("r%d", d.results)
	} else {
		letter = string(rune('A' + (len(d.chart.Values)-d.results)%26))
	}
	v := valueKey{Letter: letter, Digest: s.Value.Short()}
	if s.Value == consensus.NullDigest {
		v.Digest = "null"
	}
	d.values[s.Value] = len(d.chart.Values)
	d.chart.Values = append(d.chart.Values, v)
	return len(d.chart.Values) - 1
}

// fact adds what an engine notes: a certificate, an election won, or a message
// that would have ended the process.
func (d *drawer) fact(s sim.Step, from int) {
	switch {
	case s.Note == nil:
	case s.Note.Kind == consensus.Committed && !d.elects():
		d.commit(s, from)
	case s.Note.Kind == consensus.Committed && s.Note.Reason != "":
		d.row(report.Term, s.At, from, fmt.Sprintf("%s knows n=%d: %s", s.From, s.Note.Seq, s.Note.Reason))
	case s.Note.Kind == consensus.EnteredView && d.elects():
		d.row(report.Term, s.At, from, fmt.Sprintf("%s leads %s %d", s.From, d.result.era(), s.Note.View))
	case s.Note.Kind == consensus.Ignored:
		d.row(report.Fault, s.At, from, s.From+" drops what would crash it")
	}
}

// commit adds a box with the certificate that is complete there.
func (d *drawer) commit(s sim.Step, from int) {
	basis := " · by another's certificate"
	if signers := d.heard[ballot{at: s.From, value: s.Note.Digest}]; len(signers) > 0 {
		basis = " · COMMIT by " + replicas(slices.Sorted(slices.Values(signers)))
	}
	d.box(s.At, from, fmt.Sprintf("commits n=%d", s.Note.Seq), s.Note.Digest, basis)
	d.done[from] = len(d.chart.Rows)
}

// box adds a box for an execution, with what it rests on.
func (d *drawer) box(at consensus.Time, from int, text string, batch crypto.Digest, basis string) {
	i, known := d.values[batch]
	if !known {
		i = -1
	} else {
		text += " " + d.chart.Values[i].Letter
	}
	d.row(report.Execution, at, from, text+basis).Value = i
}

// execution says so at the box of the commit before it, or adds a box where
// there was none, as after a transfer.
func (d *drawer) execution(s sim.Step, from int) {
	text := fmt.Sprintf("executes n=%d", s.Seq)
	if d.elects() {
		d.box(s.At, from, text, s.Digest, d.stored(s, from))
	} else if i := d.done[from]; i > 0 {
		row := &d.chart.Rows[i-1]
		row.Text = strings.Replace(row.Text, "commits n=", "executes n=", 1)
	} else {
		d.row(report.Execution, s.At, from, text)
	}
}

// stored is what an execution rests on: a majority that acknowledged the entry to
// this leader, or a leader's word.
func (d *drawer) stored(s sim.Step, from int) string {
	self := d.replica(from)
	if have := d.heard[ballot{at: s.From, view: s.View}]; len(have) > 0 {
		have = append(slices.Clone(have), self)
		slices.Sort(have)
		return " · stored by " + replicas(slices.Compact(have))
	} else if by, known := d.told[s.From]; known {
		return " · on the word of " + by
	}
	return ""
}

// replica is whose lifeline an end is, if it is no client's.
func (d *drawer) replica(end int) consensus.ReplicaID {
	return consensus.ReplicaID(end - len(d.chart.Lifelines) + d.result.Spec.Replicas)
}

// elects reports whether the protocol elects its leaders.
func (d *drawer) elects() bool { return d.result.Spec.UnderTest().Elected }

// replicas lists names.
func replicas(ids []consensus.ReplicaID) string { return spec.List(ids, "R%d", " ") }
