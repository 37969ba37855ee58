package session

import (
	"bytes"
	"encoding/binary"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Receive takes a frame from the channel of a replica. Frames that answer
// nothing in flight are ignored; nothing about them is an error.
func (s *Session) Receive(from consensus.ReplicaID, frame []byte) {
	if !s.system.Has(from) || len(frame) == 0 || s.closed {
		s.stats.Ignored++
		return
	}
	ok := false
	switch frame[0] {
	case consensus.KindReply:
		if reply, err := consensus.DecodeReply(frame); err == nil {
			ok = s.onReply(from, reply)
			s.hear(from, reply.View)
		}
	case consensus.KindFinding:
		if f, err := consensus.DecodeFinding(frame); err == nil {
			ok = s.onFinding(from, f)
		}
	case consensus.KindRefusal, consensus.KindExplained:
		if refusal, err := consensus.DecodeRefusal(frame); err == nil {
			ok = s.onRefusal(from, refusal)
			s.hear(from, refusal.View)
		}
	}
	if !ok {
		s.stats.Ignored++
	}
}

// hear takes a replica's word for the view it is in. If that makes another
// replica the primary, it gets what the old one has not answered: no backup
// may have seen it.
func (s *Session) hear(from consensus.ReplicaID, v consensus.View) {
	before := s.link.primary
	s.link.hear(from, v)
	if s.link.primary == before {
		return
	}
	for _, r := range s.flight.requests {
		if !r.toAll {
			r.pauseAt, r.pauses = 0, 0
			s.stats.Again++
			s.send(r)
		}
	}
}

// find returns the request in flight that an answer names, by sequence and digest.
func (s *Session) find(seq consensus.Sequence, digest crypto.Digest) *request {
	r := s.flight.of[seq.Counter]
	if r == nil || r.signed.Sequence != seq || r.signed.Digest != digest {
		return nil
	}
	return r
}

func (s *Session) onReply(from consensus.ReplicaID, reply *consensus.Reply) bool {
	r := s.find(reply.Sequence, reply.Request)
	if r == nil || len(reply.Results) != len(r.operations) || !r.hears(from) {
		return false
	}
	s.link.older[from] = false
	r.refusals[from], r.times[from] = 0, consensus.Times{}
	r.answers[from] = answerDigest(reply)
	if count(r.answers, r.answers[from]) < s.system.Replies() {
		return true
	}
	s.link.learn(s.now - r.sent)
	s.link.answered(from)
	// The reply that completes the count has the results itself: nothing of
	// the others, lies maybe, needs to be kept.
	s.link.suspect = false
	if r.toAll {
		s.link.follow(from)
	}
	s.settle(r)
	s.flight.answered = max(s.flight.answered, r.signed.Sequence.Counter)
	s.epochs.accepted = r.signed.Sequence.Epoch
	s.deliver(r, reply)
	return true
}

// hears reports whether another answer of a replica is to be looked at: one that
// it gives by itself, and one for each time that it was asked. Comparing an answer
// means hashing it, and a liar may repeat megabytes for ever.
func (r *request) hears(from consensus.ReplicaID) bool {
	if r.replies[from] > r.sends[from] {
		return false
	}
	r.replies[from]++
	return true
}

// answerDigest covers what replicas must agree on; the request is known.
func answerDigest(r *consensus.Reply) crypto.Digest {
	return crypto.Hash(consensus.AppendResults(binary.BigEndian.AppendUint64(nil, uint64(r.Seq)), r.Results))
}

func count[T comparable](list []T, want T) int {
	n := 0
	for _, v := range list {
		if v == want {
			n++
		}
	}
	return n
}

// settle takes a request out of flight and notes that the epoch is alive.
func (s *Session) settle(r *request) {
	s.flight.remove(r)
	s.flight.used = s.now
}

// deliver hands out results. One that failed only because it shared the room
// of a request's results left nothing behind and is tried again alone.
func (s *Session) deliver(r *request, reply *consensus.Reply) {
	var again []*operation
	s.out.Done = slices.Grow(s.out.Done, len(r.operations))
	for i, o := range r.operations {
		res := reply.Results[i]
		if res.Code == consensus.ResultTooLarge && len(r.operations) > 1 {
			again = append(again, o)
			continue
		}
		// A copy: a small result must not keep a frame of megabytes alive.
		res.Data = bytes.Clone(res.Data)
		s.finish(o, Done{Result: res, Seq: reply.Seq})
	}
	s.requeue(again, func(o *operation) { o.alone = true })
}

// requeue puts back operations that somebody still waits for.
func (s *Session) requeue(list []*operation, mark func(*operation)) {
	var kept []*operation
	for _, o := range list {
		if s.tickets[o.ticket] == o {
			o.request = nil
			mark(o)
			kept = append(kept, o)
		}
	}
	s.queue.front(kept)
}

func (s *Session) onRefusal(from consensus.ReplicaID, refusal *consensus.Refusal) bool {
	s.stats.Refusals++
	if s.link.elected && s.system.Has(refusal.Primary) {
		s.link.follow(refusal.Primary)
	}
	if refusal.Request.IsZero() {
		return s.onNameless(from, refusal)
	}
	r := s.find(refusal.Sequence, refusal.Request)
	if r == nil {
		return false
	}
	s.link.older[from] = false
	if refusal.Times == (consensus.Times{}) && refusal.Code == r.refusals[from] && r.times[from] != (consensus.Times{}) {
		return true // what stands behind it came before, for those who understand it
	}
	r.refusals[from], r.times[from] = refusal.Code, refusal.Times
	switch {
	case leaderless(refusal.Code) && s.link.elected:
		s.adrift(r, from)
		return true
	case !refusal.Code.Final():
		s.pause(r, from)
		return true
	}
	if r.agreed(from) >= s.system.Replies() && !s.disputed(r, r.ground(from)) {
		s.refuse(r, from)
	} else if !r.toAll {
		// One replica's word ends nothing: ask the others at once.
		r.toAll = true
		s.stats.Again++
		s.send(r)
	}
	return true
}

// pause lets a busy primary breathe. The request still goes to all when its
// patience is over: a primary that is always busy may be a liar.
func (s *Session) pause(r *request, from consensus.ReplicaID) {
	if from != s.link.primary || r.toAll || r.pauseAt != 0 {
		return
	}
	r.pauseAt = s.now + s.cfg.BusyPause<<min(r.pauses, 6)
	r.pauses++
}

// leaderless reports whether a replica of a crash-fault protocol says that
// nobody leads.
func leaderless(c consensus.RefusalCode) bool {
	return c == consensus.RefusedNoLeader || c == consensus.RefusedUndecided
}

// adrift: a replica knows no leader. The others are asked at once, and all of
// them again for as long as an election may take. Then the caller hears that
// there is no majority; and if none of those who were sent the request took it,
// that it was not executed either.
func (s *Session) adrift(r *request, from consensus.ReplicaID) {
	if r.refusals[from] == consensus.RefusedNoLeader {
		r.owed[from] = max(0, r.owed[from]-1)
	}
	switch {
	case !r.toAll:
		r.toAll = true
		s.stats.Again++
		s.send(r)
	case s.now < r.sent+s.cfg.NoLeader || !s.allAdrift(r):
		if r.pauseAt == 0 {
			r.pauseAt = s.now + s.cfg.BusyPause<<min(r.pauses, 6)
			r.pauses++
		}
	default:
		s.settle(r)
		err := &RefusedError{Code: consensus.RefusedNoLeader, unknown: taken(r)}
		s.fail(r.operations, err)
	}
}

// allAdrift reports whether all that can be reached know no leader.
func (s *Session) allAdrift(r *request) bool {
	for id, up := range s.link.up {
		if up && !leaderless(r.refusals[id]) {
			return false
		}
	}
	return s.link.connected > 0
}

// taken reports whether a replica may have the request.
func taken(r *request) bool {
	return slices.ContainsFunc(r.owed, func(n int) bool { return n > 0 })
}

// refuse ends a request that f+1 replicas refused with the same final code, on
// the same ground as the last of them.
func (s *Session) refuse(r *request, last consensus.ReplicaID) {
	s.settle(r)
	g := r.ground(last)
	switch g.code {
	case consensus.RefusedStale:
		s.stale(r, s.believed(r, g))
		return
	case consensus.RefusedExpired:
		s.expired(r, s.believed(r, g))
		return
	case consensus.RefusedTooLarge, consensus.RefusedRole:
		// One operation may have spoilt it for those that it travelled with.
		if len(r.operations) > 1 {
			s.requeue(r.operations, func(o *operation) { o.alone = true })
			return
		}
	}
	s.fail(r.operations, &RefusedError{Code: g.code})
}

// fail ends operations with an error.
func (s *Session) fail(operations []*operation, err error) {
	for _, o := range operations {
		s.finish(o, Done{Err: err})
	}
}
