package session

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// request is one signed request in flight.
type request struct {
	signed     *consensus.Request
	operations []*operation
	live       int            // operations that somebody waits for
	orphaned   consensus.Time // since when nobody does

	sent       consensus.Time // first
	toAll      bool           // it goes to every replica now
	patience   consensus.Time
	patienceAt consensus.Time // then it goes to all
	pauses     int            // busy refusals of the primary
	pauseAt    consensus.Time // then it goes to the primary again; 0 = no pause

	answers  []crypto.Digest         // by replica: hash of what it answered, zero = nothing
	refusals []consensus.RefusalCode // by replica: its last refusal, 0 = none
	times    []consensus.Times       // ... and what stands behind it
	owed     []int                   // by replica: how often it was sent there and not declined
	sends    []int                   // by replica: how often it was sent there
	replies  []int                   // by replica: how many of its answers were looked at
}

// gatherShare decides when a request closes although others are in flight:
// when it carries at least one part in gatherShare of what they carry. A few
// callers never wait for each other, and many settle into a few requests that
// follow each other closely, of similar size. Smaller shares were tried: they
// spread the same operations over more sequence numbers, each of which costs
// all replicas some signatures and a sync, and gained no latency.
const gatherShare = 2

// mayClose decides whether the next request may be made now. With nothing in
// flight it always may: an idle client adds no delay.
func (s *Session) mayClose() bool {
	if s.link.connected == 0 {
		return false
	}
	if len(s.flight.requests) == 0 {
		s.renew()
		return true
	}
	if s.flight.stale || !s.flight.room() || len(s.flight.requests) >= s.cfg.InFlight ||
		s.flight.bytes+min(s.queue.bytes, s.cfg.GatherBytes) > s.cfg.InFlightBytes {
		return false
	}
	if s.cfg.OneEach || s.queue.operations[0].alone {
		return true
	}
	return s.queue.len()*gatherShare >= s.flight.operations ||
		s.queue.len() >= s.cfg.GatherOps || s.queue.bytes >= s.cfg.GatherBytes
}

// renew opens a fresh epoch, with nothing in flight, if this one is used up:
// refused as stale, out of counters because given-up requests left gaps, or so
// long idle that the replicas may soon drop the session.
func (s *Session) renew() {
	f := &s.flight
	idle := s.now-f.used > s.cfg.Genesis.Limits.SessionIdle/2
	if !f.stale && !idle && f.room() {
		return
	}
	f.open(s.epochs.next(s.now), s.now)
	s.epochs.least = after(f.epoch)
	s.stats.Renewals++
}

// gather takes the operations of the next request from a queue.
func (s *Session) gather(q *queue) []*operation {
	n, size := 0, 0
	for _, o := range q.operations {
		size += 3 + len(o.bytes)
		if n > 0 && (o.alone || n >= s.cfg.GatherOps || size > s.cfg.GatherBytes) {
			break
		}
		if n++; o.alone {
			break
		}
	}
	return q.take(n)
}

// open signs a request and sends it for the first time.
func (s *Session) open(operations []*operation) {
	s.flight.counter++
	bytes := make([][]byte, len(operations))
	patience := s.link.patience(s.cfg.Patience, s.cfg.MaxPatience)
	r := &request{
		operations: operations, live: len(operations), sent: s.now,
		patience: patience, patienceAt: s.now + patience, toAll: s.link.suspect,
		answers:  make([]crypto.Digest, s.system.Size()),
		refusals: make([]consensus.RefusalCode, s.system.Size()), times: make([]consensus.Times, s.system.Size()),
		owed: make([]int, s.system.Size()), sends: make([]int, s.system.Size()), replies: make([]int, s.system.Size()),
	}
	for i, o := range operations {
		bytes[i], o.request = o.bytes, r
	}
	seq := consensus.Sequence{Epoch: s.flight.epoch, Counter: s.flight.counter}
	r.signed = consensus.SignRequest(s.cfg.Signer, s.cluster, seq, bytes)
	s.flight.add(r)
	s.stats.Requests++
	s.stats.Operations += uint64(len(operations))
	s.send(r)
}

// send sends the request to the primary, or to all that are connected if it is
// overdue or the primary cannot be reached: backups forward it.
func (s *Session) send(r *request) {
	for id, up := range s.link.up {
		to := consensus.ReplicaID(id)
		if up && (r.toAll || to == s.link.primary || !s.link.up[s.link.primary]) {
			s.sendTo(to, r)
		}
	}
}

func (s *Session) sendTo(to consensus.ReplicaID, r *request) {
	r.owed[to]++
	r.sends[to]++
	if !r.refusals[to].Final() {
		r.refusals[to] = 0 // it may think otherwise by now
	}
	s.out.Sends = append(s.out.Sends, Send{To: to, Bytes: r.signed.Raw})
}

// tellRate bounds what goes to all for being the oldest, in bytes a second.
const tellRate = 1 << 20

// tells is when the oldest request goes to all; 0 = not for being that. A client
// that gets used to a slow primary relies on it for longer and longer, and if
// nobody else knew that anything waits, nobody could hold that against it. So
// what it has learnt counts for all requests but one.
func (s *Session) tells(r *request) consensus.Time {
	if r.toAll || s.cfg.Elected {
		return 0
	}
	return min(r.patienceAt, max(r.sent+s.cfg.Patience, s.tellAt))
}

// tell sends the oldest request to all.
func (s *Session) tell(r *request) {
	r.toAll = true
	s.tellAt = s.now + s.cfg.BusyPause + consensus.Time(len(r.signed.Raw)*(s.system.Size()-1))*second/tellRate
	s.stats.Again++
	s.send(r)
}

// insist sends an overdue request to all, and waits longer each time. Until
// something is answered again, new requests do not rely on the primary either.
func (s *Session) insist(r *request) {
	r.toAll, r.pauseAt = true, 0
	r.patience = min(2*r.patience, s.cfg.MaxPatience)
	r.patienceAt = s.now + r.patience
	s.link.suspect = true
	s.stats.Again++
	s.send(r)
}

// Connected says that frames to the replica have a channel, maybe a new one:
// answers to what went by an old one, or had no channel at all, are lost. So it
// is asked for everything in flight: what it has executed it answers, and f+1
// equal answers need not wait for patience to run out.
func (s *Session) Connected(id consensus.ReplicaID) {
	if !s.system.Has(id) {
		return
	}
	if !s.link.up[id] {
		s.link.up[id] = true
		s.link.connected++
	}
	s.link.older[id], s.reads.owed[id] = false, 0
	for _, r := range s.flight.requests {
		s.sendTo(id, r)
	}
	for _, a := range s.reads.flight {
		s.sendQueryTo(id, a)
	}
}

// Disconnected says that the channel is gone, and maybe what was on it. With
// the primary's, what it had goes to the others at once.
func (s *Session) Disconnected(id consensus.ReplicaID) {
	if !s.system.Has(id) || !s.link.up[id] {
		return
	}
	s.link.up[id], s.link.older[id] = false, false
	s.link.connected--
	if id != s.link.primary {
		return
	}
	for _, r := range s.flight.requests {
		if !r.toAll {
			r.toAll = true
			s.stats.Again++
			s.send(r)
		}
	}
}
