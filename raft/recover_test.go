package raft

import (
	"errors"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
)

// A vote is on disk before it leaves, and is not given to another one after a
// restart.
func TestVoteIsGivenOnce(t *testing.T) {
	l := newLab(t, 3)
	vote := pb.Message{Type: pb.MsgVote, Term: 5}
	l.say(0, 1, vote)
	out := l.Replicas[1].Outs[len(l.Replicas[1].Outs)-1]
	if len(out.Early) > 0 || len(out.Sends) != 1 || len(out.Records) != 1 || out.Records[0].Lazy || out.Records[0].Bytes[0] != recordHard {
		t.Fatalf("a vote goes out with %+v", out)
	}
	for range 2 {
		l.Sent = nil
		l.say(2, 1, vote)
		if got := l.heard(pb.MsgVoteResp); len(got) != 1 || !got[0].Reject {
			t.Errorf("the second candidate is answered %v", got)
		}
		l.Sent = nil
		l.say(0, 1, vote)
		if got := l.heard(pb.MsgVoteResp); len(got) != 1 || got[0].Reject {
			t.Errorf("the first candidate is answered %v when it asks again", got)
		}
		l.Crash(1)
		l.Start(1, false)
	}
}

// An acknowledgement leaves with the entries in the records of the same output
// or an earlier one, in order, and none of them lazily.
func TestAcknowledgedEntriesAreOnDisk(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 9)
	l.Ticks(3, l.All())
	for i, d := range l.Replicas {
		on := uint64(0)
		for _, out := range d.Outs {
			for _, rec := range out.Records {
				var e pb.Entry
				if rec.Bytes[0] != recordEntry {
					continue
				}
				if err := e.Unmarshal(rec.Bytes[1:]); err != nil || rec.Lazy || e.Index != on+1 || rec.Slot != consensus.Seq(e.Index) {
					t.Errorf("R%d records %d after %d, lazy %v, slot %d, error %v", i, e.Index, on, rec.Lazy, rec.Slot, err)
				}
				on = e.Index
			}
			for _, s := range out.Sends {
				if m, err := DecodeMessage(s.Bytes); err == nil && m.Type == pb.MsgAppResp && !m.Reject && m.Index > on {
					t.Errorf("R%d acknowledges %d with %d on disk", i, m.Index, on)
				}
			}
			for _, s := range out.Early {
				if m, err := DecodeMessage(s.Bytes); err == nil && (len(m.Entries) == 0 || m.Commit >= m.Entries[0].Index) {
					t.Errorf("R%d says %s before anything is on disk", i, Describe(s.Bytes))
				}
			}
		}
		if on != 10 {
			t.Errorf("R%d has %d entries on disk", i, on)
		}
	}
}

// A commit index alone is worth no sync; a term or a vote is.
func TestCommitIndexIsLazy(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 1, without(pb.MsgHeartbeat))
	lazy := 0
	for _, rec := range l.Replicas[1].Records {
		if rec.Bytes[0] == recordHard && rec.Lazy {
			lazy++
		}
	}
	if lazy == 0 {
		t.Error("every commit index is synced")
	}
	l.say(2, 1, pb.Message{Type: pb.MsgHeartbeat, Term: 9})
	if rec := l.Replicas[1].Records[len(l.Replicas[1].Records)-1]; rec.Bytes[0] != recordHard || rec.Lazy {
		t.Errorf("a new term is recorded as %d, lazy %v", rec.Bytes[0], rec.Lazy)
	}
}

// All restart at once, and go on where they were: nothing that was executed is
// lost, nothing is executed twice (the lab compares).
func TestAllRestart(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 20)
	l.Crash(l.All()...)
	l.Sent = nil
	for i, d := range l.Replicas {
		l.Start(i, false)
		if st := d.Engine.Status(); st.View != 1 || !st.Changing || st.Executed < d.Disk.Seq || len(d.Noted(consensus.Restarted)) > 0 {
			t.Errorf("R%d begins with %+v", i, st)
		}
	}
	l.Ticks(60, l.All())
	for i, d := range l.Replicas {
		if again := d.Noted(consensus.Restarted); len(again) != 1 {
			t.Errorf("R%d does not say that it restarted: %v", i, again)
		}
	}
	l.agree(1, 3)
	l.Ticks(20, l.All())
	if n := len(l.History); n < 25 {
		t.Errorf("%d entries", n)
	}
	l.WantExecuted(len(l.History), 0, 1, 2)
}

// Whatever the log was cut to, at its end by a crash or at its start by what may
// be forgotten, a replica starts from it: with its commit index within the log,
// and with every entry behind the state on disk that was written.
func TestEveryPrefixOfALogIsALog(t *testing.T) {
	l := behind(t)
	l.Ticks(30, l.All())
	l.agree(0, 3)
	l.Crash(0)
	l.Ticks(60, []int{1, 2})
	l.agree(1, 3)
	for i := 1; i < 3; i++ {
		whole := *l.Replicas[i]
		root := enginetest.Root(whole.Disk.Digests[:30])
		fetched := enginetest.State{Seq: 30, Root: root, Digests: whole.Disk.Digests[:30], Proof: certificate(30, 1, root)}
		for n := range len(whole.Records) + 1 {
			d := l.Replicas[i]
			*d = desk{Records: whole.Records[:n], Protocol: whole.Protocol}
			if slices.ContainsFunc(d.Records, func(r consensus.Record) bool { return r.Bytes[0] == recordBase }) {
				d.Disk = fetched // it was on disk before the library heard of it
			}
			l.Start(i, false)
			st, hard := d.Engine.node.BasicStatus(), pb.HardState{}
			for _, rec := range d.Records {
				if rec.Bytes[0] == recordHard {
					if err := hard.Unmarshal(rec.Bytes[1:]); err != nil {
						t.Fatal(err)
					}
				}
			}
			last, _ := d.Engine.store.LastIndex()
			if st.Term != hard.Term || st.Vote != hard.Vote || st.Commit > last {
				t.Fatalf("R%d, %d records: term %d vote %d commit %d of %d, want %d, %d", i, n, st.Term, st.Vote, st.Commit, last, hard.Term, hard.Vote)
			}
		}
		*l.Replicas[i] = whole
		l.cut(i)
		l.Start(i, false)
		if st := l.Replicas[i].Engine.Status(); st.Kept != whole.Disk.Seq {
			t.Errorf("R%d with a cut log is at %+v", i, st)
		}
	}
	l.Ticks(60, []int{1, 2})
	l.agree(1, 2)
	l.Ticks(10, []int{1, 2})
	l.WantExecuted(len(l.History), 1, 2)
}

// An entry that truncates outlives what it truncated, however segments go: or
// else the old ones would come back after a restart.
func TestTruncationOutlivesTheTruncated(t *testing.T) {
	l := newLab(t, 3)
	for n := range uint64(6) {
		l.say(0, 1, pb.Message{Type: pb.MsgApp, Term: 1, Index: n, LogTerm: min(n, 1), Entries: []pb.Entry{{Index: n + 1, Term: 1}}})
	}
	l.say(2, 1, pb.Message{Type: pb.MsgApp, Term: 2, Index: 2, LogTerm: 1, Entries: []pb.Entry{{Index: 3, Term: 2}}, Commit: 3})
	d := l.Replicas[1]
	var entries []consensus.Record
	for _, rec := range d.Records {
		if rec.Bytes[0] == recordEntry {
			entries = append(entries, rec)
		}
	}
	if len(entries) != 7 || entries[6].Slot < 6 {
		t.Errorf("the truncating entry may be forgotten with slot %d, what it truncated reaches to 6", entries[6].Slot)
	}
	l.Crash(1)
	l.Start(1, false)
	if last, _ := d.Engine.store.LastIndex(); last != 3 {
		t.Errorf("the log ends at %d after a restart, was truncated to 3", last)
	}
}

// After a snapshot the log begins behind it, whatever was recorded before.
func TestInstalledStateVoidsTheLog(t *testing.T) {
	l := behind(t)
	l.Ticks(30, l.All())
	d := l.Replicas[2]
	at := slices.IndexFunc(d.Records, func(r consensus.Record) bool { return r.Bytes[0] == recordBase })
	if at < 0 || d.Records[at].Lazy {
		t.Fatalf("no record says that the log begins anew")
	}
	for _, before := range d.Records[:at] {
		if before.Slot > d.Records[at].Slot {
			t.Errorf("a record for slot %d outlives the one that voids it, for %d", before.Slot, d.Records[at].Slot)
		}
	}
	l.Crash(2)
	l.Start(2, false)
	if first, _ := d.Engine.store.FirstIndex(); first != 31 {
		t.Errorf("the log begins at %d, want 31", first)
	}
}

// Logs that do not fit the state beside them are refused, and the error says so.
func TestForeignLogsAreRefused(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	full := *l.Replicas[0]
	entry := func(index, term uint64) consensus.Record {
		e := pb.Entry{Index: index, Term: term}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return consensus.Record{Slot: consensus.Seq(index), Bytes: tagged(recordEntry, b)}
	}
	for name, tc := range map[string]struct {
		change func(*desk)
		want   error
		says   string
	}{
		"a gap":          {func(d *desk) { d.Disk, d.Records = enginetest.State{}, []consensus.Record{entry(3, 1)} }, errGap, "commit index 0"},
		"another state":  {func(d *desk) { d.Disk.Root = enginetest.Root(d.Disk.Digests[1:]) }, errLog, "beside it stands"},
		"another place":  {func(d *desk) { d.Disk.Seq-- }, errLog, "beside it stands"},
		"no place":       {func(d *desk) { d.Disk.Proof = nil }, consensus.ErrMalformed, "place of the state"},
		"a broken entry": {func(d *desk) { d.Records = []consensus.Record{{Slot: 7, Bytes: []byte{recordEntry, 0xff}}} }, consensus.ErrMalformed, "record 1 of 1 (slot 7)"},
		"an empty one":   {func(d *desk) { d.Records = []consensus.Record{{}} }, consensus.ErrMalformed, "record 1"},
	} {
		*l.Replicas[0] = full
		tc.change(l.Replicas[0])
		if err := l.TryStart(0, false); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A commit index that survived without its entries is no error: it is cut.
	hard := pb.HardState{Term: 3, Vote: 1, Commit: 99}
	b, _ := hard.Marshal()
	*l.Replicas[0] = desk{Records: []consensus.Record{entry(1, 3), {Slot: 1, Lazy: true, Bytes: tagged(recordHard, b)}}}
	l.Start(0, false)
	if st := l.Replicas[0].Engine.node.BasicStatus(); st.Commit != 1 || st.Term != 3 || st.Vote != 1 {
		t.Errorf("commit %d in term %d with vote %d", st.Commit, st.Term, st.Vote)
	}
}

// The state on disk proves a term and a commit index that the log may lack.
func TestStateStandsForTheLog(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 5)
	d := l.Replicas[1]
	d.Records = nil
	l.Crash(1)
	l.Start(1, false)
	if st := d.Engine.node.BasicStatus(); st.Commit != uint64(d.Disk.Seq) || st.Term != 1 || d.Engine.Status().Executed != d.Disk.Seq {
		t.Errorf("begins at %d in term %d, the state is at %d of term 1", st.Commit, st.Term, d.Disk.Seq)
	}
}

// A wiped disk is an alarm: nobody can tell what it had acknowledged.
func TestAmnesiacAlarm(t *testing.T) {
	l := newLab(t, 3)
	*l.Replicas[0] = desk{}
	if err := l.TryStart(0, true); err != nil {
		t.Fatal(err)
	}
	l.Step(0)
	if alarms := l.Replicas[0].Noted(consensus.Alarm); len(alarms) != 1 || !strings.Contains(alarms[0].Text, "wiped") {
		t.Errorf("alarms %v", alarms)
	}
}

// A root of the state on disk that is another than that of the history is found
// by nobody in crash mode but by whom it is told: certificates prove nothing.
func TestPlacesAreReadBack(t *testing.T) {
	root := crypto.Hash([]byte("root"))
	n, term, got, err := readCertificate(certificate(4, 9, root))
	if n != 4 || term != 9 || got != root || err != nil {
		t.Errorf("reads n=%d term=%d, error %v", n, term, err)
	}
	for _, b := range [][]byte{nil, certificate(4, 0, root), certificate(0, 9, root), append(certificate(4, 9, root), 0), certificate(4, 9, root)[1:]} {
		if _, _, _, err := readCertificate(b); !errors.Is(err, consensus.ErrMalformed) {
			t.Errorf("%x: error %v", b, err)
		}
	}
}
