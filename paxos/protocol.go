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
	door   consensus.Door
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
	p.door = consensus.NewDoor(&p.cfg.Genesis)
	return p, nil
}

// The reasons for which Open refuses a frame, beside those of all protocols.
const (
	ReasonOversized consensus.Reason = "frame over the limit"
	ReasonUnknown   consensus.Reason = "unknown kind"
	ReasonTopic     consensus.Reason = "from the topic only requests are taken"
	ReasonOwner     consensus.Reason = "the ballot is not of who speaks under it, or not of who is answered"
	ReasonBatch     consensus.Reason = "batch breaks a limit or repeats a request"
	ReasonUnsigned  consensus.Reason = "batch holds a request that is not authentic"
	ReasonState     consensus.Reason = "a state stands at a checkpoint"
)

// opening is a frame between decoding and verification.
type opening struct {
	consensus.Opened
	request *consensus.Request // of a frame that is one
}

// Open implements consensus.Protocol. Messages of members are authentic by
// their channel; what is verified are the clients' signatures, in proposals as
// well as in requests. Safe to call concurrently if v is.
func (p *Protocol) Open(v crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	openings := make([]opening, len(in))
	claims := make([][]crypto.Claim, len(in))
	for i, f := range in {
		openings[i], claims[i] = p.open(f)
	}
	out := make([]consensus.Opened, len(in))
	for i, bad := range crypto.FirstFalse(v, claims) {
		o := &openings[i]
		if bad >= 0 && o.Event != nil {
			o.Opened = p.unsigned(in[i], o.request)
		}
		out[i] = o.Opened
	}
	return out
}

// unsigned is what becomes of a frame with a signature that does not hold.
func (p *Protocol) unsigned(f consensus.Frame, request *consensus.Request) consensus.Opened {
	if request != nil {
		return p.door.Denied(f, request)
	}
	return refused(ReasonUnsigned)
}

func refused(why consensus.Reason) consensus.Opened {
	return consensus.Opened{Reason: why, Blame: true}
}

// open decodes one frame and lists what has to be verified of it.
func (p *Protocol) open(f consensus.Frame) (opening, []crypto.Claim) {
	switch {
	case len(f.Bytes) == 0:
		return opening{Opened: refused(consensus.ReasonMalformed)}, nil
	case len(f.Bytes) > consensus.MaxFrame:
		return opening{Opened: refused(ReasonOversized)}, nil
	case consensus.IsRequest(f.Bytes):
		req, o := p.door.OpenRequest(f)
		if req == nil {
			return opening{Opened: o}, nil
		}
		return opening{Opened: o, request: req}, []crypto.Claim{req.Claim(p.door.Cluster)}
	case f.Bytes[0] == consensus.KindRead:
		return opening{Opened: p.door.OpenQuery(f)}, nil
	case f.From.Kind == consensus.Topic:
		return opening{Opened: refused(ReasonTopic)}, nil
	case f.From.Kind == consensus.PeerClient:
		o := refused(consensus.ReasonChannel)
		o.Refusal = &consensus.Refusal{Client: f.From.Key, Code: consensus.RefusedMalformed}
		return opening{Opened: o}, nil
	case f.From.Kind != consensus.PeerReplica && f.Bytes[0] != fetchKind:
		return opening{Opened: refused(consensus.ReasonChannel)}, nil
	}
	m, claims, why := p.openMember(f)
	if why != "" {
		return opening{Opened: refused(why)}, nil
	}
	return opening{Opened: consensus.Opened{Event: consensus.Receive{From: f.From, Message: m}}}, claims
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
