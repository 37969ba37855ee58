package paxos

import (
	"errors"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
)

// Rule: every beginning of a log is a log: no promise, and no vote that it holds, is
// missing after a restart from it.
func TestEveryPrefixOfALogIsALog(t *testing.T) {
	l := newLab(t, 3, loose)
	l.elect(0)
	l.agree(0, 11)
	l.Crash(0)
	l.elect(1, only(1, 2))
	l.agree(1, 3, only(1, 2))
	d := l.Replicas[2]
	whole, disk := slices.Clone(d.Records), d.Disk
	for n := range len(whole) + 1 {
		l.Crash(2)
		d.Records = slices.Clone(whole[:n])
		d.Disk = disk
		if err := l.TryStart(2, false); err != nil {
			t.Fatalf("a log of %d records: %v", n, err)
		}
		a := l.engine(2).acceptor
		for _, r := range whole[:n] {
			x, err := readRecord(r.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if x.kind != recordCommit && uint64(a.Promised()) < x.first {
				t.Errorf("%d records: promised %d, want %d", n, a.Promised(), x.first)
			}
			if v, voted := a.Vote(x.n); x.kind == recordVote && x.n > a.Base() && (!voted || uint64(v.Ballot) < x.first) {
				t.Errorf("%d records: the vote for %d under %d is missing", n, x.n, x.first)
			}
		}
	}
	d.Records = whole
	l.Crash(2)
	l.Start(2, false)
	l.Start(0, false)
	l.Ticks(40, l.All())
	l.agree(1, 1)
	l.Ticks(4, l.All())
	l.WantExecuted(15, 0, 1, 2)
}

// All lose power, and go on with what was decided.
func TestPowerLossOfAll(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 7)
	l.PowerLoss(0, 1, 2)
	l.Sent = nil
	for i := range l.Replicas {
		l.Start(i, false)
	}
	l.Ticks(40, l.All())
	l.agree(2, 1)
	l.Ticks(4, l.All())
	l.WantExecuted(8, 0, 1, 2)
}

// A state that was lost under an intact log costs no promise and no vote: what is below
// is taken from others, by values or as a state, and the replica votes meanwhile.
func TestLostStateIsFetchedUnderTheLog(t *testing.T) {
	for _, rounds := range []int{9, 30} {
		l := newLab(t, 3)
		l.elect(0)
		l.agree(0, rounds)
		l.Ticks(2, l.All())
		d := l.Replicas[2]
		l.Crash(2)
		d.Cut()
		d.Disk.Seq, d.Disk.Root, d.Disk.Digests, d.Disk.Proof = 0, l.Replicas[2].Roots[0], nil, nil
		b := l.ballot(0)
		l.Start(2, false)
		l.Step(2, consensus.Tick{})
		r := l.engine(2)
		if !r.lacking() || r.acceptor.Promised() != b || len(d.Noted(consensus.Alarm)) != 1 || r.Status().Fetching == 0 {
			t.Fatalf("lacking %v, promised %d: %+v", r.lacking(), r.acceptor.Promised(), r.Status())
		}
		l.Ticks(30, l.All())
		l.agree(0, 2)
		l.Ticks(4, l.All())
		l.WantExecuted(rounds+2, 0, 1, 2)
		if r.lacking() {
			t.Error("it still lacks its state")
		}
	}
}

// What does not fit together is refused, with advice.
func TestDamagedLogsAreRefused(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 4)
	d := l.Replicas[1]
	l.Crash(1)
	whole, disk := slices.Clone(d.Records), d.Disk
	for _, bad := range [][]byte{nil, {9}, make([]byte, 17), words(recordPromise, 1), words(recordVote, 0, 1), words(recordVote, 1, 0), append(words(recordVote, 3, 1), 1), words(recordCommit, 0, 4), append(words(recordPromise, 3, 1), 0), words(recordPromise, 1<<63, 1)} {
		d.Records = append(slices.Clone(whole), consensus.Record{Bytes: bad})
		if err := l.TryStart(1, false); !errors.Is(err, consensus.ErrMalformed) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	d.Records, d.Disk.Seq = whole, 2
	if err := l.TryStart(1, false); !errors.Is(err, errLog) {
		t.Errorf("another state: %v", err)
	}
	d.Disk = disk
	d.Disk.Proof = []byte{1}
	if err := l.TryStart(1, false); !errors.Is(err, consensus.ErrMalformed) {
		t.Errorf("no place: %v", err)
	}
	d.Disk = disk
	l.Start(1, false)
}

// A member that starts without its birth record raises an alarm and takes part.
func TestAmnesiacAlarm(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	l.agree(0, 3)
	l.Crash(2)
	l.Replicas[2].Records, l.Replicas[2].Executed = nil, nil
	l.Replicas[2].Disk.Seq, l.Replicas[2].Disk.Digests, l.Replicas[2].Disk.Proof = 0, nil, nil
	l.Replicas[2].Disk.Root = l.Replicas[2].Roots[0]
	l.Start(2, true)
	l.Step(2, consensus.Tick{})
	if len(l.Replicas[2].Noted(consensus.Alarm)) != 1 {
		t.Error("no alarm")
	}
	l.Ticks(20, l.All())
	l.agree(0, 1)
	l.Ticks(4, l.All())
	l.WantExecuted(4, 0, 1, 2)
}
