package bounds

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/report"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/sim"
)

// sectionSplit shows what each side of a split network answers its clients.
const sectionSplit = "consistency when the network splits"

// How long a caller waits, and how long the network is split: a few of its calls.
const (
	deadline = 2 * sim.Second
	splits   = 6 * sim.Second
)

// Split is what theory says of the calls made while the network is split.
type Split struct {
	From, To consensus.Time
	Answered []int // clients on a side that decides; all others get no answer
}

// split holds the calls against theory: the side that decides answers, and the
// other one answers nothing, says why, and never says that something is done.
func (c *Cell) split(o *spec.Outcome) string {
	if c.Split == nil || o.Calls == nil {
		return ""
	}
	served, refused := make([]int, c.Spec.Clients), make([]int, c.Spec.Clients)
	for _, call := range o.Calls {
		switch within := call.Asked > c.Split.From && call.Ended > 0 && call.Ended < c.Split.To; {
		case !within:
		case call.Error == "":
			served[call.Client]++
		case !c.Spec.UnderTest().Elected || strings.Contains(call.Error, session.ErrNoLeader.Error()):
			refused[call.Client]++
		case !strings.Contains(call.Error, session.ErrUnknown.Error()): // which is true until it is known that nobody leads
			return fmt.Sprintf("C%d is refused without a reason: %s", call.Client, call.Error)
		}
	}
	for client := range c.Spec.Clients {
		switch decides := slices.Contains(c.Split.Answered, client); {
		case decides && served[client] == 0:
			return fmt.Sprintf("C%d is with a quorum and got no answer while the network was split", client)
		case !decides && served[client] > 0:
			return fmt.Sprintf("C%d is with no quorum and got %d answers while the network was split", client, served[client])
		case !decides && refused[client] == 0:
			return fmt.Sprintf("C%d is with no quorum and was told nothing while the network was split", client)
		}
	}
	return ""
}

// splitCells are the rows of that section. Client 0 is with the first replicas,
// and with the leader; client 1 with the others.
func splitCells() []Cell {
	var all []Cell
	for _, row := range []struct {
		name              string
		raft, paxos, pbft string
		answered          []int
		part              func(s *spec.Spec, f int)
	}{
		{"a minority refuses, the majority goes on",
			"The leader is cut off with f-1 others and its client. It hears no majority and steps down; its side refuses reads like writes, for an answer could be out of date. The other side elects a leader and answers. A write that the minority had taken may yet be decided, or not: its caller is told that the outcome is unknown, never that it is done. No answered write is lost when the network is whole.",
			"The leader is cut off with f-1 others and its client. It hears no majority and steps down; its side refuses reads like writes, for an answer could be out of date. The other side prepares a higher ballot and answers. A write that the minority had taken may yet be chosen, or not: its caller is told that the outcome is unknown, never that it is done. No answered write is lost when the network is whole.",
			"The primary is cut off with f-1 others and its client. f replicas are no quorum and cannot answer f+1 times from anything that is decided, so that its client waits, for reads like for writes, until it gives up: outcome unknown. The other side changes the view and answers. No answered write is lost when the network is whole. (In the simulator alone: a client of processes cannot be cut off from all but f of them.)",
			[]int{1},
			func(s *spec.Spec, f int) { s.Faults = []spec.Fault{cutOff(first(f), []int{0}, faultAt, splits)} }},
		{"nobody has a majority, and nobody answers",
			"Split so that no side has a majority, all sides refuse reads and writes. The price of never answering two truths is to answer none.",
			"Split so that no side has a majority, no ballot gets its promises, and all sides refuse reads and writes.",
			"Split in halves, neither has a quorum. Both clients are told, when they give up, that the outcome is unknown.",
			nil,
			func(s *spec.Spec, _ int) { evenly(s, splits) }},
	} {
		for _, size := range sizes {
			s := spec.Spec{
				Name: row.name, Protocol: size.protocol, Replicas: size.replicas, Clients: 2, Invoked: 24, Think: 300 * sim.Millisecond,
				Deadline: deadline, Seed: 1, RealKeys: true, Forward: first(1),
			}
			row.part(&s, s.System().Faults())
			all = append(all, Cell{
				Section: sectionSplit, Row: row.name, Spec: s, Theory: []string{spec.Live}, Why: of(size.protocol, row.raft, row.paxos, row.pbft), Source: sourceCut, Real: row.answered == nil || s.System().Replies() == 1,
				Split: &Split{From: faultAt, To: faultAt + splits, Answered: row.answered},
			})
		}
	}
	return all
}

// during are the calls that were under way while the network was split, and the
// first ones after.
func (r *Result) during() []spec.Call {
	var all []spec.Call
	for _, c := range r.Outcome.Calls {
		if (c.Ended == 0 || c.Ended >= r.Split.From) && c.Asked <= r.Split.To+100*sim.Millisecond {
			all = append(all, c)
		}
	}
	return all
}

// maxCalls bounds the calls of a split.
const maxCalls = 24

// splitCalls are what each side of a split network answered, and how many calls were
// left out. Of those that were answered at once the first few will do.
func (r *Result) splitCalls() (calls report.Table, cut int) {
	if r.Split == nil {
		return calls, 0
	}
	calls = report.Table{
		Class: "small", Title: "What each side answered",
		Heads: []report.Cell{{Text: "asked"}, {Text: "by"}, {Text: "with"}, {Text: "call"}, {Text: "answer"}, {Text: "after"}},
	}
	for _, c := range r.during() {
		if len(calls.Rows) == maxCalls {
			cut++
			continue
		}
		calls.Rows = append(calls.Rows, r.callRow(&c))
	}
	return calls, cut
}

// callRow is one call.
func (r *Result) callRow(c *spec.Call) []report.Cell {
	var took report.Cell
	if c.Ended > 0 {
		took.Text = time.Duration(c.Ended - c.Asked).Round(time.Millisecond).String()
	}
	answer := report.Cell{Tone: "stopped"}
	switch {
	case c.Error == "" && c.Ended == 0:
		answer.Text = "no answer"
	case c.Error == "":
		answer = report.Cell{Tone: "good", Text: fmt.Sprintf("done, at n=%d", c.Seq)}
		if c.Ended > r.Split.To && c.Asked < r.Split.To {
			answer.Text += ", when the network was whole"
		}
	case strings.Contains(c.Error, session.ErrUnknown.Error()):
		answer.Text = reasoned(c.Error, "outcome unknown")
	default:
		answer.Text = reasoned(c.Error, "not executed")
	}
	return []report.Cell{
		{Text: report.Clock(time.Duration(c.Asked))}, {Text: fmt.Sprintf("C%d", c.Client)}, {Text: r.side(c.Client)}, {Text: c.Operation}, answer, took,
	}
}

// reasoned is what a caller was told, with the reason if there was one.
func reasoned(text, what string) string {
	if strings.Contains(text, session.ErrNoLeader.Error()) {
		return "refused, " + what + ": " + session.ErrNoLeader.Error()
	}
	return "gave up: " + what
}

// side lists the replicas within reach of a client while the network is split.
func (r *Result) side(client int) string {
	var ids []consensus.ReplicaID
	for id := range consensus.ReplicaID(r.Spec.Replicas) {
		apart := false
		for _, f := range r.Spec.Faults {
			apart = apart || slices.Contains(f.Replicas, id) != slices.Contains(f.Clients, client)
		}
		if !apart {
			ids = append(ids, id)
		}
	}
	return replicas(ids)
}
