package pending

import (
	"iter"

	"quorate.dev/quorate/consensus"
)

// Leader is what a client that is refused is told of where to go.
type Leader struct {
	View    consensus.View
	Primary consensus.ReplicaID
}

// Submit admits a request and puts out what can be said of it at once: the
// answer of its session if it was executed, a refusal if there is a reason. The
// entry is that of a request that waits; whom to tell of it is the engine's to
// know.
func (p *Pool) Submit(out *consensus.Outbox, s consensus.Submit, tick int, who Leader) (*Entry, Fate) {
	e, fate, code := p.admit(s.Request, s.Via, tick)
	switch {
	case fate == Executed && p.retell(s.Request, tick):
		out.Do(consensus.Answer{Request: s.Request})
	case fate == Refused:
		explain(out, s.Via, s.Request, code, who, p.times(s.Request, code))
	}
	return e, fate
}

// decline tells a client why not. A replica that forwards hears nothing: it asks
// again.
func decline(out *consensus.Outbox, via consensus.Peer, q *consensus.Request, code consensus.RefusalCode, who Leader) {
	explain(out, via, q, code, who, consensus.Times{})
}

// explain is decline with the times that stand behind it.
func explain(out *consensus.Outbox, via consensus.Peer, q *consensus.Request, code consensus.RefusalCode, who Leader, t consensus.Times) {
	if via.Kind != consensus.PeerClient {
		return
	}
	out.Refusals = append(out.Refusals, consensus.Refusal{
		Client: q.Client, Request: q.Digest, Sequence: q.Sequence, Code: code, View: who.View, Primary: who.Primary, Times: t,
	})
}

// MaxForwards bounds the requests told again in one tick.
const MaxForwards = 64

// largeRequest is a size that makes telling a request again a burden: one of
// megabytes, told by everybody every half second, would keep the primary from
// what it is told of.
const largeRequest = 512 << 10 // bytes

// Due walks through the oldest requests that nobody was told of for so many
// ticks, at most so many of them. The caller says in Told whom it told.
func (p *Pool) Due(tick, every, most int) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for e := range p.byAge() {
			if most == 0 || tick-e.Since < every {
				return // ordered by age
			}
			if tick-e.Told < every*(1+len(e.Request.Raw)/largeRequest) {
				continue
			}
			if most--; !yield(e) {
				return
			}
		}
	}
}

// AskSession has the session table asked of a request that waits long: a
// restart or a state transfer may have gone past its execution, and then nobody
// will ever propose it. Not too often: answers stand in the queue of execution.
func (p *Pool) AskSession(out *consensus.Outbox, e *Entry, tick int) {
	if e.Asked >= 0 && tick-e.Asked <= p.cfg.Ask {
		return
	}
	e.Asked = tick
	out.Do(consensus.Answer{Request: e.Request})
}

// DropStale forgets the oldest requests whose sequence has become stale: their
// client went on with a later epoch, or far beyond their counter, so that nobody
// will propose them. Waiting for them would depose an honest primary (§6).
func (p *Pool) DropStale(out *consensus.Outbox) {
	for e := p.Oldest(); e != nil && p.standingOf(e.Request) == done; e = p.Oldest() {
		p.Remove(KeyOf(e.Request))
		out.Do(consensus.Answer{Request: e.Request})
	}
}

// Readmit makes requests wait again that stood in a batch which the new view
// dropped.
func (p *Pool) Readmit(b *consensus.Batch, tick int) {
	if b == nil {
		return
	}
	lane := p.ClientLane()
	for _, q := range b.Requests {
		if p.find(KeyOf(q)) == nil && p.standingOf(q) == fresh && !p.full(lane, q) {
			p.add(q, lane, tick)
		}
	}
}
