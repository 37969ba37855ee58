package app

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// epochs remembers, beside the replicated state, which epochs of a client
// followed each other here. It proves that nothing of an epoch was executed: an
// epoch that lies between two of which one replaced the other was never open.
// It begins anew with each state that is loaded, and when it is full.
type epochs struct {
	of    map[crypto.PublicKey]*succession
	since uint64 // up to here an epoch may have been open before this memory began
}

// succession are epochs of one client, ascending.
type succession struct {
	low, first uint64   // nothing was executed in an epoch between these
	list       []uint64 // the last ones; each replaced the one before
}

const (
	maxEpochClients = 1 << 14 // whose epochs are remembered
	maxEpochs       = 64      // of one client
)

// newEpochs begins a memory at a time of the cluster's. What was executed by then
// was at most idle ahead of it. That its session would still be there says nothing:
// time may jump, and sessions end with it.
func newEpochs(now, idle consensus.Time) epochs {
	e := epochs{of: map[crypto.PublicKey]*succession{}}
	if now > 0 {
		e.since = uint64(now + idle)
	}
	return e
}

// opened notes that a client's session in one epoch was replaced by a later
// one. A client without a session had none since the last that is known.
func (e *epochs) opened(client crypto.PublicKey, before *session, epoch uint64, now, idle consensus.Time) {
	if e.of[client] == nil && len(e.of) >= maxEpochClients {
		*e = newEpochs(now, idle)
	}
	s := e.of[client]
	switch {
	case s == nil && before == nil:
		s = &succession{low: e.since, first: epoch}
	case before != nil && (s == nil || s.list[len(s.list)-1] != before.epoch):
		s = &succession{list: []uint64{before.epoch}}
	}
	if s.list = append(s.list, epoch); len(s.list) > maxEpochs {
		s.list = append(s.list[:0], s.list[1:]...)
	}
	e.of[client] = s
}

// unused reports whether it is certain that nothing of an epoch was executed
// that is too old to be opened now; s is the client's session, nil if it has
// none.
func (e *epochs) unused(client crypto.PublicKey, s *session, epoch uint64) bool {
	known := e.of[client]
	if known == nil {
		return s == nil && epoch > e.since
	}
	if known.low < epoch && epoch < known.first {
		return true
	}
	for i := 1; i < len(known.list); i++ {
		if known.list[i-1] < epoch && epoch < known.list[i] {
			return true
		}
	}
	return s == nil && epoch > known.list[len(known.list)-1]
}

// times says what stands behind a refusal by the session table.
func (m *Machine) times(s *session, req *consensus.Request, code consensus.RefusalCode) consensus.Times {
	t, epoch := consensus.Times{Executed: m.at.time}, req.Sequence.Epoch
	if s != nil {
		t.Epoch = s.epoch
	}
	switch {
	case code == consensus.RefusedStale && s != nil && epoch < s.epoch,
		code == consensus.RefusedExpired && !m.table.tooNew(epoch, m.at.time):
		t.Unused = m.table.epochs.unused(req.Client, s, epoch)
	}
	return t
}
