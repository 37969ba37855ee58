package raft

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// Protocol is Raft for one replica before it runs.
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
	p.door = consensus.Members{Door: consensus.NewDoor(&p.cfg.Genesis), Fetch: FetchKind, Open: p.openMember}
	return p, nil
}

// The reasons for which Open refuses a frame, beside those of all protocols.
const (
	ReasonOversized consensus.Reason = consensus.ReasonOversized
	ReasonUnknown   consensus.Reason = "unknown kind"
	ReasonTopic     consensus.Reason = consensus.ReasonTopic
	ReasonSender    consensus.Reason = "sender is not the channel's peer, or the message is for another"
	ReasonEntries   consensus.Reason = "entries out of order, or of a kind that nobody proposes"
	ReasonBatch     consensus.Reason = "batch breaks a limit or repeats a request"
	ReasonUnsigned  consensus.Reason = consensus.ReasonUnsigned
	ReasonSnapshot  consensus.Reason = "snapshot without a handle"
)

// snapshot is a MsgSnap with its handle read.
type snapshot struct {
	message *pb.Message
	seq     consensus.Seq
	root    crypto.Digest
}

// Open implements consensus.Protocol. Messages of members are authentic by
// their channel; what is verified are the clients' signatures, in entries as
// well as in requests. Safe to call concurrently if v is.
func (p *Protocol) Open(v crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	return p.door.OpenAll(v, in)
}

// openMember decodes what members say to each other.
func (p *Protocol) openMember(f consensus.Frame) (any, []crypto.Claim, consensus.Reason) {
	var m any
	var err error
	switch f.Bytes[0] {
	case MessageKind:
		return p.openMessage(f)
	case consensus.KindClock:
		m, err = consensus.DecodeClock(f.Bytes)
	case FetchKind:
		m, err = transfer.DecodeFetch(f.Bytes)
	case FetchReplyKind:
		m, err = transfer.DecodeFetchReply(f.Bytes)
	default:
		return nil, nil, ReasonUnknown
	}
	if err != nil {
		return nil, nil, consensus.ReasonMalformed
	}
	return m, nil, ""
}

// openMessage decodes one of the library's messages and judges all of it that
// its own Step takes for granted.
func (p *Protocol) openMessage(f consensus.Frame) (any, []crypto.Claim, consensus.Reason) {
	m, err := DecodeMessage(f.Bytes)
	switch {
	case err != nil:
		return nil, nil, consensus.ReasonMalformed
	case m.From != id(f.From.Replica) || m.To != id(p.cfg.Self):
		return nil, nil, ReasonSender
	case !spoken(m.Type) || len(m.Entries) > 0 && m.Type != pb.MsgApp || (m.Snapshot != nil) != (m.Type == pb.MsgSnap) || m.Term == 0:
		return nil, nil, ReasonUnknown
	case m.Type == pb.MsgSnap:
		s, why := p.openSnapshot(m)
		return s, nil, why
	}
	var claims []crypto.Claim
	least := max(m.LogTerm, 1) // terms never fall along a log
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Type != pb.EntryNormal || e.Index != m.Index+1+uint64(i) || e.Term > m.Term || e.Term < least {
			return nil, nil, ReasonEntries
		}
		least = e.Term
		b, err := ReadEntry(e)
		if err != nil {
			return nil, nil, consensus.ReasonMalformed
		}
		if b == nil {
			continue
		}
		if err := p.door.CheckBatch(b); err != nil {
			return nil, nil, ReasonBatch
		}
		for _, req := range b.Requests {
			claims = append(claims, req.Claim(p.door.Cluster))
		}
	}
	return m, claims, ""
}

// openSnapshot reads the handle that travels in the place of a state.
func (p *Protocol) openSnapshot(m *pb.Message) (*snapshot, consensus.Reason) {
	n, root, err := readSnapshot(m.Snapshot)
	if err != nil || !fixed(&m.Snapshot.Metadata.ConfState, p.system.Size()) {
		return nil, ReasonSnapshot
	}
	if n%p.cfg.Genesis.CheckpointInterval != 0 || n > consensus.MaxSeq || m.Snapshot.Metadata.Term > m.Term {
		return nil, ReasonSnapshot
	}
	return &snapshot{message: m, seq: n, root: root}, ""
}

// fixed reports whether a membership is that of the genesis. The library would
// take over any other with the snapshot that names it.
func fixed(c *pb.ConfState, n int) bool {
	for i, voter := range c.Voters {
		if voter != uint64(i)+1 {
			return false
		}
	}
	return len(c.Voters) == n && len(c.Learners)+len(c.LearnersNext)+len(c.VotersOutgoing) == 0 && !c.AutoLeave
}

// readSnapshot reads a handle, which must be for the place that the library
// takes the snapshot for.
func readSnapshot(s *pb.Snapshot) (n consensus.Seq, root crypto.Digest, err error) {
	b := cryptobyte.String(s.Data)
	n, root, ok := transfer.ReadHandle(&b)
	if !ok || !b.Empty() || uint64(n) != s.Metadata.Index || s.Metadata.Term == 0 {
		return 0, root, fmt.Errorf("snapshot: %w", consensus.ErrMalformed)
	}
	return n, root, nil
}
