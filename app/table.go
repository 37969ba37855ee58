package app

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// table is the session table: who has executed what (PROTOCOL.md §3). What
// it decodes it keeps until the next checkpoint and writes once then, so that
// a request costs a few operations in memory. Holding it back changes nothing
// that can be seen: the root is taken at checkpoints only, and what a replica
// loses before one it executes again. Replies, which are most of it, are written
// after each batch, so that no checkpoint takes long because there are many.
//
// Strangers (clients that only genesis.OpenClients admits) share what the
// listed clients leave over of Limits.Sessions: one session is reserved for
// each listed client, whether it uses it or not, so that no number of
// strangers locks a listed client out. Strangers can lock out each other; a
// cluster that fears that lists its clients.
type table struct {
	limits   consensus.Limits
	listed   map[crypto.PublicKey]bool
	open     map[crypto.PublicKey]*session // decoded since the last flush
	sessions uint64                        // how many there are, open or not
	foreign  uint64                        // how many of them are strangers'
	epochs   epochs                        // not replicated
	replies  []unwritten                   // of the batch at hand
	nextDue  consensus.Time                // no index entry is of an earlier time; not replicated
}

// unwritten is a reply that is in memory only.
type unwritten struct {
	client  crypto.PublicKey
	session *session
	counter uint64
}

func newTable(g *consensus.Genesis) *table {
	t := &table{limits: g.Limits, listed: make(map[crypto.PublicKey]bool, len(g.Clients))}
	for _, c := range g.Clients {
		t.listed[c.Key] = true
	}
	t.forget()
	return t
}

// forget drops what was decoded, flushed or not: the state below has changed.
func (t *table) forget() {
	t.open = make(map[crypto.PublicKey]*session)
	clear(t.replies)
	t.replies = t.replies[:0]
}

// find returns the client's session, nil if it has none, and keeps it decoded.
func (t *table) find(st *state.State, client crypto.PublicKey) (*session, error) {
	s, err := t.peek(st, client)
	if s != nil {
		t.open[client] = s
	}
	return s, err
}

// peek is find without keeping: for questions, which no checkpoint follows.
func (t *table) peek(st *state.State, client crypto.PublicKey) (*session, error) {
	if s := t.open[client]; s != nil {
		return s, nil
	}
	b, found, err := st.Get(sessionKey(client))
	if err != nil || !found {
		return nil, err
	}
	s, err := decodeSession(b)
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", client.Short(), err)
	}
	return s, nil
}

// judge says what to do with a request at executed time now. s is its
// client's session, nil if there is none. It changes nothing.
func (t *table) judge(s *session, req *consensus.Request, now consensus.Time) verdict {
	epoch, counter := req.Sequence.Epoch, req.Sequence.Counter
	switch {
	case counter == 0, s != nil && epoch < s.epoch: // counters begin at 1
		return verdict{code: consensus.RefusedStale}
	case s != nil && epoch == s.epoch:
		return s.judge(counter)
	case s == nil && t.tooOld(epoch, now), t.tooNew(epoch, now):
		return verdict{code: consensus.RefusedExpired}
	case counter > consensus.SessionWindow:
		return verdict{code: consensus.RefusedAhead}
	case s == nil && t.full(req.Client):
		return verdict{code: consensus.RefusedTooManySessions}
	}
	return verdict{fresh: true}
}

// tooOld says that an epoch lies more than S before now: its session may have
// been dropped, so what it asks for may have been executed.
func (t *table) tooOld(epoch uint64, now consensus.Time) bool {
	return epoch < t.oldest(now)
}

// oldest is the lowest epoch in which a client without a session may open one.
func (t *table) oldest(now consensus.Time) uint64 { return uint64(max(0, now-t.limits.SessionIdle)) }

// tooNew says that an epoch lies more than S after now. That holds for a
// higher epoch of a known client too: e.g. if epoch now+3S were let in, its
// session would be dropped after 2S of idleness, and then, within S of the
// epoch, everything that was executed in it could be replayed.
func (t *table) tooNew(epoch uint64, now consensus.Time) bool {
	return epoch > uint64(max(now, 0))+uint64(t.limits.SessionIdle)
}

// full says that client may open no session.
func (t *table) full(client crypto.PublicKey) bool {
	limit := uint64(t.limits.Sessions)
	if t.listed[client] {
		return t.sessions >= limit
	}
	reserved := uint64(len(t.listed))
	return reserved >= limit || t.foreign >= limit-reserved
}

// begin returns the session in which a fresh request is to be recorded,
// opening it or a new window of it.
func (t *table) begin(s *session, req *consensus.Request, now consensus.Time) *session {
	if s != nil {
		if req.Sequence.Epoch > s.epoch {
			t.epochs.opened(req.Client, s, req.Sequence.Epoch, now, t.limits.SessionIdle)
			s.reset(req.Sequence.Epoch)
		}
		return s
	}
	t.epochs.opened(req.Client, nil, req.Sequence.Epoch, now, t.limits.SessionIdle)
	s = &session{epoch: req.Sequence.Epoch, opened: true}
	t.open[req.Client] = s
	t.sessions++
	if !t.listed[req.Client] {
		t.foreign++
	}
	return s
}

// record notes that a request was executed in its session, with its reply record.
func (t *table) record(s *session, req *consensus.Request, now consensus.Time, reply []byte) {
	s = t.begin(s, req, now)
	s.record(req.Sequence.Counter, now, reply, t.limits.SessionBytes)
	t.replies = append(t.replies, unwritten{req.Client, s, req.Sequence.Counter})
}

// writeReplies writes what the batch has brought, unless it is forgotten already.
// The caller commits.
func (t *table) writeReplies(tx *state.Tx) {
	for _, u := range t.replies {
		at, found := u.session.find(u.counter)
		if !found || u.session.executed[at].reply == nil {
			continue
		}
		e := &u.session.executed[at]
		tx.Put(replyKey(u.client, slotOf(u.counter)), e.reply)
		u.session.stored.set(slotOf(u.counter))
		e.reply = nil
	}
	clear(t.replies)
	t.replies = t.replies[:0]
}

// reply reads the kept reply of an executed request. It is nil if the request
// under this sequence was another one.
func (t *table) reply(st *state.State, e *execution, req *consensus.Request) (*consensus.Reply, error) {
	b := e.reply
	if b == nil {
		var found bool
		var err error
		if b, found, err = st.Get(replyKey(req.Client, slotOf(e.counter))); err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("reply %d of client %s is missing: %w", e.counter, req.Client.Short(), errRecord)
		}
	}
	reply, err := decodeReply(b)
	switch {
	case err != nil:
		return nil, err
	case reply.Sequence.Counter != e.counter:
		return nil, fmt.Errorf("reply %d of client %s holds %d: %w", e.counter, req.Client.Short(), reply.Sequence.Counter, errRecord)
	case reply.Request != req.Digest:
		return nil, nil
	}
	reply.Client, reply.Sequence = req.Client, req.Sequence
	return reply, nil
}

// flush writes every session that was touched since the last flush, in the
// order of the clients' keys, and forgets them. The caller commits.
func (t *table) flush(tx *state.Tx) {
	maps.DeleteFunc(t.open, func(_ crypto.PublicKey, s *session) bool { return !s.touched })
	for _, c := range slices.SortedFunc(maps.Keys(t.open), func(a, b crypto.PublicKey) int { return bytes.Compare(a[:], b[:]) }) {
		if s := t.open[c]; s.opened {
			// The entry is not moved when the session is used again: that would
			// cost a write and a removal each time. Expiry looks at the session.
			t.index(tx, s, c)
		}
		t.open[c].flush(tx, c)
	}
	t.forget()
}

// index writes the session's index entry.
func (t *table) index(tx *state.Tx, s *session, client crypto.PublicKey) {
	tx.Put(expiryKey(s.used, client), nil)
	t.nextDue = min(t.nextDue, s.used)
}

// flush writes the session's record, and removes the replies that nothing refers to
// any more.
func (s *session) flush(tx *state.Tx, client crypto.PublicKey) {
	tx.Put(sessionKey(client), s.encode())
	s.removeReplies(tx, client, s.wanted())
}

// removeReplies removes the stored replies but those in the slots of keep,
// and counts them.
func (s *session) removeReplies(tx *state.Tx, client crypto.PublicKey, keep slots) (removed int) {
	for i := range consensus.SessionWindow {
		if slot := byte(i); s.stored.has(slot) && !keep.has(slot) {
			tx.Delete(replyKey(client, slot))
			removed++
		}
	}
	return removed
}

// expiryWork bounds what the expiry of one checkpoint removes or looks at;
// the rest waits for the next. Part of the protocol: it shapes the state.
const expiryWork = 4096

// expire drops the sessions that were idle for more than 2S of executed time.
// It visits only index entries that are due, not all sessions. The table must
// have been flushed in the same transaction; the caller commits.
func (t *table) expire(st *state.State, tx *state.Tx, now consensus.Time) error {
	deadline := now - 2*t.limits.SessionIdle
	if deadline <= t.nextDue {
		return nil // a range puts all that was written since the last checkpoint in order
	}
	var due []string
	tx.Range(expiryStart(0), expiryStart(deadline), expiryWork, func(key string, _ []byte) bool {
		due = append(due, key)
		return true
	})
	for work, i := 0, 0; i < len(due) && work < expiryWork; i++ {
		removed, err := t.review(st, tx, due[i], deadline)
		if err != nil {
			return err
		}
		work += 1 + removed
	}
	t.forget()
	t.nextDue = math.MaxInt64
	tx.Range(expiryStart(0), expiryEnd, 1, func(key string, _ []byte) bool {
		t.nextDue = expiryTime(key)
		return true
	})
	return nil
}

// review drops the session of one index entry that is due, or, if it was used
// since, moves the entry to where the session is due next.
func (t *table) review(st *state.State, tx *state.Tx, key string, deadline consensus.Time) (removed int, err error) {
	client, ok := expiryClient(key)
	if !ok {
		return 0, fmt.Errorf("expiry key of %d bytes: %w", len(key), errRecord)
	}
	tx.Delete(key)
	s, err := t.find(st, client)
	switch {
	case err != nil:
		return 0, err
	case s == nil:
		return 0, fmt.Errorf("expiry of client %s, who has no session: %w", client.Short(), errRecord)
	case s.used >= deadline:
		t.index(tx, s, client)
		return 0, nil
	}
	t.sessions--
	if !t.listed[client] {
		t.foreign--
	}
	tx.Delete(sessionKey(client))
	return s.removeReplies(tx, client, slots{}), nil
}
