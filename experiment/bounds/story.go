package bounds

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
)

// maxCalls bounds the calls of a story.
const maxCalls = 24

// story is what each side of a split network answered, and how many calls were
// left out. Of those that were answered at once the first few will do.
func (r *Result) story() (calls []pageCall, cut int) {
	if r.Split == nil {
		return nil, 0
	}
	for _, c := range r.during() {
		if len(calls) == maxCalls {
			cut++
			continue
		}
		calls = append(calls, r.tale(&c))
	}
	return calls, cut
}

// tale is one call.
func (r *Result) tale(c *spec.Call) pageCall {
	p := pageCall{Asked: clock(c.Asked), Client: fmt.Sprintf("C%d", c.Client), Side: r.side(c.Client), Operation: c.Operation, Took: "–"}
	if c.Ended > 0 {
		p.Took = brief(time.Duration(c.Ended-c.Asked).Round(time.Millisecond).String(), 10)
	}
	switch {
	case c.Error == "" && c.Ended == 0:
		p.Tone, p.Answer = "stopped", "no answer"
	case c.Error == "":
		p.Tone, p.Answer = "good", fmt.Sprintf("done, at n=%d", c.Seq)
		if c.Ended > r.Split.To && c.Asked < r.Split.To {
			p.Answer += ", when the network was whole"
		}
	case strings.Contains(c.Error, session.ErrUnknown.Error()):
		p.Tone, p.Answer = "stopped", reasoned(c.Error, "outcome unknown")
	default:
		p.Tone, p.Answer = "stopped", reasoned(c.Error, "not executed")
	}
	return p
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
