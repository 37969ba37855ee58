package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// What the stories of Paxos are told for: of each cluster the last status that it
// prints, and how it ends.
func TestWhatPaxosStoriesShow(t *testing.T) {
	for name, want := range map[string][]string{
		"duel":            {"R0 ballot=10 leader=R1 executed=4", "R0 ballot=6 leader=R0 executed=3", "R0 ballot=3 leader=R0 executed=2"},
		"preemption":      {"R0 ballot=14 leader=R2", "R0 ballot=15 leader=R0"},
		"old_value":       {"R1 ballot=4 leader=R1 executed=1", "R0 ballot=5 leader=R2 executed=2"},
		"star_hub_behind": {"R4 ballot=9 leader=R4 executed=2"},
		"split":           {"R0 ballot=7 leader=R1 executed=3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewScript()
			var status []string // the last one of each cluster
			last := ""
			datadriven.RunTest(t, "testdata/paxos/"+name+".txt", func(t *testing.T, d *datadriven.TestData) string {
				last = perform(s, d)
				switch d.Cmd {
				case "cluster":
					status = append(status, "")
				case "status":
					status[len(status)-1] = last
				}
				return last
			})
			if len(status) != len(want) || !strings.Contains(last, "no fork") {
				t.Fatalf("%d clusters, want %d; ends with %q", len(status), len(want), last)
			}
			for i := range want {
				if !strings.Contains(status[i], want[i]) {
					t.Errorf("cluster %d: no %q in\n%s", i+1, want[i], status[i])
				}
			}
		})
	}
}

// TestProposersDuel: as long as each PREPARE overtakes the other's ACCEPTs, nothing is
// decided, and ballots grow.
func TestProposersDuel(t *testing.T) {
	s := NewScript()
	do := func(line string) string {
		t.Helper()
		out := s.Do(line)
		if strings.Contains(out, "committed") || strings.Contains(out, "believes") {
			t.Fatalf("%s: decided:\n%s", line, out)
		}
		return out
	}
	do("cluster protocol=paxos n=3 k=8 l=16 clients=40 leaders=any backoff=off")
	for round := range 20 { // as many as there is room for in the window
		at := string(rune('0' + round%2))
		other := string(rune('0' + 1 - round%2))
		do(fmt.Sprintf("submit client=%d to=%s", round, at))
		do("deliver *->" + at + " REQUEST rounds=1")
		do("deliver " + at + "->* PREPARE rounds=1")
		if out := do("deliver *->" + at + " PROMISE rounds=1"); !strings.Contains(out, "R"+at+" ! entered view") {
			t.Fatalf("round %d: R%s does not lead:\n%s", round, at, out)
		}
		do("deliver " + other + "->* ACCEPT rounds=1")
	}
	if out := s.Do("wait 400"); !strings.Contains(out, "believes") {
		t.Errorf("left alone, nothing is decided:\n%s", out)
	}
}
