package decree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos/synod"
)

// ErrShape is wrapped where so many participants are impossible.
var ErrShape = errors.New("impossible number of participants")

// Most are the most participants of one role.
const Most = 9

// Shape is how many participants there are of each role.
type Shape struct {
	Proposers int `json:"proposers"`
	Acceptors int `json:"acceptors"`
	Learners  int `json:"learners"`
}

// check fails, wrapping ErrShape, if there cannot be so many.
func (s Shape) check() error {
	for role, n := range map[string]int{"proposers": s.Proposers, "acceptors": s.Acceptors, "learners": s.Learners} {
		if n < 1 || n > Most {
			return fmt.Errorf("%w: %d %s: choose 1 to %d", ErrShape, n, role, Most)
		}
	}
	return nil
}

// quorum is how many acceptors choose.
func (s Shape) quorum() int { return quorum.Crash.System(s.Acceptors).Quorum() }

// ends is the number of participants. They are numbered: proposers, acceptors,
// learners.
func (s Shape) ends() int { return s.Proposers + s.Acceptors + s.Learners }

func (s Shape) acceptor(i int) int { return s.Proposers + i }
func (s Shape) learner(i int) int  { return s.Proposers + s.Acceptors + i }

// name is an end's name: P0, A1, L0.
func (s Shape) name(end int) string {
	switch {
	case end < s.Proposers:
		return fmt.Sprintf("P%d", end)
	case end < s.learner(0):
		return fmt.Sprintf("A%d", end-s.Proposers)
	}
	return fmt.Sprintf("L%d", end-s.learner(0))
}

// value is what a proposer wants to have chosen: 1 and its number; 0 is nothing.
type value uint8

// valueOf is the value of a digest.
func valueOf(d crypto.Digest) value {
	for v := value(1); v <= Most; v++ {
		if v.digest() == d {
			return v
		}
	}
	return 0
}

// String is its name: x, y, z, u, v, ...
func (v value) String() string {
	if v == 0 {
		return "nothing"
	}
	return "xyzuvwrst"[v-1 : v]
}

func (v value) digest() crypto.Digest { return crypto.Hash([]byte(v.String())) }

// The one slot of a single decree.
const slot consensus.Seq = 1

// kind is what a message is.
type kind uint8

// The messages of Paxos: phase 1, phase 2, and a refusal in either.
const (
	prepare kind = iota + 1
	promise
	accept
	accepted
	reject
	inquiry // of a learner, to proposers
)

// String is the name of the message.
func (k kind) String() string {
	return [...]string{"?", "PREPARE", "PROMISE", "ACCEPT", "ACCEPTED", "REJECT", "INQUIRY"}[min(k, inquiry)]
}

// message is one of them. It is a value, and as bytes has a fixed size.
type message struct {
	Kind     kind
	From, To uint8 // ends
	Ballot   synod.Ballot
	Voted    synod.Ballot // PROMISE: of the vote that it names, 0 is none; REJECT: what was promised
	Value    value        // PROMISE: of that vote; ACCEPT, ACCEPTED
}

// encode is the message with a body of so many bytes.
func (m message) encode(body int) []byte {
	frame, err := binary.Append(make([]byte, 0, 32+body), binary.BigEndian, m)
	if err != nil {
		panic(fmt.Sprintf("decree: a message has a fixed size: %v", err))
	}
	return append(frame, make([]byte, body)...)
}

// decode reads one of this package's own frames.
func decode(frame []byte) (m message) {
	if err := binary.Read(bytes.NewReader(frame), binary.BigEndian, &m); err != nil {
		panic(fmt.Sprintf("decree: not a frame of this package: %v", err))
	}
	return m
}

// words is what the message says.
func (m message) words() string {
	switch {
	case m.Kind == promise && m.Voted == 0:
		return fmt.Sprintf("PROMISE %d: accepted nothing", m.Ballot)
	case m.Kind == promise:
		return fmt.Sprintf("PROMISE %d: accepted %v under %d", m.Ballot, m.Value, m.Voted)
	case m.Kind == reject:
		return fmt.Sprintf("REJECT %d: promised %d", m.Ballot, m.Voted)
	case m.Kind == prepare:
		return fmt.Sprintf("PREPARE %d", m.Ballot)
	case m.Kind == inquiry:
		return "INQUIRY: what is chosen?"
	}
	return fmt.Sprintf("%v %d: %v", m.Kind, m.Ballot, m.Value)
}
