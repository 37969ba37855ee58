package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
)

// Why something that decodes is no evidence.
var (
	// ErrNoContradiction: an honest replica may have sent both frames.
	ErrNoContradiction = errors.New("the two messages do not contradict each other")
	// ErrSignature: the named replica has not signed one of the frames.
	ErrSignature = errors.New("not signed by the replica that it names")
)

// Contradiction is two frames of one signer, as they were sent. Of a
// PRE-PREPARE its vote part suffices; Encode cuts the batch off.
type Contradiction struct{ First, Second []byte }

// Fault says what a contradiction proves.
type Fault struct {
	Replica consensus.ReplicaID
	What    string         // the kind of message that was signed twice, such as "PREPARE"
	View    consensus.View // 0 for checkpoints
	Seq     consensus.Seq  // 0 for VIEW-CHANGE and NEW-VIEW
}

// String says it in one line, for people.
func (f Fault) String() string {
	return fmt.Sprintf("replica %d signed two different %s at v=%d n=%d", f.Replica, f.What, f.View, f.Seq)
}

// format is the first byte of an encoded contradiction.
const format = 1

// MaxSize bounds an encoded contradiction, in bytes.
const MaxSize = 1 + 2*(3+consensus.MaxFrame)

// Encode returns the one encoding of c: a format byte, then both frames behind
// their lengths, the lesser one first. It does not judge c; that both frames
// fit consensus.MaxFrame is the caller's to see to.
func (c Contradiction) Encode() []byte {
	a, b := essence(c.First), essence(c.Second)
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	out := append(make([]byte, 0, 1+3+len(a)+3+len(b)), format)
	return consensus.AppendBytes(consensus.AppendBytes(out, a), b)
}

// essence cuts the batch off a PRE-PREPARE: what contradicts is the vote.
func essence(frame []byte) []byte {
	if len(frame) > voteSize && frame[0] == kindPrePrepare {
		return frame[:voteSize]
	}
	return frame
}

// Decode reads what Encode wrote and refuses every other encoding, wrapping
// consensus.ErrMalformed. The frames alias b.
func Decode(b []byte) (Contradiction, error) {
	if len(b) == 0 || len(b) > MaxSize || b[0] != format {
		return Contradiction{}, fmt.Errorf("contradiction of %d bytes: %w", len(b), consensus.ErrMalformed)
	}
	first, rest, ok := cut(b[1:])
	if !ok {
		return Contradiction{}, fmt.Errorf("contradiction: first frame: %w", consensus.ErrMalformed)
	}
	second, rest, ok := cut(rest)
	if !ok || len(rest) > 0 {
		return Contradiction{}, fmt.Errorf("contradiction: second frame: %w", consensus.ErrMalformed)
	}
	if bytes.Compare(first, second) >= 0 || len(essence(first)) != len(first) || len(essence(second)) != len(second) {
		return Contradiction{}, fmt.Errorf("contradiction: frames not in their normal form: %w", consensus.ErrMalformed)
	}
	return Contradiction{First: first, Second: second}, nil
}

// cut takes a byte string behind its three-byte length off the front of b.
func cut(b []byte) (head, rest []byte, ok bool) {
	if len(b) < 3 {
		return nil, nil, false
	}
	size := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if b = b[3:]; size > len(b) || size > consensus.MaxFrame {
		return nil, nil, false
	}
	return b[:size], b[size:], true
}

// Verify judges an encoded contradiction by the genesis alone and says what it
// proves. Errors wrap consensus.ErrMalformed, ErrNoContradiction or
// ErrSignature.
func Verify(g *consensus.Genesis, encoded []byte) (Fault, error) {
	fault, err := VerifyWith(crypto.NewVerifier(nil), g, encoded)
	if err != nil {
		return Fault{}, err
	}
	if g.Replicas[fault.Replica].Weak() {
		return Fault{}, fmt.Errorf("evidence: anybody can sign for the key of replica %d: %w", fault.Replica, ErrSignature)
	}
	return fault, nil
}

// VerifyWith is Verify with another authority over signatures. Callers:
// simulations, whose signatures are not Ed25519.
func VerifyWith(v crypto.Verifier, g *consensus.Genesis, encoded []byte) (Fault, error) {
	c, err := Decode(encoded)
	if err != nil {
		return Fault{}, fmt.Errorf("evidence: %w", err)
	}
	first, err := read(g, c.First)
	if err != nil {
		return Fault{}, fmt.Errorf("evidence: first message: %w", err)
	}
	second, err := read(g, c.Second)
	if err != nil {
		return Fault{}, fmt.Errorf("evidence: second message: %w", err)
	}
	if first.place != second.place || first.said == second.said {
		return Fault{}, fmt.Errorf("evidence: %w", ErrNoContradiction)
	}
	for _, s := range []statement{first, second} {
		if ok := v.Verify([]crypto.Claim{s.claim(g)}); len(ok) != 1 || !ok[0] {
			return Fault{}, fmt.Errorf("evidence: a %s of replica %d: %w", kinds[first.kind].name, first.signer, ErrSignature)
		}
	}
	return Fault{Replica: first.signer, What: kinds[first.kind].name, View: first.view, Seq: first.seq}, nil
}
