package evidence

import (
	"bytes"
	"fmt"

	"quorate.dev/quorate/consensus"
)

// Contradiction is two frames of one signer, as they were sent, for a place
// where an honest replica speaks once. Of a PRE-PREPARE its vote part suffices;
// Encode cuts the batch off.
type Contradiction struct{ First, Second []byte }

// Encode implements Proof: the lesser frame stands first.
func (c Contradiction) Encode() []byte {
	a, b := essence(c.First), essence(c.Second)
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	return encode(formatContradiction, a, b)
}

// essence cuts the batch off a PRE-PREPARE: what contradicts is the vote.
func essence(frame []byte) []byte {
	if len(frame) > voteSize && frame[0] == kindPrePrepare {
		return frame[:voteSize]
	}
	return frame
}

func newContradiction(first, second []byte) (Proof, error) {
	if bytes.Compare(first, second) >= 0 || len(essence(first)) != len(first) || len(essence(second)) != len(second) {
		return nil, fmt.Errorf("contradiction: frames not in their normal form: %w", consensus.ErrMalformed)
	}
	return Contradiction{First: first, Second: second}, nil
}

func (c Contradiction) judge(j *judge) (Fault, error) {
	first, err := Read(j.g, c.First)
	if err != nil {
		return Fault{}, fmt.Errorf("first message: %w", err)
	}
	second, err := Read(j.g, c.Second)
	if err != nil {
		return Fault{}, fmt.Errorf("second message: %w", err)
	}
	if first.Place != second.Place || first.Digest == second.Digest {
		return Fault{}, ErrNoContradiction
	}
	if err := j.signed(&first, &second); err != nil {
		return Fault{}, err
	}
	return Fault{Replica: first.Signer, What: kinds[first.Kind].name, View: first.View, Seq: first.Seq}, nil
}
