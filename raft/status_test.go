package raft

import (
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
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
		"FETCH n=4 root=" + root.Short() + " [1 items]":       (&Fetch{Seq: 4, Root: root, Items: []consensus.Item{{ID: "a"}}}).Encode(FetchKind),
		"FETCH-REPLY n=4 root=" + root.Short() + " [0 parts]": (&FetchReply{Seq: 4, Root: root, Gone: true}).Encode(FetchReplyKind),
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

// Those who are heard are no votes: what is counted is never more than what is
// needed, and with enough of them only the election is waited for.
func TestElectionIsNotCountedByWhoIsHeard(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.Ticks(5, l.All())
	l.Crash(0)
	seen := false
	for range 40 {
		l.Ticks(1, []int{1, 2})
		for _, i := range []int{1, 2} {
			for _, w := range l.Replicas[i].Engine.Status().Waiting {
				if w.Need > 0 && len(w.Have) >= w.Need {
					t.Fatalf("has %d of %d: %+v", len(w.Have), w.Need, w)
				}
				seen = seen || w.What == "votes for a leader" && w.Need == 0
			}
		}
	}
	if !seen {
		t.Error("nobody waited for an election with enough to vote")
	}
}

// Entries of earlier terms are committed by the first one of the leader's own
// only: that is what it waits for, however many hold what stands before it.
func TestEarlierTermsAreNotCounted(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 1)
	l.Ticks(3, l.All())
	l.agree(0, 1, func(m frame) bool { return m.From == 0 && m.To == 1 })
	l.Crash(0)
	l.Ticks(10, []int{2}) // its lease ends
	l.elect(1, without(pb.MsgApp))
	l.say(2, 1, pb.Message{Type: pb.MsgAppResp, Term: l.term(1), Index: 3})
	w := l.Replicas[1].Engine.Status().Waiting
	if len(w) != 1 || w[0].Seq != 4 || len(w[0].Have) != 1 || w[0].Need != 2 {
		t.Errorf("with a majority at 3, and its own entry at 4, the leader waits for %+v", w)
	}
}

// A follower whose log contradicts its leader's takes nothing any more, and says
// so, although it hears the leader.
func TestMisfitIsSaid(t *testing.T) {
	l := newLab(t, 5)
	l.elect(0)
	l.agree(0, 3)
	l.Ticks(5, l.All())
	r := l.Replicas[4].Engine
	if w := r.Status().Waiting; len(w) != 0 {
		t.Fatalf("in peace it waits for %v", w)
	}
	promise := pb.Message{Type: pb.MsgHeartbeat, From: 1, To: 5, Term: l.term(4), Commit: 1 << 40}
	for range 2 {
		l.say(0, 4, promise)
	}
	w := r.Status().Waiting
	if len(w) != 1 || w[0].What != "entries that do not contradict its own log" || len(w[0].Missing) != 0 {
		t.Fatalf("waits for %+v", w)
	}
	if n := len(l.Replicas[4].Noted(consensus.SetBack)); n != 1 {
		t.Errorf("said %d times that it lacks what it acknowledged", n)
	}
}

// A member that is started from an older copy of its disk is noticed, by itself
// and by its leader, and gets again what it lacks. Nothing ends its process.
func TestSetBackMemberCatchesUp(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 1)
	l.Ticks(3, l.All())
	d := l.Replicas[2]
	records := slices.Clone(d.Records)
	l.agree(0, 3)
	l.Ticks(3, l.All())
	l.Crash(2)
	d.Records, d.Disk = records, enginetest.State{}
	l.Start(2, false)
	l.Ticks(30, l.All())
	if len(d.Noted(consensus.SetBack)) != 1 || len(l.Replicas[0].Noted(consensus.Alarm)) == 0 {
		t.Errorf("it notes %v, its leader %v", d.Noted(consensus.SetBack), l.Replicas[0].Noted(consensus.Alarm))
	}
	if got, want := d.Engine.exec.Handed, l.Replicas[0].Engine.exec.Handed; got != want {
		t.Errorf("it is at %d, its leader at %d", got, want)
	}
}
