package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/pbft/message"
)

// restore is the engine's part in moving a state: when to fetch which one, and
// how much to serve. The parts are verified by the host as they arrive.
type restore struct {
	*transfer.Mover
	throttle   *transfer.Throttle // of answers to STATUS and FETCH
	needTarget bool               // nobody serves the target any more
	stuckAt    consensus.Seq      // last executed slot when lagging was first seen
	stuckSince int                // tick
}

func newRestore(r *replica) restore {
	return restore{
		Mover:    transfer.NewMover(r.id, len(r.peers), transfer.Words{Fetch: fetchParts, Reply: parts}, &r.out),
		throttle: transfer.NewThrottle(helpPerTick, helpBurst),
	}
}

// fetchParts asks for parts of a state.
func fetchParts(a transfer.Ask) []byte {
	f := message.Fetch{What: message.WhatParts, Seq: a.Seq, Digest: a.Root, Items: a.Items}
	return f.Encode()
}

// parts are those that the host has read.
func parts(c consensus.Chunk) []byte {
	g := message.FetchReply{What: message.WhatParts, Seq: c.Read.Seq, Digest: c.Read.Root, Parts: c.Parts, Gone: c.Gone}
	return g.Encode()
}

// Tick lets one tick go by.
func (s *restore) Tick() transfer.Decision {
	s.throttle.Tick()
	return s.Mover.Tick()
}

// lags reports whether slots that are certified elsewhere have been missing here
// for so many ticks.
func (s *restore) lags(x *execution, tick, most int) bool {
	if s.stuckAt != x.handed {
		s.stuckAt, s.stuckSince = x.handed, tick
	}
	if x.applied < x.handed {
		s.stuckSince = tick // the host is busy, not short of anything
	}
	return tick-s.stuckSince > most
}

// catchUp decides between the log and the state (§7): only a replica more than
// L behind takes the state of a stable checkpoint, or one whose missing slots
// nobody gives any more.
func (r *replica) catchUp() {
	c := r.checkpoints.Stable()
	if c == nil || c.Seq <= r.exec.handed {
		r.state.stuckSince = r.tick
		return
	}
	if r.state.Active() {
		if r.state.needTarget && c.Seq > r.state.Target().Seq {
			r.state.needTarget = false
			r.moved(r.state.Retarget(target(c)))
		}
		r.giveUp(c)
		return
	}
	lags := r.state.lags(&r.exec, r.tick, 8*r.cfg.StatusEvery)
	if lags || r.exec.farBehind(r.low(), r.exec.handed) {
		r.restore(c)
	}
}

// fruitless is how many times in a row all sources must have failed before a
// restore is given up.
const fruitless = 4

// giveUp ends a restore of a state that nobody serves, if there may be a way by
// the log: others may have no snapshot of it and yet its slots.
func (r *replica) giveUp(c *message.Certificate) {
	if !r.state.needTarget || r.state.Rounds() < fruitless || c.Seq-r.exec.kept > r.rules.Genesis.Window {
		return
	}
	r.state.needTarget = false
	r.state.Abort()
	r.fallBack()
}

// fallBack: the host is at the disk's state again.
func (r *replica) fallBack() {
	r.exec.fallBack(r.checkpoints.Stable())
	r.state.stuckSince = r.tick
}

func target(c *message.Certificate) transfer.Target {
	return transfer.Target{Seq: c.Seq, Root: c.Digest, Certificate: c.Encode()}
}

// restore begins to fetch the state at c.
func (r *replica) restore(c *message.Certificate) {
	if c == nil || r.state.Active() {
		return
	}
	r.out.Note(consensus.Note{Kind: consensus.Fetching, View: r.view.number, Seq: c.Seq, Digest: c.Digest})
	r.state.needTarget = false
	r.moved(r.state.Start(target(c)))
}

// moved acts on what a step of a transfer has come to.
func (r *replica) moved(d transfer.Decision) {
	if d.Failed {
		r.alarm("the state cannot be put together from its parts; fetching starts anew")
		r.fallBack()
	}
	if d.NeedTarget {
		r.state.needTarget = true
		r.catchUp()
	}
}

// onRestored: the state is the certified one now. Slots above it survive and
// are executed from there (§7).
func (r *replica) onRestored(e consensus.Restored) {
	if e.OK {
		r.exec.settle(e.Seq, e.Root)
		r.exec.progress = r.tick
		r.log.restored(e.Seq)
		r.peers.restored(e.Seq + fillWindows*r.rules.Genesis.Window)
		r.requests.Restored()
		r.out.Note(consensus.Note{Kind: consensus.Fetched, View: r.view.number, Seq: e.Seq, Digest: e.Root})
	}
	r.moved(r.state.OnRestored(e))
	if e.OK && !r.state.Active() {
		r.forgetLog()
		r.execute()
		r.catchUp()
	}
}
