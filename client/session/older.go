package session

import "quorate.dev/quorate/consensus"

// onNameless takes a refusal that names no request: of a READ, or of a frame that the
// replica cannot read. READs explain as many as were sent there and not answered.
func (s *Session) onNameless(from consensus.ReplicaID, refusal *consensus.Refusal) bool {
	if s.reads.owed[from] > 0 || refusal.Sequence != (consensus.Sequence{}) || refusal.Code != consensus.RefusedMalformed {
		return s.refuseQueries(from, refusal.Sequence)
	}
	return s.onOlder(from)
}

// onOlder: a replica's program is of before this kind of request. It cannot read any
// that this session sends, so that it need not say which. Those that may are asked at
// once, if they were not. If nobody is left to ask, and these are too many, operations end here; while
// others say nothing, when patience is over (Advance).
func (s *Session) onOlder(from consensus.ReplicaID) bool {
	if len(s.flight.requests) == 0 {
		return false
	}
	s.link.older[from] = true
	for _, r := range s.flight.snapshot() {
		switch {
		case s.outdated() && s.link.allOlder():
			s.endOutdated(r)
		case r.owed[from] > 0 && !r.toAll:
			r.toAll = true
			s.stats.Again++
			for id, up := range s.link.up {
				if up && !s.link.older[id] && r.owed[id] == 0 {
					s.sendTo(consensus.ReplicaID(id), r)
				}
			}
		}
	}
	return true
}

// outdated reports whether so many replicas are too old for this session's requests
// that the others are no quorum. Of a few nothing follows: they are like ones that are
// down until they are upgraded.
func (s *Session) outdated() bool {
	return count(s.link.older, true) >= max(s.system.Replies(), s.system.Size()-s.system.Quorum()+1)
}

// endOutdated ends a request that too many replicas cannot read. Who can may have it,
// or may say that it cannot and lie; once enough of the others are upgraded such a
// replica may have it executed.
func (s *Session) endOutdated(r *request) {
	s.settle(r)
	liars, without, taken := s.system.Replies()-1, 0, false
	for id, owed := range r.owed {
		switch {
		case s.link.older[id] && owed <= 1: // not sent there before its program was known
			without++
		case owed > 0:
			taken = true
		}
	}
	unknown := taken || liars > 0
	early := unknown && without-liars > s.system.Size()-s.system.Quorum()
	s.fail(r.operations, &RefusedError{Code: consensus.RefusedMalformed, older: true, unknown: unknown, early: early})
}
