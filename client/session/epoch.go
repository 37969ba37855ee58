package session

import (
	"cmp"
	"math"
	"slices"

	"quorate.dev/quorate/consensus"
)

// epochs is how a session finds the epoch of its next window. Its clock need
// not be the cluster's: an epoch that the replicas refuse is replaced by one
// that they accept, by what f+1 of them say together with the refusal.
type epochs struct {
	least uint64         // no lower one is of use
	shift consensus.Time // of this clock, to the cluster's time, if that is known to be far off
}

// next is the epoch of a window that is opened now.
func (e *epochs) next(now consensus.Time) uint64 {
	return max(uint64(max(0, now+e.shift)), e.least)
}

// after is the epoch that follows e.
func after(e uint64) uint64 {
	if e == math.MaxUint64 {
		return e
	}
	return e + 1
}

// maxReissues bounds how often an operation is sent under another epoch. More
// than one is of use only against another process with the same key.
const maxReissues = 3

// ground is what replicas that refuse a request must agree on.
type ground struct {
	code   consensus.RefusalCode
	unused bool // nothing of the request's epoch was or will be executed
}

func (r *request) ground(id consensus.ReplicaID) ground {
	return ground{r.refusals[id], r.times[id].Unused}
}

// agreed counts the replicas that refuse a request on the same ground as one of them.
func (r *request) agreed(with consensus.ReplicaID) int {
	n := 0
	for id := range r.refusals {
		if r.ground(consensus.ReplicaID(id)) == r.ground(with) {
			n++
		}
	}
	return n
}

// believed is what the replicas say that refuse a request on one ground: no
// value lies above what one of them that does not lie says. It fails for those
// that say nothing.
func (s *Session) believed(r *request, g ground) (t consensus.Times, ok bool) {
	var said []consensus.Times
	for id, t := range r.times {
		if r.ground(consensus.ReplicaID(id)) == g && t != (consensus.Times{}) {
			said = append(said, t)
		}
	}
	at := len(said) - s.system.Replies()
	if at < 0 {
		return t, false
	}
	slices.SortFunc(said, func(a, b consensus.Times) int { return cmp.Compare(a.Epoch, b.Epoch) })
	t.Epoch = said[at].Epoch
	slices.SortFunc(said, func(a, b consensus.Times) int { return cmp.Compare(a.Executed, b.Executed) })
	t.Executed = said[at].Executed
	slices.SortFunc(said, func(a, b consensus.Times) int { return cmp.Compare(a.Clock, b.Clock) })
	t.Clock, t.Unused = said[len(said)/2].Clock, g.unused
	return t, true
}

// stale: the session of this key has gone on to another epoch. If nothing of
// ours was executed, the operations are sent again in a later one: this clock
// was set back, or another process was quicker. Else another process may have
// ended our session after they were executed.
func (s *Session) stale(r *request, t consensus.Times, known bool) {
	s.flight.stale = true
	if known {
		s.epochs.least = max(s.epochs.least, after(t.Epoch))
	}
	certain := t.Unused && !s.long(r)
	if certain {
		r.operations = s.reissue(r.operations, maxReissues)
	}
	s.fail(r.operations, &RefusedError{Code: consensus.RefusedStale, unknown: !certain, times: t, own: s.now})
}

// expired: there is no session, and the epoch is too far from executed time.
// One that is too old can never be opened again, so that the operations are
// sent again by the cluster's time; one that is still to come could be, and a
// replica that lies might keep the request until then: only what follows is
// sent by the cluster's time.
func (s *Session) expired(r *request, t consensus.Times, known bool) {
	s.flight.stale = true
	epoch := r.signed.Sequence.Epoch
	early := known && epoch > uint64(t.Executed)
	if known {
		s.epochs.shift = t.Executed - s.now
	}
	if early && s.flight.epoch == epoch {
		s.epochs.least = after(t.Epoch)
	}
	unknown := s.long(r) || known && !t.Unused
	switch {
	case unknown:
	case known:
		r.operations = s.reissue(r.operations, maxReissues)
	default:
		r.operations = s.reissue(r.operations, 1)
	}
	s.fail(r.operations, &RefusedError{Code: consensus.RefusedExpired, unknown: unknown, early: early, times: t, own: s.now})
}

// long reports whether a request is too old to tell what became of it: had it
// been executed, its session would have stayed for twice the idle limit.
func (s *Session) long(r *request) bool { return s.now-r.sent >= s.cfg.Genesis.Limits.SessionIdle }

// reissue puts back operations that were certainly not executed, each so many
// times at most, and returns those that have had their chances.
func (s *Session) reissue(operations []*operation, most int) (rest []*operation) {
	var again []*operation
	for _, o := range operations {
		if o.reissued >= most {
			rest = append(rest, o)
		} else {
			again = append(again, o)
		}
	}
	s.requeue(again, func(o *operation) { o.reissued++ })
	return rest
}
