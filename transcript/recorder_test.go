package transcript

import (
	"bytes"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/raft"
)

// opener opens whatever does not begin with a zero.
type opener struct{ consensus.Protocol }

func (opener) Open(_ crypto.Verifier, _ consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	out := make([]consensus.Opened, len(in))
	for i, f := range in {
		if f.Bytes[0] != 0 && f.Bytes[1] != 0 {
			out[i].Event = consensus.Receive{From: f.From}
		}
	}
	return out
}

// codecOf reads the frames of four replicas of a protocol.
func codecOf(name string) protocol.Codec {
	p, _ := protocol.Lookup(name)
	return p.Codec(consensus.NewGenesis("test", name, []crypto.PublicKey{{1}, {2}, {3}, {4}}))
}

// TestRecordHearsWhatOpensWell: of replicas, and what they have signed; of a
// proposal the vote, apart from its batch.
func TestRecordHearsWhatOpensWell(t *testing.T) {
	r := &Recorder{Protocol: opener{}, keep: codecOf(protocol.PBFT).Keep}
	frame := func(k message.Kind, valid byte, size int) []byte {
		return append([]byte{byte(k), valid}, make([]byte, size-2)...)
	}
	peer := consensus.ReplicaPeer(2)
	proposal := frame(message.PrePrepareKind, 1, 1<<20)
	r.Open(nil, nil, []consensus.Frame{
		{From: peer, Bytes: proposal},
		{From: peer, Bytes: frame(message.CommitKind, 0, message.VoteSize)}, // does not open
		{From: peer, Bytes: frame(message.StatusKind, 1, 100)},              // unsigned
		{From: consensus.ClientPeer(crypto.PublicKey{1}), Bytes: frame(message.CommitKind, 1, message.VoteSize)},
		{From: peer, Bytes: frame(message.NewViewKind, 1, 5000)},
	})
	r.Sends([]consensus.Send{
		{To: consensus.Peer{Kind: consensus.Everyone}, Bytes: frame(message.PrepareKind, 1, message.VoteSize)},
		{To: peer, Class: consensus.Bulk, Bytes: frame(message.FetchReplyKind, 1, 1<<20)},
	})
	batch := &consensus.Batch{Stamp: 1}
	r.Executes([]consensus.Job{consensus.Commit{Seq: 7, Digest: batch.Digest(), Batch: batch}, consensus.Stabilize{Seq: 7}})
	entries, dropped := r.buffer.take(nil)
	var sizes []int
	for _, e := range entries {
		sizes = append(sizes, len(e.Bytes))
	}
	if len(entries) != 4 || dropped != 0 || sizes[0] != message.VoteSize || sizes[1] != 5000 || sizes[2] != message.VoteSize {
		t.Fatalf("entries of %v bytes", sizes)
	}
	if &entries[0].Bytes[0] == &proposal[0] || !bytes.Equal(entries[0].Bytes, proposal[:message.VoteSize]) {
		t.Error("the vote of a proposal holds on to its batch, or is another")
	}
	if c := entries[3]; c.Kind != check.EntryCommitted || c.Seq != 7 || c.Batch != nil {
		t.Errorf("without batches, the commit is %+v", c)
	}
	all := &Recorder{Protocol: opener{}, keep: codecOf(protocol.PBFT).Keep, all: true}
	all.Executes([]consensus.Job{consensus.Commit{Seq: 7, Digest: batch.Digest(), Batch: batch}})
	if entries, _ := all.buffer.take(nil); len(entries) != 1 || entries[0].Batch != batch {
		t.Errorf("with batches, there is %+v", entries)
	}
}

// TestRecordOfRaftKeepsVotesAlone: entries and parts of a state are not votes,
// though their kinds have the numbers of PBFT's.
func TestRecordOfRaftKeepsVotesAlone(t *testing.T) {
	codec := codecOf(protocol.Raft)
	r := &Recorder{keep: codec.Keep}
	frame := func(m pb.Message) consensus.Send {
		return consensus.Send{To: consensus.ReplicaPeer(1), Bytes: raft.EncodeMessage(&m)}
	}
	r.Sends([]consensus.Send{
		frame(pb.Message{Type: pb.MsgHeartbeat, From: 1, To: 2, Term: 3}),
		frame(pb.Message{Type: pb.MsgVoteResp, From: 1, To: 2, Term: 3}),
		frame(pb.Message{Type: pb.MsgVoteResp, From: 1, To: 3, Term: 3, Reject: true}),
		frame(pb.Message{Type: pb.MsgPreVoteResp, From: 1, To: 2, Term: 4}),
		frame(pb.Message{Type: pb.MsgApp, From: 1, To: 2, Term: 3, Entries: []pb.Entry{{Term: 3, Index: 1, Data: make([]byte, 1<<20)}}}),
		{To: consensus.ReplicaPeer(1), Bytes: append([]byte{raft.FetchReplyKind}, make([]byte, 1<<20)...)},
	})
	entries, _ := r.buffer.take(nil)
	if len(entries) != 1 {
		t.Fatalf("%d entries, want the vote alone", len(entries))
	}
	p, ok := codec.Promise(entries[0].Bytes)
	if !ok || p.Signer != 0 || p.View != 3 {
		t.Errorf("the vote reads back as %+v, %t", p, ok)
	}
}
