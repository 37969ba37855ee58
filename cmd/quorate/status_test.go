package main

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/protocol"
)

// What a replica that stands still says is old: it is not told as the present,
// neither in what lacks nor in who leads and who takes part.
func TestStandingStillIsSaid(t *testing.T) {
	at := func(id int, stalled ...consensus.Stall) answer {
		r := &consensus.Report{ClientProtocol: consensus.ClientProtocol, Age: "40s", Stalled: stalled}
		r.Replica, r.View = consensus.ReplicaID(id), 1
		return answer{Replica: id, Status: r}
	}
	sync := consensus.Stall{What: "a sync of the log", For: "42s"}
	hung := at(1, sync, consensus.Stall{What: "the engine, which waits for the disk: 9 appends are not durable", For: "41s"})
	hung.Status.Changing = true
	hung.Status.Waiting = []consensus.Lack{{What: "NEW-VIEW", View: 2, Have: []consensus.ReplicaID{0, 1, 2}, Need: 2}}
	for _, c := range []struct {
		name    string
		answers []answer
		want    []string
	}{
		{"one", []answer{at(0), hung, at(2), at(3)}, []string{
			"View 1, primary is replica 1, which stands still.",
			"Replica 1 stands still: a sync of the log has lasted 42s; the engine, which waits for the disk: 9 appends are not durable has lasted 41s. Look at its disk and its load; what it says of itself is 40s old.",
		}},
		{"too many", []answer{at(0, sync), hung, at(2), at(3)}, []string{
			"View 1, primary is replica 1, which stands still.",
			"No progress is possible: 2 of 4 replicas take part, 3 are needed; standing still: 0, 1.",
			"Replica 0 stands still: a sync of the log has lasted 42s. Look at its disk and its load; what it says of itself is 40s old.",
			"Replica 1 stands still: a sync of the log has lasted 42s; the engine, which waits for the disk: 9 appends are not durable has lasted 41s. Look at its disk and its load; what it says of itself is 40s old.",
		}},
	} {
		if got := explain(c.answers, quorum.Byzantine.System(4), speaks(t, protocol.PBFT)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Who is not reached, where and why, is said once, whoever saw it; so is a member
// that runs twice.
func TestWhoIsNotReachedIsSaid(t *testing.T) {
	away := func(to consensus.ReplicaID, why string) consensus.Away {
		return consensus.Away{Replica: to, Address: "10.0.0.3:7000", Reason: why, For: "5s"}
	}
	at := func(id int, list ...consensus.Away) answer {
		return answer{Replica: id, Status: &consensus.Report{ClientProtocol: consensus.ClientProtocol, Status: consensus.Status{Replica: consensus.ReplicaID(id)}, Away: list}}
	}
	twice := at(2)
	twice.Status.Twice = []consensus.Twice{{Replica: 1, From: [2]string{"a", "b"}}}
	got := explain([]answer{
		at(0, away(3, "refused")), at(1, away(3, "refused"), away(2, "no route")), twice,
		{Replica: 3, Address: "10.0.0.3:7000", Error: "refused"},
		{Replica: 4, Address: "10.0.0.4:7000", Error: noAnswer},
	}, quorum.Byzantine.System(5), speaks(t, protocol.PBFT))
	want := []string{
		"View 0, primary is replica 0.",
		"No progress is possible: 3 of 5 replicas take part, 4 are needed; silent: 3, 4.",
		"Replica 3 is not reached at 10.0.0.3:7000: refused.",
		"Replica 4 does not answer at 10.0.0.4:7000: the process, its machine or the network stands still.",
		"Replica 2 is not reached by replica 1 at 10.0.0.3:7000: no route.",
		"REPLICA 1 RUNS TWICE: replica 2 sees connections from a and b that both prove its key; stop one of the two processes.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A count is told only if it is short of what is needed: never 3 of 2.
func TestCountsFitTheirThresholds(t *testing.T) {
	p := speaks(t, protocol.PBFT)
	for have := range consensus.ReplicaID(5) {
		for need := range 5 {
			l := consensus.Lack{What: "it", Need: need}
			for id := range have {
				l.Have = append(l.Have, id)
			}
			if counted := strings.Contains(lack(l, p), " of "+string(rune('0'+need))); counted != (int(have) < need) {
				t.Errorf("%d of %d: %s", have, need, lack(l, p))
			}
		}
	}
}

// Replicas that do not know what this program asks are named, whatever else is well.
func TestWhoIsOlderIsSaid(t *testing.T) {
	at := func(id, speaks int) answer {
		return answer{Replica: id, Status: &consensus.Report{ClientProtocol: speaks, Status: consensus.Status{Replica: consensus.ReplicaID(id)}}}
	}
	const now, well, idle = consensus.ClientProtocol, "View 0, primary is replica 0.", "Idle: nothing is pending."
	for _, c := range []struct {
		answers []answer
		want    []string
	}{
		{[]answer{at(0, now), at(1, now), at(2, now), at(3, now+1)}, []string{well, idle}},
		{[]answer{at(0, now), at(1, now), at(2, now), at(3, 0)}, []string{well, idle, "Replica 3 runs an older program than this one and refuses what it asks: upgrade it before clients."}},
		{[]answer{at(0, 0), at(1, 0), at(2, now), at(3, 0)}, []string{well, idle, "Replicas 0 and 1 and 3 run an older program than this one and refuse what it asks: upgrade them before clients."}},
	} {
		if got := explain(c.answers, quorum.Byzantine.System(4), speaks(t, protocol.PBFT)); !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
