package session

import (
	"cmp"
	"math"
	"slices"
	"time"

	"quorate.dev/quorate/consensus"
)

// epochs is how a session finds the epoch of its next window. Its clock need
// not be the cluster's: an epoch that the replicas refuse is replaced by one
// that they accept, by what f+1 of them say together with the refusal.
type epochs struct {
	least    uint64         // no lower one is of use
	shift    consensus.Time // of this clock, to the cluster's time, if that is known to be far off
	accepted uint64         // the last one in which something was executed, as far as is known; 0 = none
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

// word is what the replicas say that refuse a request on one ground.
type word struct {
	known    bool           // they say something
	unused   bool           // nothing of the request's epoch was or will be executed
	epoch    uint64         // of the key's session, not above what an honest one says
	executed consensus.Time // the cluster's time, not above what an honest one says
	latest   consensus.Time // ... and not below
	// clocks are two values between which the clock of an honest one lies; with
	// the words of 2f+1, neither lies outside of those of honest ones.
	clocks [2]consensus.Time
}

// said is what replicas say of time that refuse a request on one ground.
func (r *request) said(g ground) (said []consensus.Times) {
	for id, t := range r.times {
		if r.ground(consensus.ReplicaID(id)) == g && t != (consensus.Times{}) {
			said = append(said, t)
		}
	}
	return said
}

// believed is what of it can be believed: nothing if fewer than f+1 speak.
func (s *Session) believed(r *request, g ground) word {
	said, liars := r.said(g), s.system.Replies()-1
	if len(said) <= liars {
		return word{}
	}
	last := len(said) - 1
	w := word{known: true, unused: g.unused}
	slices.SortFunc(said, func(a, b consensus.Times) int { return cmp.Compare(a.Epoch, b.Epoch) })
	w.epoch = said[last-liars].Epoch
	slices.SortFunc(said, func(a, b consensus.Times) int { return cmp.Compare(a.Executed, b.Executed) })
	w.executed, w.latest = said[last-liars].Executed, said[liars].Executed
	slices.SortFunc(said, func(a, b consensus.Times) int { return cmp.Compare(a.Clock, b.Clock) })
	w.clocks = [2]consensus.Time{said[0].Clock, said[last].Clock}
	if liars <= last-liars {
		w.clocks = [2]consensus.Time{said[liars].Clock, said[last-liars].Clock}
	}
	return w
}

// disputed reports whether f+1 replicas that refuse a request contradict each other
// in what they say of time, so that one of them may lie: with the words of 2f+1 a
// liar's lies between those of honest ones. Not all of them may be within reach, so
// that this is not waited for without a bound.
func (s *Session) disputed(r *request, g ground) bool {
	said, liars := r.said(g), s.system.Replies()-1
	if len(said) <= liars || len(said) > 2*liars || s.now >= r.sent+s.cfg.MaxPatience {
		return false
	}
	for _, t := range said[1:] {
		if t.Epoch != said[0].Epoch || distance(t.Executed, said[0].Executed) > clocksAgree || distance(t.Clock, said[0].Clock) > clocksAgree {
			return true
		}
	}
	return false
}

// clocksAgree is how far the words of replicas that agree on the time lie apart.
const clocksAgree = time.Minute

// stale: the session of this key has gone on to another epoch. If nothing of
// ours was executed, the operations are sent again in a later one: this clock
// was set back, or another process was quicker. Else another process may have
// ended our session after they were executed.
func (s *Session) stale(r *request, w word) {
	s.flight.stale = true
	if w.known {
		s.epochs.least = max(s.epochs.least, after(w.epoch))
	}
	certain := w.unused && !s.long(r)
	if certain {
		r.operations = s.reissue(r.operations, maxReissues)
	}
	s.fail(r.operations, &RefusedError{Code: consensus.RefusedStale, unknown: !certain, word: w, own: s.now})
}

// expired: there is no session, and the epoch is too far from executed time.
// One that is too old can never be opened again, so that the operations are
// sent again by the cluster's time; one that is still to come could be, and a
// replica that lies might keep the request until then: only what follows is
// sent by the cluster's time.
func (s *Session) expired(r *request, w word) {
	s.flight.stale = true
	epoch := r.signed.Sequence.Epoch
	early := w.known && !w.unused && epoch > uint64(w.latest)
	if w.known {
		s.epochs.shift = w.executed - s.now
		if s.epochs.accepted > uint64(w.latest)+uint64(s.cfg.Genesis.Limits.SessionIdle) {
			s.epochs.accepted = w.epoch // nothing so late can have been executed: it was kept wrongly
		}
	}
	if early && s.flight.epoch == epoch {
		s.epochs.least = after(w.epoch)
	}
	unknown := s.long(r) || w.known && !w.unused
	switch {
	case unknown:
	case w.known:
		r.operations = s.reissue(r.operations, maxReissues)
	default:
		r.operations = s.reissue(r.operations, 1)
	}
	s.fail(r.operations, &RefusedError{Code: consensus.RefusedExpired, unknown: unknown, early: early, word: w, own: s.now})
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
