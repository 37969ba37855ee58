package evidence

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Why something that decodes is no evidence.
var (
	// ErrNoContradiction: an honest replica may have sent both frames.
	ErrNoContradiction = errors.New("the two messages do not contradict each other")
	// ErrNoOmission: an honest replica may have cast the vote and sent the
	// VIEW-CHANGE.
	ErrNoOmission = errors.New("the VIEW-CHANGE shows everything that the COMMIT obliges it to show")
	// ErrFounded: an honest replica may have sent the frame.
	ErrFounded = errors.New("the message proves what it claims")
	// ErrSignature: the named replica has not signed one of the frames.
	ErrSignature = errors.New("not signed by the replica that it names")
)

// Proof is something that convicts one replica to anybody who has the genesis:
// a Contradiction, an Omission or an Unfounded frame.
type Proof interface {
	// Encode returns the proof's one encoding. It does not judge the proof;
	// that its frames fit consensus.MaxFrame is the caller's to see to.
	Encode() []byte
	judge(j *judge) (Fault, error)
}

// The first byte of an encoded proof.
const (
	formatContradiction byte = 1
	formatOmission      byte = 2
	formatUnfounded     byte = 3
)

// MaxSize bounds an encoded proof, in bytes.
const MaxSize = 1 + 2*(3+consensus.MaxFrame)

// Kind is the way in which a replica convicted itself.
type Kind byte

// The kinds of faults.
const (
	KindContradiction Kind = iota // signed two messages where an honest replica signs one
	KindOmission                  // left out of a VIEW-CHANGE what its COMMIT obliged it to show
	KindUnfounded                 // signed a VIEW-CHANGE or NEW-VIEW that does not hold
)

// Fault says what a proof proves.
type Fault struct {
	Replica consensus.ReplicaID
	Kind    Kind
	What    string         // the kind of message that is wrong, such as "PREPARE"
	View    consensus.View // of that message; 0 for checkpoints
	Seq     consensus.Seq  // the slot; 0 if it is about a VIEW-CHANGE or NEW-VIEW as a whole
}

// String says it in one line, for people.
func (f Fault) String() string {
	switch f.Kind {
	case KindOmission:
		return fmt.Sprintf("replica %d left its COMMIT at n=%d out of its %s for v=%d", f.Replica, f.Seq, f.What, f.View)
	case KindUnfounded:
		return fmt.Sprintf("replica %d signed a %s for v=%d that does not hold", f.Replica, f.What, f.View)
	}
	return fmt.Sprintf("replica %d signed two different %s at v=%d n=%d", f.Replica, f.What, f.View, f.Seq)
}

// Decode reads what a proof's Encode wrote and refuses every other encoding,
// wrapping consensus.ErrMalformed. The frames alias b.
func Decode(b []byte) (Proof, error) {
	if len(b) == 0 || len(b) > MaxSize {
		return nil, fmt.Errorf("proof of %d bytes: %w", len(b), consensus.ErrMalformed)
	}
	c := cursor{b: b[1:]}
	frames := [][]byte{c.lengthy()}
	for len(c.b) > 0 && !c.bad && len(frames) < 3 {
		frames = append(frames, c.lengthy())
	}
	switch {
	case c.bad:
		return nil, fmt.Errorf("proof: frame %d: %w", len(frames), consensus.ErrMalformed)
	case b[0] == formatContradiction && len(frames) == 2:
		return newContradiction(frames[0], frames[1])
	case b[0] == formatOmission && len(frames) == 2:
		return newOmission(frames[0], frames[1])
	case b[0] == formatUnfounded && len(frames) == 1:
		return newUnfounded(frames[0])
	}
	return nil, fmt.Errorf("proof of format %d with %d frames: %w", b[0], len(frames), consensus.ErrMalformed)
}

// encode lays out a proof: its format, then its frames behind their lengths.
func encode(format byte, frames ...[]byte) []byte {
	size := 1
	for _, f := range frames {
		size += 3 + len(f)
	}
	out := append(make([]byte, 0, size), format)
	for _, f := range frames {
		out = consensus.AppendBytes(out, f)
	}
	return out
}

// Verify judges an encoded proof by the genesis alone and says what it proves.
// Errors wrap consensus.ErrMalformed, ErrSignature, or that of ErrNoContradiction,
// ErrNoOmission and ErrFounded which says why an honest replica may have sent this.
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
	p, err := Decode(encoded)
	if err != nil {
		return Fault{}, fmt.Errorf("evidence: %w", err)
	}
	fault, err := p.judge(newJudge(g, v))
	if err != nil {
		return Fault{}, fmt.Errorf("evidence: %w", err)
	}
	return fault, nil
}
