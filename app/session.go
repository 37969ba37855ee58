package app

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// session is what the replicated state knows of one client: which counters of
// its epoch were executed, as far as they lie in the window, and how long the
// reply kept for each is. One-shot clients cost a few dozen bytes, the
// busiest one some kilobytes.
type session struct {
	epoch    uint64
	used     consensus.Time // executed time of its last executed request
	executed []execution    // ascending counters, all in (highest-SessionWindow, highest]
	cached   int            // encoded results that are kept, in bytes
	stored   slots          // where the store has a reply record, wanted or not
	touched  bool           // changed since it was decoded
	opened   bool           // not in the store yet
}

// execution is one executed request of a session.
type execution struct {
	counter uint64
	size    int    // of its encoded results, in bytes; forgotten = no longer kept
	reply   []byte // the reply record until it is written to the store
}

// forgotten marks an executed request whose reply is no longer kept.
const forgotten = -1

// slots is a set of places in the window: a counter's place is its remainder,
// so that each reply record is overwritten by the one a window later.
type slots [consensus.SessionWindow / 64]uint64

func slotOf(counter uint64) byte { return byte(counter % consensus.SessionWindow) }

func (s *slots) set(i byte)      { s[i/64] |= 1 << (i % 64) }
func (s *slots) has(i byte) bool { return s[i/64]&(1<<(i%64)) != 0 }

// highest is the highest executed counter; 0 before the first.
func (s *session) highest() uint64 {
	if len(s.executed) == 0 {
		return 0
	}
	return s.executed[len(s.executed)-1].counter
}

// find returns where counter stands in s.executed, or would have to.
func (s *session) find(counter uint64) (at int, found bool) {
	// New counters mostly come in order, so look at the end first.
	if counter > s.highest() {
		return len(s.executed), false
	}
	return slices.BinarySearchFunc(s.executed, counter, func(e execution, c uint64) int { return cmp.Compare(e.counter, c) })
}

// verdict says what to do with a request.
type verdict struct {
	fresh  bool                  // execute it
	cached *execution            // it was executed, and its reply is kept
	code   consensus.RefusalCode // else: why not
}

// judge applies the window to a counter of the session's own epoch.
func (s *session) judge(counter uint64) verdict {
	h := s.highest()
	switch {
	case counter > h && counter-h > consensus.SessionWindow:
		return verdict{code: consensus.RefusedAhead}
	case counter <= h && h-counter >= consensus.SessionWindow:
		return verdict{code: consensus.RefusedStale}
	}
	at, found := s.find(counter)
	switch {
	case !found:
		return verdict{fresh: true}
	case s.executed[at].size == forgotten:
		return verdict{code: consensus.RefusedStale}
	}
	return verdict{cached: &s.executed[at]}
}

// reset opens a fresh window for a new epoch and drops the old replies.
func (s *session) reset(epoch uint64) {
	s.epoch, s.executed, s.cached = epoch, nil, 0
}

// record notes that counter was executed at time now, with its reply record,
// and moves the window. Beyond limit bytes the replies with the lowest
// counters are forgotten first, but never this one: its client may not have it yet.
func (s *session) record(counter uint64, now consensus.Time, reply []byte, limit int) {
	at, _ := s.find(counter)
	size := len(reply) - replyHead
	s.executed = slices.Insert(s.executed, at, execution{counter: counter, size: size, reply: reply})
	s.cached += size
	s.used, s.touched = now, true
	h := s.highest()
	below := 0
	for h-s.executed[below].counter >= consensus.SessionWindow {
		s.forget(below)
		below++
	}
	s.executed = s.executed[below:]
	for i := 0; s.cached > limit && i < len(s.executed); i++ {
		if s.executed[i].counter != counter {
			s.forget(i)
		}
	}
}

func (s *session) forget(i int) {
	e := &s.executed[i]
	if e.size != forgotten {
		s.cached -= e.size
	}
	e.size, e.reply = forgotten, nil
}

// wanted is the set of slots whose reply is kept.
func (s *session) wanted() (w slots) {
	for i := range s.executed {
		if s.executed[i].size != forgotten {
			w.set(slotOf(s.executed[i].counter))
		}
	}
	return w
}

// encode returns the session's record: epoch (8), used (8), and for each
// executed counter its distance to the one before and one more than its
// reply's size, or 0 if that is forgotten; both as varints.
func (s *session) encode() []byte {
	b := make([]byte, 0, 16+3*len(s.executed)+8)
	b = binary.BigEndian.AppendUint64(b, s.epoch)
	b = binary.BigEndian.AppendUint64(b, uint64(s.used))
	last := uint64(0)
	for i := range s.executed {
		e := &s.executed[i]
		b = binary.AppendUvarint(b, e.counter-last)
		b = binary.AppendUvarint(b, uint64(e.size+1))
		last = e.counter
	}
	return b
}

// errRecord says that a record in the replicated state is not one that this
// package writes. The state was certified, so only a damaged disk explains it.
var errRecord = errors.New("damaged record in the replicated state")

func decodeSession(b []byte) (*session, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("session of %d bytes: %w", len(b), errRecord)
	}
	s := &session{epoch: binary.BigEndian.Uint64(b), used: consensus.Time(binary.BigEndian.Uint64(b[8:]))}
	last := uint64(0)
	for b = b[16:]; len(b) > 0; {
		gap, ok := readUvarint(&b)
		if !ok || gap == 0 || last+gap < last {
			return nil, fmt.Errorf("session counter: %w", errRecord)
		}
		size, ok := readUvarint(&b)
		if !ok || size > consensus.MaxFrame {
			return nil, fmt.Errorf("session size: %w", errRecord)
		}
		last += gap
		s.executed = append(s.executed, execution{counter: last, size: int(size) - 1})
		if size > 0 {
			s.cached += int(size) - 1
		}
	}
	if n := len(s.executed); n == 0 || n > consensus.SessionWindow || last-s.executed[0].counter >= consensus.SessionWindow {
		return nil, fmt.Errorf("session of %d counters: %w", n, errRecord)
	}
	s.stored = s.wanted()
	return s, nil
}

// readUvarint reads a varint from the front of b, in its shortest form only.
func readUvarint(b *[]byte) (v uint64, ok bool) {
	v, n := binary.Uvarint(*b)
	if n <= 0 || n > 1 && (*b)[n-1] == 0 {
		return 0, false
	}
	*b = (*b)[n:]
	return v, true
}

// replyHead is the length of a reply record before its results: counter (8),
// request digest (32), sequence number of its batch (8).
const replyHead = 8 + crypto.DigestSize + 8

func encodeReply(counter uint64, request crypto.Digest, seq consensus.Seq, results []consensus.Result) []byte {
	b := make([]byte, 0, replyHead+resultsSize(results))
	b = binary.BigEndian.AppendUint64(b, counter)
	b = append(b, request[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	return consensus.AppendResults(b, results)
}

// resultsSize is the length of encoded results, in bytes.
func resultsSize(results []consensus.Result) int {
	size := 2
	for i := range results {
		size += 4 + len(results[i].Data)
	}
	return size
}

// decodeReply reads a reply record; the results alias it.
func decodeReply(b []byte) (*consensus.Reply, error) {
	s := cryptobyte.String(b)
	r := &consensus.Reply{}
	var seq uint64
	if !s.ReadUint64(&r.Sequence.Counter) || !s.CopyBytes(r.Request[:]) || !s.ReadUint64(&seq) {
		return nil, fmt.Errorf("reply of %d bytes: %w", len(b), errRecord)
	}
	r.Seq = consensus.Seq(seq)
	var err error
	if r.Results, err = consensus.ReadResults(&s); err != nil || !s.Empty() {
		return nil, fmt.Errorf("reply of %d bytes: %w", len(b), errRecord)
	}
	return r, nil
}
