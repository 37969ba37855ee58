package paxos

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos/synod"
)

// Protocol is Multi-Paxos for one replica before it runs.
type Protocol struct {
	cfg    Config
	system quorum.System
	door   consensus.Members
}

var _ consensus.Protocol = (*Protocol)(nil)

// New checks cfg and returns the protocol.
func New(cfg Config) (*Protocol, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	system, err := quorum.Crash.For(&cfg.Genesis)
	if err != nil {
		return nil, err
	}
	p := &Protocol{cfg: cfg, system: system}
	p.door = consensus.Members{Door: consensus.NewDoor(&p.cfg.Genesis), Fetch: fetchKind, Open: p.openMember}
	return p, nil
}

// The reasons for which Open refuses a frame, beside those of all protocols.
const (
	ReasonOversized consensus.Reason = consensus.ReasonOversized
	ReasonUnknown   consensus.Reason = "unknown kind"
	ReasonTopic     consensus.Reason = consensus.ReasonTopic
	ReasonOwner     consensus.Reason = "the ballot is not of who speaks under it, or not of who is answered"
	ReasonBatch     consensus.Reason = "batch breaks a limit or repeats a request"
	ReasonUnsigned  consensus.Reason = consensus.ReasonUnsigned
	ReasonState     consensus.Reason = "a state stands at a checkpoint"
)

// Open implements consensus.Protocol. Messages of members are authentic by
// their channel; what is verified are the clients' signatures, in proposals as
// well as in requests. Safe to call concurrently if v is.
func (p *Protocol) Open(v crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	return p.door.OpenAll(v, in)
}

// openMember decodes what members say to each other.
func (p *Protocol) openMember(f consensus.Frame) (any, []crypto.Claim, consensus.Reason) {
	var m any
	var err error
	switch kind := f.Bytes[0]; {
	case kind == consensus.KindClock:
		m, err = consensus.DecodeClock(f.Bytes)
	case kind >= PrepareKind && kind <= FetchReplyKind:
		m, err = Decode(f.Bytes)
	default:
		return nil, nil, ReasonUnknown
	}
	if err != nil {
		return nil, nil, consensus.ReasonMalformed
	}
	claims, why := p.judge(f.From.Replica, m)
	return m, claims, why
}

// judge holds a message against its sender: a ballot belongs to one proposer, who
// alone speaks under it, and who alone is answered. E.g. A and B both propose for
// slot 1 under 5: a later proposer that hears of both has nothing to tell them by.
func (p *Protocol) judge(from consensus.ReplicaID, message any) ([]crypto.Claim, consensus.Reason) {
	var spoken, answered synod.Ballot
	var batch *consensus.Batch
	switch m := message.(type) {
	case *Prepare:
		spoken = m.Ballot
	case *Accept:
		spoken, batch = m.Ballot, m.Batch
	case *Commit:
		spoken = m.Ballot
	case *Heartbeat:
		spoken = m.Ballot
	case *Promise:
		answered = m.Ballot
	case *Accepted:
		answered = m.Ballot
	case *Alive:
		answered = m.Ballot
	case *Reject:
		answered = m.Ballot
	case *Value:
		batch = m.Batch
	case State:
		if m.Seq%p.cfg.Genesis.CheckpointInterval != 0 {
			return nil, ReasonState
		}
	}
	n := p.system.Size()
	if spoken > 0 && spoken.Owner(n) != from || answered > 0 && answered.Owner(n) != p.cfg.Self {
		return nil, ReasonOwner
	}
	if batch == nil {
		return nil, ""
	}
	if err := p.door.CheckBatch(batch); err != nil {
		return nil, ReasonBatch
	}
	claims := make([]crypto.Claim, 0, len(batch.Requests))
	for _, req := range batch.Requests {
		claims = append(claims, req.Claim(p.door.Cluster))
	}
	return claims, ""
}
