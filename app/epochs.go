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
	of      map[crypto.PublicKey]*succession
	partial bool // some were forgotten since the state was loaded
}

// succession are epochs of one client, ascending.
type succession struct {
	low, first uint64   // nothing was executed in an epoch between these
	list       []uint64 // the last ones; each replaced the one before
}

const (
	maxEpochClients = 1 << 14 // whose epochs are remembered
	maxEpochs       = 8       // of one client
)

func newEpochs() epochs { return epochs{of: map[crypto.PublicKey]*succession{}} }

// opened notes that a client's session in one epoch was replaced by a later
// one. A client without a session had none since the last that is known. When
// the first is opened, another may have been dropped that was there before the
// memory began: it had been idle for so long that no client still waits for an
// answer. Of one that was forgotten only, the epoch is below oldest.
func (e *epochs) opened(client crypto.PublicKey, before *session, epoch, oldest uint64) {
	if e.of[client] == nil && len(e.of) >= maxEpochClients {
		*e = newEpochs()
		e.partial = true
	}
	s := e.of[client]
	switch {
	case s == nil && before == nil && e.partial:
		s = &succession{low: max(oldest, 1) - 1, first: epoch}
	case s == nil && before == nil:
		s = &succession{first: epoch}
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
// none. Without a memory of the client none was open since the state was
// loaded: how long a request may have been under way, its client knows.
func (e *epochs) unused(client crypto.PublicKey, s *session, epoch uint64) bool {
	known := e.of[client]
	if known == nil {
		return s == nil && !e.partial
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
