package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft/message"
)

// accusations bounds what a liar costs those who catch it: by signer, what was
// judged already. A place is judged once, however often its signer contradicts
// itself there, and so many places of each signer. The room is looked at before
// anything is encoded or verified.
type accusations []accused

type accused struct {
	places []evidence.Place
	bytes  int // of the proofs, but for the first
}

// maxProofs bounds the places of one signer that are judged. One proof
// convicts; more only show how it went on.
const maxProofs = 16

// admit takes the room for a proof of so many bytes, if it is to be judged. What
// comes after the first proof of a signer takes no more than evidence.MaxSize
// together: who contradicts itself in VIEW-CHANGEs of megabytes fills no disk.
func (a accusations) admit(at evidence.Place, size int) bool {
	of := &a[at.Signer]
	if len(of.places) >= maxProofs || size > evidence.MaxSize || len(of.places) > 0 && of.bytes+size > evidence.MaxSize {
		return false
	}
	for _, known := range of.places {
		if known == at {
			return false
		}
	}
	if len(of.places) > 0 {
		of.bytes += size
	}
	of.places = append(of.places, at)
	return true
}

// contradicts keeps two votes of one signer that cannot both be honest.
func (r *replica) contradicts(first, second *message.Vote) {
	at := evidence.Place{Kind: byte(second.Kind), View: second.View, Seq: second.Seq, Signer: second.Replica}
	if r.accused.admit(at, 2*message.VoteSize) {
		r.accuse(first.Encode(), second.Encode())
	}
}

// changedItsMind keeps two VIEW-CHANGEs of one signer for one view.
func (r *replica) changedItsMind(first, second *message.ViewChange) {
	at := evidence.Place{Kind: byte(message.ViewChangeKind), View: second.View, Signer: second.Replica}
	if r.accused.admit(at, len(first.Frame)+len(second.Frame)) {
		r.accuse(first.Frame, second.Frame)
	}
}

// accuse tells of two frames that convict their signer, after code that shares
// nothing with this path has judged them (§9). Both came through the door, which
// has verified them; that they are verified again, once for each place, is for
// the case that this engine, or its disk, is what is wrong.
func (r *replica) accuse(first, second []byte) {
	b := evidence.Contradiction{First: first, Second: second}.Encode()
	fault, err := evidence.VerifyWith(r.cfg.Verify, &r.cfg.Genesis, b)
	if err != nil {
		return
	}
	r.out.Note(consensus.Note{Kind: consensus.EvidenceNote, View: fault.View, Seq: fault.Seq, Replica: fault.Replica, Text: fault.String(), Bytes: b})
}
