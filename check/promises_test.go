package check

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/raft"
)

// members is a cluster of Raft.
func members(n int) consensus.Genesis {
	g := consensus.NewGenesis("test", protocol.Raft, nil)
	for i := range uint64(n) {
		g.Replicas = append(g.Replicas, signer(i).Public())
	}
	return g
}

// frameOf is what a member of Raft says in a term.
func frameOf(kind pb.MessageType, from consensus.ReplicaID, term uint64, reject bool) []byte {
	return raft.EncodeMessage(&pb.Message{Type: kind, From: uint64(from) + 1, To: 1, Term: term, Reject: reject})
}

// A member that has voted, or stored something, says nothing in a lower term
// afterwards that somebody may count: what was to be over is not.
func TestFloors(t *testing.T) {
	type said struct {
		by    consensus.ReplicaID
		frame []byte
	}
	vote := func(term uint64) said { return said{1, frameOf(pb.MsgVoteResp, 1, term, false)} }
	stores := func(term uint64) said { return said{1, frameOf(pb.MsgAppResp, 1, term, false)} }
	follows := func(term uint64) said { return said{1, frameOf(pb.MsgHeartbeatResp, 1, term, false)} }
	for _, c := range []struct {
		name     string
		traitors []consensus.ReplicaID
		said     []said
		bad      bool
	}{
		{"stores in a term, and in the next", nil, []said{vote(1), stores(1), vote(2), stores(2), follows(2)}, false},
		{"votes, and stores of a term below", nil, []said{stores(1), vote(2), stores(1)}, true},
		{"stores, and of a term below", nil, []said{stores(3), stores(2)}, true},
		{"stores, and votes in a term below", nil, []said{stores(3), vote(2)}, true},
		{"votes, and follows a leader of a term below", nil, []said{vote(2), follows(1)}, true},
		{"follows, and says in a term below what was stored before", nil, []said{follows(3), stores(2)}, false},
		{"refuses in a term below", nil, []said{vote(2), {1, frameOf(pb.MsgAppResp, 1, 1, true)}, {1, frameOf(pb.MsgVoteResp, 1, 1, true)}}, false},
		{"grants in advance, which is no vote", nil, []said{{1, frameOf(pb.MsgPreVoteResp, 1, 9, false)}, stores(1)}, false},
		{"two members", nil, []said{vote(2), {2, frameOf(pb.MsgAppResp, 2, 1, false)}}, false},
		{"a traitor", []consensus.ReplicaID{1}, []said{vote(2), stores(1)}, false},
	} {
		j := New(Config{Genesis: members(3), Honest: func(id consensus.ReplicaID) bool { return !slices.Contains(c.traitors, id) }})
		for _, s := range c.said {
			j.Sent(1, s.by, s.frame)
		}
		bad := slices.ContainsFunc(j.violations, func(v Violation) bool { return v.Kind == Contradiction })
		if bad != c.bad || j.Failed() != c.bad {
			t.Errorf("%s: %v", c.name, j.violations)
		}
	}
}

// Logs tell it too: of all lives of a replica, one after the other whatever its
// clock said, and by its own word: what others had of it came late.
func TestFloorsOfLogs(t *testing.T) {
	g := members(3)
	log := func(life uint64, replica consensus.ReplicaID, list ...Entry) Log {
		h := Header{Cluster: g.ID(), Replica: replica, Life: life}
		return Log{Name: "log", From: bytes.NewReader(logOf(t, h, list...))}
	}
	sent := func(at consensus.Time, frame []byte) Entry {
		return Entry{Kind: EntrySent, At: at, Peer: consensus.ReplicaPeer(0), Bytes: frame}
	}
	low, high, vote := frameOf(pb.MsgAppResp, 1, 1, false), frameOf(pb.MsgAppResp, 1, 4, false), frameOf(pb.MsgVoteResp, 1, 4, false)
	for name, c := range map[string]struct {
		logs []Log
		bad  bool
	}{
		"one life":          {[]Log{log(1, 1, sent(1, vote), sent(2, low))}, true},
		"two lives":         {[]Log{log(2, 1, sent(3, low)), log(1, 1, sent(1, vote))}, true},
		"two segments":      {[]Log{log(1, 1, sent(1, low)), log(1, 1, sent(2, high))}, false},
		"a clock set back":  {[]Log{log(2, 1, sent(1, high)), log(1, 1, sent(5, low))}, false},
		"... and two terms": {[]Log{log(2, 1, sent(1, low)), log(1, 1, sent(5, vote))}, true},
		"empty lives":       {[]Log{log(3, 1, sent(1, high)), log(2, 1), log(1, 1, sent(5, low))}, false},
		"heard late": {[]Log{log(1, 1, sent(1, low), sent(2, high)), log(1, 0, Entry{Kind: EntryReceived, At: 9,
			Peer: consensus.ReplicaPeer(1), Bytes: low})}, false},
	} {
		v, err := Replay(Case{Genesis: g}, c.logs)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.ContainsFunc(v.Violations, func(v Violation) bool { return v.Kind == Contradiction && strings.Contains(v.Text, "over") })
		if bad != c.bad || len(v.Violations) > 1 || !bad && len(v.Violations) > 0 {
			t.Errorf("%s: %v", name, v.Violations)
		}
	}
}

// A vote is a promise that two candidates cannot both have.
func TestVotesAreGivenOnce(t *testing.T) {
	j := New(Config{Genesis: members(3)})
	for _, to := range []uint64{1, 1, 3} {
		if j.Failed() {
			t.Fatal("the same vote twice is none of two")
		}
		j.Sent(1, 1, raft.EncodeMessage(&pb.Message{Type: pb.MsgVoteResp, From: 2, To: to, Term: 5}))
	}
	if len(j.violations) != 1 || j.violations[0].Kind != Contradiction {
		t.Errorf("%v", j.violations)
	}
	if j.floors[1] != 5 || j.promises[protocol.Promise{Signer: 1, View: 5}] == (crypto.Digest{}) {
		t.Errorf("remembers %v and %v", j.floors, j.promises)
	}
}
