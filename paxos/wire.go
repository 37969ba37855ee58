package paxos

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos/synod"
)

// The kinds of frames: the first byte.
const (
	PrepareKind    byte = iota + consensus.FirstProtocolKind // proposer → all: phase 1 of all slots above one
	PromiseKind                                              // acceptor → proposer
	AcceptKind                                               // leader → all: phase 2 of a slot
	AcceptedKind                                             // acceptor → leader
	CommitKind                                               // leader → all: what is chosen
	heartbeatKind                                            // leader → all: a COMMIT by time, and a question whether they follow
	AliveKind                                                // acceptor → leader: its answer
	rejectKind                                               // acceptor → proposer
	learnKind                                                // any → any: asks for the values of slots
	ValueKind                                                // any → any: the value of one
	StateKind                                                // any → any: names a state, instead of what it stands for
	fetchKind                                                // any → any: asks for parts of one
	FetchReplyKind                                           // any → any: holds them
)

// What members say to each other. All of it is authentic by its channel, and
// nothing is signed but the requests in batches.
type (
	// Prepare asks for a promise of Ballot, and for the votes above Above.
	Prepare struct {
		Ballot synod.Ballot
		Above  consensus.Seq
	}

	// Promise is an acceptor's answer, whole: of each slot, the vote of the
	// highest ballot.
	Promise = synod.Promise

	// Accept proposes a batch for a slot; nil is the null batch.
	Accept struct {
		Ballot synod.Ballot
		Slot   consensus.Seq
		Batch  *consensus.Batch
		digest crypto.Digest // of Batch, where it was decoded
	}

	// Accepted is a vote.
	Accepted struct {
		Ballot synod.Ballot
		Slot   consensus.Seq
	}

	// Commit says that all slots up to UpTo are chosen.
	Commit struct {
		Ballot synod.Ballot
		UpTo   consensus.Seq
	}

	// Heartbeat is a Commit that is to be answered; UpTo may be 0. Round names it.
	Heartbeat struct {
		Ballot synod.Ballot
		UpTo   consensus.Seq
		Round  uint64
	}

	// Alive answers a Heartbeat: when it came, nobody else had been promised more.
	Alive struct {
		Ballot synod.Ballot
		Round  uint64
	}

	// Reject says that Ballot is too low, and what was promised.
	Reject struct{ Ballot, Promised synod.Ballot }

	// Learn asks for what is chosen in slots; with Votes, for votes too.
	Learn struct {
		From, To consensus.Seq
		Votes    bool
	}

	// Value is what stands in a slot: chosen, or a vote under Ballot.
	Value struct {
		Slot   consensus.Seq
		Ballot synod.Ballot
		Chosen bool
		Batch  *consensus.Batch
		digest crypto.Digest // of Batch, where it was decoded
	}

	// State names the state on the sender's disk.
	State = transfer.Handle
)

// The messages of a transfer.
type (
	Fetch      = transfer.Fetch
	FetchReply = transfer.FetchReply
)

// words makes a frame of numbers.
func words(kind byte, numbers ...uint64) []byte {
	b := make([]byte, 1, 1+8*len(numbers))
	b[0] = kind
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// Encode returns the frame.
func (m *Prepare) Encode() []byte { return words(PrepareKind, uint64(m.Ballot), uint64(m.Above)) }

// voteSize is what a promise takes for one vote, in bytes.
const voteSize = 8 + 8 + 1 + crypto.DigestSize

// maxVotes is how many votes a promise names at most: 3.2 MB.
const maxVotes = 1<<16 - 1

// EncodePromise returns the frame.
func EncodePromise(m *Promise) []byte {
	b := make([]byte, 0, 1+8+8+2+len(m.Votes)*voteSize)
	b = append(b, words(PromiseKind, uint64(m.Ballot), uint64(m.Base))...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Votes)))
	for _, v := range m.Votes {
		b = binary.BigEndian.AppendUint64(b, uint64(v.Slot))
		b = binary.BigEndian.AppendUint64(b, uint64(v.Ballot))
		b = append(append(b, flag(v.Chosen)), v.Digest[:]...)
	}
	return b
}

// Encode returns the frame.
func (m *Accept) Encode() []byte {
	return appendBatch(words(AcceptKind, uint64(m.Ballot), uint64(m.Slot)), m.Batch)
}

// Encode returns the frame.
func (m *Accepted) Encode() []byte { return words(AcceptedKind, uint64(m.Ballot), uint64(m.Slot)) }

// Encode returns the frame.
func (m *Commit) Encode() []byte { return words(CommitKind, uint64(m.Ballot), uint64(m.UpTo)) }

// Encode returns the frame.
func (m *Heartbeat) Encode() []byte {
	return words(heartbeatKind, uint64(m.Ballot), uint64(m.UpTo), m.Round)
}

// Encode returns the frame.
func (m *Alive) Encode() []byte { return words(AliveKind, uint64(m.Ballot), m.Round) }

// Encode returns the frame.
func (m *Reject) Encode() []byte { return words(rejectKind, uint64(m.Ballot), uint64(m.Promised)) }

// Encode returns the frame.
func (m *Learn) Encode() []byte {
	return append(words(learnKind, uint64(m.From), uint64(m.To)), flag(m.Votes))
}

// Encode returns the frame.
func (m *Value) Encode() []byte {
	return appendBatch(append(words(ValueKind, uint64(m.Slot), uint64(m.Ballot)), flag(m.Chosen)), m.Batch)
}

// EncodeState returns the frame.
func EncodeState(m State) []byte { return transfer.AppendHandle([]byte{StateKind}, m.Seq, m.Root) }

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// appendBatch appends a batch behind a byte that tells it from the null batch.
func appendBatch(b []byte, batch *consensus.Batch) []byte {
	if batch == nil {
		return append(b, 0)
	}
	return batch.Append(append(b, 1))
}

// Decode reads a frame of this package's kinds: a pointer to one of its messages, or
// a State. It is authentic by its channel only, so that reading it proves nothing.
// Errors wrap consensus.ErrMalformed.
func Decode(frame []byte) (any, error) {
	if len(frame) == 0 {
		return nil, fmt.Errorf("empty frame: %w", consensus.ErrMalformed)
	}
	switch frame[0] {
	case fetchKind:
		return transfer.DecodeFetch(frame)
	case FetchReplyKind:
		return transfer.DecodeFetchReply(frame)
	}
	d := decoder{cryptobyte.String(frame[1:]), true}
	m := d.message(frame[0])
	if m == nil || !d.ok || !d.s.Empty() {
		return nil, fmt.Errorf("kind %d of %d bytes: %w", frame[0], len(frame), consensus.ErrMalformed)
	}
	return m, nil
}

// decoder reads fields in order; ok says whether all were there.
type decoder struct {
	s  cryptobyte.String
	ok bool
}

func (d *decoder) message(kind byte) any {
	switch kind {
	case PrepareKind:
		return &Prepare{d.ballot(), d.seq()}
	case PromiseKind:
		return d.promise()
	case AcceptKind:
		m := &Accept{Ballot: d.ballot(), Slot: d.slot()}
		m.Batch, m.digest = d.batch()
		return m
	case AcceptedKind:
		return &Accepted{d.ballot(), d.slot()}
	case CommitKind:
		return &Commit{d.ballot(), d.seq()}
	case heartbeatKind:
		return &Heartbeat{d.ballot(), d.seq(), d.number()}
	case AliveKind:
		return &Alive{d.ballot(), d.number()}
	case rejectKind:
		return &Reject{d.ballot(), d.ballot()}
	case learnKind:
		m := &Learn{From: d.slot(), To: d.slot(), Votes: d.flag()}
		d.ok = d.ok && m.From <= m.To
		return m
	case ValueKind:
		m := &Value{Slot: d.slot(), Ballot: synod.Ballot(d.number()), Chosen: d.flag()}
		d.ok = d.ok && m.Ballot <= synod.MaxBallot && (m.Ballot > 0 || m.Chosen)
		m.Batch, m.digest = d.batch()
		return m
	case StateKind:
		n, root, ok := transfer.ReadHandle(&d.s)
		d.ok = d.ok && ok && n <= consensus.MaxSeq
		return State{Seq: n, Root: root}
	}
	return nil
}

func (d *decoder) number() (n uint64) {
	d.ok = d.ok && d.s.ReadUint64(&n)
	return n
}

// ballot is one under which somebody may speak.
func (d *decoder) ballot() synod.Ballot {
	b := synod.Ballot(d.number())
	d.ok = d.ok && b.Valid()
	return b
}

// seq is a slot, or 0.
func (d *decoder) seq() consensus.Seq {
	n := consensus.Seq(d.number())
	d.ok = d.ok && n <= consensus.MaxSeq
	return n
}

func (d *decoder) slot() consensus.Seq {
	n := d.seq()
	d.ok = d.ok && n > 0
	return n
}

func (d *decoder) flag() bool {
	var b uint8
	d.ok = d.ok && d.s.ReadUint8(&b) && b <= 1
	return b == 1
}

func (d *decoder) batch() (*consensus.Batch, crypto.Digest) {
	var b *consensus.Batch
	if d.flag() && d.ok {
		var err error
		b, err = consensus.ReadBatch(&d.s)
		d.ok = err == nil
	}
	if !d.ok {
		return nil, crypto.Digest{}
	}
	return b, b.Digest()
}

// promise reads votes that are in order, above the base, and none of a higher
// ballot than the promise.
func (d *decoder) promise() *Promise {
	m := &Promise{Ballot: d.ballot(), Base: d.seq()}
	var count uint16
	d.ok = d.ok && d.s.ReadUint16(&count) && len(d.s)%voteSize == 0 && uint16(len(d.s)/voteSize) == count
	last := m.Base
	for d.ok && !d.s.Empty() {
		v := synod.Vote{Slot: d.slot(), Ballot: synod.Ballot(d.number()), Chosen: d.flag()}
		d.ok = d.ok && d.s.CopyBytes(v.Digest[:]) && v.Slot > last && v.Ballot <= m.Ballot && (v.Ballot > 0 || v.Chosen)
		last = v.Slot
		m.Votes = append(m.Votes, v)
	}
	return m
}
