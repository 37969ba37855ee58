package pbft

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft/message"
)

// accusations keeps who contradicted itself, and bounds what a liar costs those
// who catch it. A place is judged once, however often its signer contradicts
// itself there, and so many places of each signer. The room is looked at before
// anything is encoded or verified.
type accusations struct {
	verify  crypto.Verifier
	genesis *consensus.Genesis
	out     *consensus.Outbox
	signers []accused
}

type accused struct {
	places []evidence.Place
	bytes  int // of the proofs, but for the first
}

func newAccusations(r *replica) accusations {
	return accusations{verify: r.cfg.Verify, genesis: &r.cfg.Genesis, out: &r.out, signers: make([]accused, len(r.peers))}
}

// maxProofs bounds the places of one signer that are judged. One proof
// convicts; more only show how it went on.
const maxProofs = 16

// admit takes the room for a proof of so many bytes, if it is to be judged. What
// comes after the first proof of a signer takes no more than evidence.MaxSize
// together: who contradicts itself in VIEW-CHANGEs of megabytes fills no disk.
func (a *accusations) admit(at evidence.Place, size int) bool {
	of := &a.signers[at.Signer]
	if !of.mayAdd(at, size) {
		return false
	}
	if len(of.places) > 0 {
		of.bytes += size
	}
	of.places = append(of.places, at)
	return true
}

// mayAdd reports whether there is room for a proof of so many bytes.
func (of *accused) mayAdd(at evidence.Place, size int) bool {
	if len(of.places) >= maxProofs || size > evidence.MaxSize || len(of.places) > 0 && of.bytes+size > evidence.MaxSize {
		return false
	}
	return !slices.Contains(of.places, at)
}

// room reports whether a contradiction in v's place is still to be judged.
func (a *accusations) room(v *message.Vote) bool {
	return a.signers[v.Replica].mayAdd(placeOf(v), 2*message.VoteSize)
}

// votes takes two votes of one signer that cannot both be honest.
func (a *accusations) votes(first, second *message.Vote) {
	if a.admit(placeOf(second), 2*message.VoteSize) {
		a.prove(first.Encode(), second.Encode())
	}
}

func placeOf(v *message.Vote) evidence.Place {
	return evidence.Place{Kind: byte(v.Kind), View: v.View, Seq: v.Seq, Signer: v.Replica}
}

// viewChanges takes two VIEW-CHANGEs of one signer for one view.
func (a *accusations) viewChanges(first, second *message.ViewChange) {
	at := evidence.Place{Kind: byte(message.ViewChangeKind), View: second.View, Signer: second.Replica}
	if a.admit(at, len(first.Frame)+len(second.Frame)) {
		a.prove(first.Frame, second.Frame)
	}
}

// prove tells of two frames that convict their signer, after code that shares
// nothing with this path has judged them (§9). Both are verified already, at the
// door or here; that they are verified again, once for each place, is for the case
// that this engine, or its disk, is what is wrong.
func (a *accusations) prove(first, second []byte) {
	b := evidence.Contradiction{First: first, Second: second}.Encode()
	fault, err := evidence.VerifyWith(a.verify, a.genesis, b)
	if err != nil {
		return
	}
	a.out.Note(consensus.Note{Kind: consensus.EvidenceNote, View: fault.View, Seq: fault.Seq, Replica: fault.Replica, Text: fault.String(), Bytes: b})
}
