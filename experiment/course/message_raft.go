package course

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/raft"
)

// readRaft reads a client's frame, or one of Raft's; it verifies nothing. Views
// are terms, slots are places of the log. Nothing is signed: who said it is
// known from the channel alone.
func readRaft(frame []byte) (Message, bool) {
	if len(frame) == 0 {
		return Message{}, false
	}
	switch frame[0] {
	case consensus.KindReply, consensus.KindRefusal:
		return readAnswer(frame)
	case consensus.KindRequest:
		r, err := consensus.DecodeRequest(frame)
		if err != nil {
			return Message{}, false
		}
		return asking(r), true
	}
	m, err := raft.DecodeMessage(frame)
	if err != nil || m.From == 0 {
		return Message{}, false
	}
	s := Message{Kind: m.Type.String(), View: consensus.View(m.Term), Signer: consensus.ReplicaID(m.From - 1)}
	switch m.Type {
	case pb.MsgApp:
		return appended(s, m), true
	case pb.MsgAppResp:
		stored(&s, m)
	case pb.MsgHeartbeat:
		s.Decided = consensus.Seq(m.Commit)
		s.Text = fmt.Sprintf("commit=%d", m.Commit)
	case pb.MsgVote, pb.MsgPreVote:
		s.Text = fmt.Sprintf("last=%d/%d", m.Index, m.LogTerm)
	case pb.MsgVoteResp, pb.MsgPreVoteResp:
		s.Text = "granted"
		if m.Reject {
			s.Text = "refused"
		}
	case pb.MsgSnap:
		if m.Snapshot != nil {
			s.Decided = consensus.Seq(m.Snapshot.Metadata.Index)
			s.Text = fmt.Sprintf("state at n%d", m.Snapshot.Metadata.Index)
		}
	case pb.MsgHeartbeatResp:
	default:
		return Message{}, false
	}
	return s, true
}

// appended says which entries a leader appends, and what it says is decided.
func appended(s Message, m *pb.Message) Message {
	s.Decided = consensus.Seq(m.Commit)
	for i := range m.Entries {
		b, err := raft.ReadEntry(&m.Entries[i])
		if err != nil || i == maxListed {
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

// stored says up to where a follower has what its leader sent.
func stored(s *Message, m *pb.Message) {
	if m.Reject {
		s.Text = fmt.Sprintf("not after n%d", m.Index)
		return
	}
	s.Stored = consensus.Seq(m.Index)
	s.Text = fmt.Sprintf("has n%d", m.Index)
}
