package raft

import (
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// "Why is it not progressing" has an answer: votes that a candidate lacks, and
// acknowledgements that a leader lacks, with who has given one and who could.
func TestWaiting(t *testing.T) {
	l := newLab(t, 5)
	l.elect(0)
	l.Ticks(5, l.All())
	if w := l.Replicas[0].Engine.Status().Waiting; len(w) != 0 {
		t.Errorf("an idle leader waits for %v", w)
	}
	l.Crash(2, 3, 4)
	l.agree(0, 1)
	st := l.Replicas[0].Engine.Status()
	if len(st.Waiting) != 1 {
		t.Fatalf("waits for %v", st.Waiting)
	}
	w := st.Waiting[0]
	if w.What != "acknowledgements of an entry" || w.Seq != 2 || w.Need != 3 || !slices.Equal(w.Have, []consensus.ReplicaID{0, 1}) || !slices.Equal(w.Missing, []consensus.ReplicaID{2, 3, 4}) {
		t.Errorf("waits for %+v", w)
	}
	if st.InFlight != 1 || st.Primary != 0 || st.Changing {
		t.Errorf("status %+v", st)
	}
	l.Ticks(60, []int{0, 1})
	st = l.Replicas[1].Engine.Status()
	if len(st.Waiting) != 1 || st.Waiting[0].What != "votes for a leader" || st.Waiting[0].Need != 3 || !st.Changing || slices.Contains(st.Waiting[0].Have, 3) || !slices.Contains(st.Waiting[0].Missing, 3) {
		t.Errorf("without a majority: %+v", st)
	}
}

// Heard are those who spoke lately, and oneself.
func TestHeard(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Ticks(3, l.All())
	l.Crash(2)
	l.Ticks(40, []int{0, 1})
	if got := l.Replicas[0].Engine.Status().Heard; !slices.Equal(got, []consensus.ReplicaID{0, 1}) {
		t.Errorf("heard %v", got)
	}
}

// Traces print messages in words of their own: the library's text form may change.
func TestDescribe(t *testing.T) {
	root := crypto.Hash([]byte("x"))
	for want, frame := range map[string][]byte{
		"MsgApp t=3 after=1/2 commit=1 [2/3 null]":            EncodeMessage(&pb.Message{Type: pb.MsgApp, Term: 3, Index: 1, LogTerm: 2, Commit: 1, Entries: []pb.Entry{{Index: 2, Term: 3}}}),
		"MsgAppResp t=3 n=4 rejected":                         EncodeMessage(&pb.Message{Type: pb.MsgAppResp, Term: 3, Index: 4, Reject: true}),
		"MsgHeartbeat t=3 commit=9":                           EncodeMessage(&pb.Message{Type: pb.MsgHeartbeat, Term: 3, Commit: 9}),
		"MsgVote t=3 last=5/2":                                EncodeMessage(&pb.Message{Type: pb.MsgVote, Term: 3, Index: 5, LogTerm: 2}),
		"MsgSnap t=3 n=8/2":                                   EncodeMessage(&pb.Message{Type: pb.MsgSnap, Term: 3, Snapshot: &pb.Snapshot{Metadata: pb.SnapshotMetadata{Index: 8, Term: 2}}}),
		"FETCH n=4 root=" + root.Short() + " [1 items]":       (&Fetch{Seq: 4, Root: root, Items: []consensus.Item{{ID: "a"}}}).Encode(),
		"FETCH-REPLY n=4 root=" + root.Short() + " [0 parts]": (&FetchReply{Seq: 4, Root: root, Gone: true}).Encode(),
		"empty frame":                                         {},
		"malformed frame of 2 bytes":                          {FetchKind, 1},
	} {
		if got := Describe(frame); got != want {
			t.Errorf("described as %q, want %q", got, want)
		}
	}
	bad := Describe(EncodeMessage(&pb.Message{Type: pb.MsgApp, Entries: []pb.Entry{{Index: 2, Term: 3, Data: []byte{1}}}}))
	if !strings.Contains(bad, "[2/3 malformed]") {
		t.Errorf("described as %q", bad)
	}
}

// A granted vote is a promise, nothing else is.
func TestGranted(t *testing.T) {
	vote := pb.Message{Type: pb.MsgVoteResp, From: 2, To: 1, Term: 4}
	voter, term, to1, ok := Granted(EncodeMessage(&vote))
	if !ok || voter != 1 || term != 4 {
		t.Errorf("voter %d, term %d, %v", voter, term, ok)
	}
	vote.To = 3
	if _, _, to3, _ := Granted(EncodeMessage(&vote)); to3 == to1 {
		t.Error("votes for two candidates are one promise")
	}
	for name, m := range map[string]pb.Message{
		"rejected":   {Type: pb.MsgVoteResp, From: 2, To: 1, Term: 4, Reject: true},
		"in advance": {Type: pb.MsgPreVoteResp, From: 2, To: 1, Term: 4},
		"of nobody":  {Type: pb.MsgVoteResp, To: 1, Term: 4},
	} {
		if _, _, _, ok := Granted(EncodeMessage(&m)); ok {
			t.Errorf("%s: taken for a promise", name)
		}
	}
}
