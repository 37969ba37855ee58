package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// peers are the replicas by id, this one included.
type peers []peer

// peer is what this replica remembers of another one.
type peer struct {
	heard    int            // tick of its last STATUS; -1 never
	executed consensus.Seq  // as of its last STATUS
	doubt    int            // tick until which it is given its own words back
	nonce    uint64         // its rejoin that we help
	rejoin   int            // tick at which that began; -1 never
	spent    int            // tick until which its rejoins are paid for (mayRejoin)
	answered int            // tick at which a REJOIN was answered last; -1 never
	fill     consensus.Seq  // the checkpoint that it waits for; 0 none
	fillCap  consensus.Seq  // until where it is helped at most
	before   consensus.View // of a VIEW-CHANGE of it that was here while it slept: said before it lost its log
	joinTo   consensus.View // until there we follow its VIEW-CHANGE in this rejoin; 0 it is not seen yet
	alone    int            // ticks for which it has been asking for the next view
	slow     bool           // it finds the primary slow, as of its last STATUS
	view     consensus.View // ... of this view
	liar     bool           // it has signed badly: what its channel brings is verified before it counts
	helped   repetition     // of help, for as long as its STATUS says the same
}

func newPeers(n int) peers {
	list := make(peers, n)
	for i := range list {
		list[i] = peer{heard: -1, rejoin: -1, answered: -1}
	}
	return list
}

// other picks a replica that is not self, a different one at each attempt.
func (ps peers) other(self consensus.ReplicaID, attempt int) consensus.ReplicaID {
	n := len(ps)
	return consensus.ReplicaID((int(self) + 1 + attempt%max(1, n-1)) % n)
}

// heardSince reports whether a STATUS came at that tick or later.
func (p *peer) heardSince(tick int) bool { return p.heard >= max(0, tick) }

// findsSlow reports whether a peer finds the primary of a view slow, as of a STATUS
// that came at that tick or later.
func (p *peer) findsSlow(v consensus.View, since int) bool {
	return p.slow && p.view == v && p.heardSince(since)
}

// wants takes in whether a peer stands where its last STATUS said, and reports
// whether it is to be helped now. Who is slow, and short of nothing, would be
// slower for each repetition, and so would all others, until nobody does anything
// but repeat.
func (p *peer) wants(stands bool) bool {
	if !stands {
		p.helped = repetition{}
	}
	return p.helped.due()
}

// repetition spaces out what is said again while nothing changes: at once, and then
// ever more seldom.
type repetition struct{ asked int }

// maxSilent is how many occasions go by without a repetition at most.
const maxSilent = 8

// due reports whether this occasion, of those that come at an even pace, is one to
// say it again. The first one is.
func (r *repetition) due() bool {
	n := r.asked
	r.asked++
	return n&(n-1) == 0 || n%maxSilent == 0
}

// restarts looks for a restart in a STATUS: it comes after a silence, or from a
// peer that has gone back. For some time then it may not know what it has said.
func (p *peer) restarts(executed consensus.Seq, tick, every int) {
	if p.heard < 0 || tick-p.heard > 2*every || executed < p.executed {
		p.doubt = tick + 8*every
	}
}

// A peer is helped to rejoin four times, soon after each other, and then once in
// sixteen times the least pause. For each time an idle cluster fills some windows
// and changes some views, and who says for ever that it has lost its disk would
// keep it busy with nothing else: who is a window behind would never be level again.
const (
	rejoinsAtOnce = 4
	rejoinPauses  = 16
)

// mayRejoin reports whether a peer is helped to rejoin once more, with so many ticks
// between two times at least.
func (p *peer) mayRejoin(tick, every int) bool {
	return p.rejoin < 0 || tick-p.rejoin >= every && p.spent-tick <= (rejoinsAtOnce-1)*rejoinPauses*every
}

// rejoins begins to help a peer, up to a slot.
func (p *peer) rejoins(nonce uint64, tick, every int, fillCap consensus.Seq) {
	p.spent = max(p.spent, tick) + rejoinPauses*every
	p.nonce, p.rejoin, p.joinTo, p.fillCap, p.before = nonce, tick, 0, fillCap, 0
}

// sleeps notes that a peer signs nothing. A VIEW-CHANGE of it that is here is of
// its forgotten life, and says nothing of the view in which it may vote again.
func (p *peer) sleeps(vc *message.ViewChange) {
	if vc != nil {
		p.before = max(p.before, vc.View)
	}
}

// mayAsk reports whether a REJOIN is to be answered, which is so once in a while
// however often it comes: who rejoins asks every so many ticks, and an answer can
// be a hundred thousand times as large as the question.
func (p *peer) mayAsk(tick, every int) bool {
	if p.answered >= 0 && tick-p.answered < max(1, every/2) {
		return false // half of it: messages are late by turns
	}
	p.answered = tick
	return true
}

// follow reports whether the VIEW-CHANGE of a peer that has rejoined since a
// tick is a reason to go for the next view. How far it is followed is settled by
// the first one that is seen: a traitor that is always some views ahead would
// else have the others change views for ever.
func (p *peer) follow(vc *message.ViewChange, next consensus.View, since int) bool {
	if p.rejoin < max(0, since) || vc == nil || vc.View < next || vc.View <= p.before {
		return false
	}
	if p.joinTo == 0 && vc.View < next+farRejoin {
		p.joinTo = vc.View
	}
	return p.joinTo >= next
}

// fillWindows bounds, in windows, how far the cluster fills for one rejoin.
const fillWindows = 4

// fillUntil is the slot until which somebody who has rejoined by a tick needs the
// cluster to go on, although it may be idle.
func (ps peers) fillUntil(by int) consensus.Seq {
	var n consensus.Seq
	for i := range ps {
		if p := &ps[i]; p.rejoin >= 0 && p.rejoin <= by {
			n = max(n, min(p.fill, p.fillCap))
		}
	}
	return n
}

// restored: who is helped is so up to a slot at least, after a state was taken.
func (ps peers) restored(fillCap consensus.Seq) {
	for i := range ps {
		ps[i].fillCap = max(ps[i].fillCap, fillCap)
	}
}

// holdback keeps messages that came too early, by the channel that they came
// from, bounded. Dropping what is just too early would cost a view change each
// time [B29].
type holdback struct {
	queues []queue
	dated  int // proposals among them that wait for the clock
}

type queue struct {
	events []early
	bytes  int // approximately
}

// early is a message that came too early.
type early struct {
	consensus.Receive
	dated bool // it waits for the clock alone
}

// size is approximate.
func (e *early) size() int {
	if m, ok := e.Message.(*message.PrePrepare); ok {
		return len(m.Frame)
	}
	return message.VoteSize
}

// Bounds of what is held for each peer.
const (
	maxHeld      = 1024 // messages
	maxHeldBytes = 8 << 20
)

// hold keeps a message; it answers why it is not acted on now.
func (h *holdback) hold(e consensus.Receive, why consensus.Reason) consensus.Reason {
	if e.From.Kind != consensus.PeerReplica {
		return reasonNotPeer
	}
	q := &h.queues[e.From.Replica]
	m := early{Receive: e, dated: why == reasonStampAhead}
	if len(q.events) >= maxHeld || q.bytes+m.size() > maxHeldBytes {
		return reasonHeldFull
	}
	q.events = append(q.events, m)
	q.bytes += m.size()
	if m.dated {
		h.dated++
	}
	return why
}

// due takes out what waited for the clock to get to a time, and leaves the rest
// alone: what waits for a view or a window need not be looked at each tick.
func (h *holdback) due(now consensus.Time) (list []consensus.Receive) {
	if h.dated == 0 {
		return nil
	}
	for i := range h.queues {
		q := &h.queues[i]
		kept := q.events[:0]
		for _, e := range q.events {
			if m, ok := e.Message.(*message.PrePrepare); ok && e.dated && m.Batch.Stamp <= now {
				list = append(list, e.Receive)
				q.bytes -= e.size()
				h.dated--
				continue
			}
			kept = append(kept, e)
		}
		clear(q.events[len(kept):])
		q.events = kept
	}
	return list
}

// take empties the queue of one peer.
func (h *holdback) take(i int) []early {
	events := h.queues[i].events
	h.queues[i] = queue{}
	return events
}
