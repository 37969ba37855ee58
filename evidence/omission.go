package evidence

import (
	"fmt"

	"quorate.dev/quorate/consensus"
)

// Omission is a COMMIT and a VIEW-CHANGE of one signer, for a later view, that
// does not show what the COMMIT says had prepared: its low mark is below the
// slot, and for the slot it has no certificate of the COMMIT's view or a later
// one, or one of that very view for another digest.
//
// An honest replica records its prepared certificate before it says COMMIT,
// keeps it until a stable checkpoint covers the slot, replaces it only by one
// of a later view, and never goes back behind a stable checkpoint: PROTOCOL.md
// §9 goes through restarts, state transfers and lost disks. Which of the
// two was sent first does not matter, because a replica that has left a view does
// not vote in it.
type Omission struct{ Commit, ViewChange []byte }

// Encode implements Proof: the COMMIT stands first.
func (o Omission) Encode() []byte { return encode(formatOmission, o.Commit, o.ViewChange) }

func newOmission(commit, viewChange []byte) (Proof, error) {
	if len(commit) != voteSize || commit[0] != FrameCommit || len(viewChange) < minViewChange || viewChange[0] != kindViewChange {
		return nil, fmt.Errorf("omission: not a COMMIT and a VIEW-CHANGE: %w", consensus.ErrMalformed)
	}
	return Omission{Commit: commit, ViewChange: viewChange}, nil
}

func (o Omission) judge(j *judge) (Fault, error) {
	commit, err := Read(j.g, o.Commit)
	if err != nil {
		return Fault{}, fmt.Errorf("COMMIT: %w", err)
	}
	said, err := Read(j.g, o.ViewChange)
	if err != nil {
		return Fault{}, fmt.Errorf("VIEW-CHANGE: %w", err)
	}
	vc, err := readViewChange(o.ViewChange)
	if err != nil {
		return Fault{}, err
	}
	if commit.Signer != said.Signer || !vc.omits(commit.View, commit.Seq, commit.Digest) {
		return Fault{}, ErrNoOmission
	}
	if err := j.signed(&commit, &said); err != nil {
		return Fault{}, err
	}
	return Fault{Replica: commit.Signer, Kind: KindOmission, What: kinds[kindViewChange].name, View: vc.view, Seq: commit.Seq}, nil
}
