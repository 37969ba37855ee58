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
	of      map[crypto.PublicKey][]uint64 // ascending; no other was open in between
	partial bool                          // some were forgotten since the state was loaded
}

const (
	maxEpochClients = 1 << 14 // whose epochs are remembered
	maxEpochs       = 8       // of one client
)

func newEpochs() epochs { return epochs{of: map[crypto.PublicKey][]uint64{}} }

// opened notes that a client's session in one epoch was replaced by a later
// one. A client without a session had none since the last that is known.
// When the first session is opened, what was executed in one that was dropped
// before is too old to be opened at that time, oldest.
func (e *epochs) opened(client crypto.PublicKey, before *session, epoch, oldest uint64) {
	list := e.of[client]
	if len(list) == 0 && len(e.of) >= maxEpochClients {
		*e = newEpochs()
		e.partial = true
	}
	switch {
	case before != nil && (len(list) == 0 || list[len(list)-1] != before.epoch):
		list = []uint64{before.epoch}
	case len(list) == 0 && oldest > 0:
		list = []uint64{oldest - 1}
	case len(list) == 0:
		list = []uint64{0}
	}
	list = append(list, epoch)
	if len(list) > maxEpochs {
		list = append(list[:0], list[1:]...)
	}
	e.of[client] = list
}

// unused reports whether it is certain that nothing of an epoch was executed
// that is too old to be opened now; s is the client's session, nil if it has
// none. Without a memory of the client none was open since the state was
// loaded: how long a request may have been under way, its client knows.
func (e *epochs) unused(client crypto.PublicKey, s *session, epoch uint64) bool {
	list := e.of[client]
	if len(list) == 0 {
		return s == nil && !e.partial
	}
	for i := 1; i < len(list); i++ {
		if list[i-1] < epoch && epoch < list[i] {
			return true
		}
	}
	return s == nil && epoch > list[len(list)-1]
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
