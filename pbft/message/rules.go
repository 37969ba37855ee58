package message

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// Rules is what every member knows from the genesis: what it takes to judge a
// message without knowing anybody's position. Read-only once made.
type Rules struct {
	Genesis consensus.Genesis
	System  quorum.System
	Cluster crypto.Digest
	Roles   consensus.Roles
	door    consensus.Door
}

// NewRules derives the rules from a genesis.
func NewRules(g consensus.Genesis) (*Rules, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	sys, err := quorum.Byzantine.For(&g)
	if err != nil {
		return nil, err
	}
	r := &Rules{Genesis: g, System: sys, Cluster: g.ID(), Roles: g.Roles()}
	r.door = consensus.NewDoor(&r.Genesis)
	return r, nil
}

// domain is what a signature over a message of this kind is about.
func (r *Rules) domain(k Kind) crypto.Domain {
	return crypto.Domain{Tag: tags[k-PrePrepareKind], Cluster: r.Cluster, Epoch: r.Genesis.Epoch}
}

// member reports whether id is a replica of this cluster.
func (r *Rules) member(id consensus.ReplicaID) bool { return int(id) < len(r.Genesis.Replicas) }

// Sign signs body for a message of kind k.
func (r *Rules) sign(s crypto.Signer, k Kind, body []byte) crypto.Signature {
	return s.Sign(r.domain(k), body)
}

// claim is the statement that member id signed body as a message of kind k.
func (r *Rules) claim(k Kind, id consensus.ReplicaID, body []byte, sig crypto.Signature) crypto.Claim {
	return crypto.Claim{Key: r.Genesis.Replicas[id], Domain: r.domain(k), Body: body, Signature: sig}
}

// MaxView bounds the views that anybody goes for: nobody gets there by
// counting, and a liar who is there cannot make a sum of a view overflow.
const MaxView consensus.View = 1 << 62

// Kind is the first byte of a frame.
type Kind byte

// The kinds of PBFT's frames.
const (
	PrePrepareKind Kind = iota + Kind(consensus.FirstProtocolKind)
	PrepareKind
	CommitKind
	CheckpointKind
	ViewChangeKind
	NewViewKind
	StatusKind
	FetchKind
	FetchReplyKind
	RejoinKind
	RejoinAnswerKind
	lastKind = RejoinAnswerKind
)

var tags = [...]string{
	"quorate/1/pre-prepare", "quorate/1/prepare", "quorate/1/commit", "quorate/1/checkpoint",
	"quorate/1/view-change", "quorate/1/new-view",
}

var kindNames = [...]string{
	"PRE-PREPARE", "PREPARE", "COMMIT", "CHECKPOINT", "VIEW-CHANGE", "NEW-VIEW",
	"STATUS", "FETCH", "FETCH-REPLY", "REJOIN", "REJOIN-ANSWER",
}

// String is the name that the paper uses, or one in its manner.
func (k Kind) String() string {
	switch {
	case consensus.IsRequest([]byte{byte(k)}):
		return "REQUEST"
	case k < PrePrepareKind || k > lastKind:
		return "?"
	}
	return kindNames[k-PrePrepareKind]
}
