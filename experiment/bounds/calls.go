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
)

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
