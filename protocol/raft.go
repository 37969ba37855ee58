package protocol

import (
	"bytes"
	"cmp"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/raft"
)

// raftProtocol is etcd's Raft: package raft.
func raftProtocol() Protocol {
	return Protocol{
		Name: Raft, Title: "Raft", Model: quorum.Crash, Elected: true, Leads: ByVote,
		Words: Words{View: "term", Lead: "leader", Follow: "follower", Between: "no leader", Place: "index"},
		Kinds: raft.KindNames(), Decisive: []byte{raft.MessageKind},
		NewCodec: raftCodec, Lie: raft.ReasonPanic, Reasons: raft.Reasons(),
		OutOfReach: map[consensus.Reason]string{raft.ReasonPanic: "takes a member that lies, and has no place where all are honest"},
		Goals:      raftGoals(), Costs: raftCosts(), New: newRaft,
	}
}

// newRaft: a leader says something ten times in the time after which it is
// given up.
func newRaft(s Settings) (consensus.Protocol, error) {
	c := raft.DefaultConfig(s.Genesis, s.Self)
	c.TickLength = s.TickLength
	c.Election, c.Heartbeat = s.LeaderPatience, max(1, s.LeaderPatience/10)
	c.PreVote, c.CheckQuorum = !s.Elections.NoPreVote, !s.Elections.NoCheckQuorum
	c.Pipeline, c.CheckEachStep = cmp.Or(s.Pipeline, min(c.Pipeline, int(s.Genesis.Window))), s.CheckEachStep
	c.PendingCount, c.PendingBytes = cmp.Or(s.PendingCount, c.PendingCount), cmp.Or(s.PendingBytes, c.PendingBytes)
	return raft.New(c)
}

func raftGoals() []Goal {
	noted := func(k consensus.NoteKind) func(*Run) bool { return func(r *Run) bool { return r.Notes[k] > 0 } }
	return []Goal{
		{"a leader was lost", 300, func(r *Run) bool { return r.Changes > 0 }},
		{"two leaders in a row were lost, and nothing executed between", 100, func(r *Run) bool { return r.InARow > 0 }},
		{"a leader died with entries in flight", 50, func(r *Run) bool { return r.LeadersLost > 0 }},
		{"a checkpoint was kept", 500, noted(consensus.Stable)},
		{"a state was named by a leader", 100, noted(consensus.Fetching)},
		{"a state arrived", 100, noted(consensus.Fetched)},
		{"a state was fetched while the leader was lost", 10, func(r *Run) bool { return r.FetchedInChange > 0 }},
		{"a log was full", 1, func(r *Run) bool { return r.Reasons["the log reaches too far beyond the state on disk"] > 0 }},
		{"a client was refused", 10, func(r *Run) bool { return r.Refusals > 0 }},
	}
}

// raftCodec: views are terms, slots are places of the log. Nothing is signed:
// who said it is known from the channel alone.
func raftCodec(consensus.Genesis) Codec {
	return Codec{
		Kind: raft.FrameKind, Opened: raft.MessageName, Describe: raft.Describe, Promise: raftPromise, Floor: raftFloor,
		Summary: raftSummary, Keep: raftKeep, Signature: raftSignature,
		Counted: func(frame []byte) string {
			if m, err := raft.DecodeMessage(frame); err == nil && m.Type == pb.MsgApp && len(m.Entries) == 0 {
				return raftNotice
			}
			return ""
		},
	}
}

// raftPromise: a granted vote is all that a member promises.
func raftPromise(frame []byte) (Promise, bool) {
	voter, term, candidate, ok := raft.Granted(frame)
	return Promise{Signer: voter, View: term, Content: candidate}, ok
}

// raftFloor: a member stores for no leader, and follows none, of a term below one
// in which it voted or stored something. It writes a term down before it says
// anything in it, and the library takes nothing of an older one: else the entries
// that two leaders have a majority for could differ. A heartbeat's answer leaves
// ahead of what its member stored before, so that nothing is held against it later.
func raftFloor(frame []byte) (Floor, bool) {
	term, stored, ok := raft.Answered(frame)
	return Floor{View: term, Kept: stored}, ok
}

// maxAnswer is more than any vote or acknowledgement takes, in bytes: larger
// frames are not even decoded.
const maxAnswer = 256

// raftKeep keeps the votes that were granted, and what was acknowledged. Batches
// come with commits.
func raftKeep(frame []byte) []byte {
	if len(frame) <= maxAnswer {
		if f, ok := raftFloor(frame); ok && f.Kept {
			return frame
		}
	}
	return nil
}

// raftSignature finds a client's signature: that of a request, or the last one
// in an append. Members sign nothing.
func raftSignature(frame []byte) int {
	if consensus.IsRequest(frame) {
		return signatureAtEnd(frame)
	}
	m, err := raft.DecodeMessage(frame)
	if err != nil || len(m.Entries) == 0 {
		return -1
	}
	data := m.Entries[len(m.Entries)-1].Data
	if len(data) <= crypto.SignatureSize {
		return -1 // a batch without a request, or none
	}
	return bytes.LastIndex(frame, data) + len(data) - crypto.SignatureSize
}

func raftSummary(frame []byte) (Summary, bool) {
	m, err := raft.DecodeMessage(frame)
	if err != nil || m.From == 0 {
		return Summary{}, false
	}
	s := Summary{Kind: m.Type.String(), View: consensus.View(m.Term), Signer: consensus.ReplicaID(m.From - 1)}
	switch m.Type {
	case pb.MsgApp:
		return raftAppended(s, m), true
	case pb.MsgAppResp:
		raftStored(&s, m)
	case pb.MsgHeartbeat:
		s.Decided = consensus.Seq(m.Commit)
		s.Text = fmt.Sprintf("commit=%d", m.Commit)
	case pb.MsgVote, pb.MsgPreVote:
		s.Topic = Succession
		s.Text = fmt.Sprintf("last=%d/%d", m.Index, m.LogTerm)
	case pb.MsgVoteResp, pb.MsgPreVoteResp:
		s.Topic, s.Text = Succession, "granted"
		if m.Reject {
			s.Text = "refused"
		}
	case pb.MsgSnap:
		s.Topic = State
		if m.Snapshot != nil {
			s.Decided = consensus.Seq(m.Snapshot.Metadata.Index)
			s.Text = fmt.Sprintf("state at n%d", m.Snapshot.Metadata.Index)
		}
	case pb.MsgHeartbeatResp:
	default:
		return Summary{}, false
	}
	return s, true
}

// raftAppended says which entries a leader appends, and what it says is decided.
func raftAppended(s Summary, m *pb.Message) Summary {
	s.Topic, s.Decided = Proposal, consensus.Seq(m.Commit)
	for i := range m.Entries {
		b, err := raft.ReadEntry(&m.Entries[i])
		if err != nil || i == maxSlots {
			break
		}
		var held []crypto.Digest
		if b != nil {
			for _, r := range b.Requests {
				held = append(held, r.Digest)
			}
		}
		s.Slots, s.Values = append(s.Slots, consensus.Seq(m.Entries[i].Index)), append(s.Values, b.Digest())
		s.Holds = append(s.Holds, held)
	}
	if len(s.Slots) == 1 {
		s = s.At(s.Slots[0])
	}
	s.Text = fmt.Sprintf("commit=%d", m.Commit)
	return s
}

// raftStored says up to where a follower has what its leader sent.
func raftStored(s *Summary, m *pb.Message) {
	if m.Reject {
		s.Text = fmt.Sprintf("not after n%d", m.Index)
		return
	}
	s.Stored = consensus.Seq(m.Index)
	s.Text = fmt.Sprintf("has n%d", m.Index)
}

// raftNotice is a MsgApp without entries: it tells how far the leader has
// committed.
const raftNotice = "MsgApp, empty"

// What frames weigh, in bytes. The library's numbers take more bytes as they
// grow: these are those of a young cluster.
const (
	raftAppendBytes = 33 // of a MsgApp with one entry, beside the batch
	raftShortBytes  = 21 // of a MsgApp without entries, and of a MsgAppResp

	raftConfirmBytes = 62 // of a MsgHeartbeat that asks whether its sender leads, and its answer
)

// raftCosts: the entry and its acknowledgement, and, because no next entry
// comes along to carry it, the commit index, which the library has acknowledged
// too. Nothing between members is signed. A heartbeat and its answer pass every
// 100 ms, and nobody is told of a checkpoint. A READ goes to the leader, which asks all by
// a heartbeat whether it still leads.
func raftCosts() Costs {
	return Costs{
		Kinds: []FrameKind{
			{"MsgApp", Agreement}, {raftNotice, Agreement}, {"MsgAppResp", Agreement},
			{"MsgHeartbeat", Upkeep}, {"MsgHeartbeatResp", Upkeep}, {"CLOCK", Upkeep},
		},
		Sizes: []int{3, 5, 7},
		Decision: func(n int) Expected {
			return expect(Expected{
				ByKind:   map[string]int{"MsgApp": n - 1, raftNotice: n - 1, "MsgAppResp": 2 * (n - 1)},
				Admitted: n, Forced: n, Delays: 4, Syncs: 1, Textbook: "2n",
			})
		},
		Bytes: func(n, batch int) int { return (n - 1) * (batch + raftAppendBytes + 3*raftShortBytes) },
		Read: func(n int) Expected {
			return expect(Expected{ByKind: map[string]int{"READ": 1, "READ-ANSWER": 1, "MsgHeartbeat": n - 1, "MsgHeartbeatResp": n - 1}, Delays: 4})
		},
		ReadBytes:  func(n, bytes int) int { return bytes + readFrameBytes + (n-1)*raftConfirmBytes },
		Upkeep:     func(n int) int { return (10*2 + n) * (n - 1) },
		Checkpoint: func(int) int { return 0 },
		Text:       Formulas{Frames: "4(n−1)", Bytes: "(n−1)(b+96)", Forced: "n", Upkeep: "(20+n)(n−1)", Read: "2n", ReadBytes: "o+r+77+62(n−1)"},
	}
}
