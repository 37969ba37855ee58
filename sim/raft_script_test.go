package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// maxFork is how many lines of commands and comments a fork may take.
const maxFork = 40

// One traitor forks Raft, by a story short enough to be told, and no evidence
// names it: no message of a member is signed.
func TestForksOfRaftAreShort(t *testing.T) {
	paths, err := filepath.Glob("testdata/raft/fork_*.txt")
	if err != nil || len(paths) < 7 {
		t.Fatalf("%d scripts of forks, want the seven of them (%v)", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			lines, s := comments(t, path), NewScript()
			last := ""
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				lines++
				last = perform(s, d)
				return last
			})
			if lines >= maxFork {
				t.Errorf("%d lines of commands and comments, want fewer than %d", lines, maxFork)
			}
			if !strings.Contains(last, "FORK at n=") || !strings.Contains(last, "traitors: 1 of") || !strings.Contains(last, "evidence names nobody") {
				t.Errorf("ends with %q, want a fork by one traitor whom nothing names", last)
			}
		})
	}
}

// comments counts the lines of prose in a script.
func comments(t *testing.T, path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count("\n"+string(text), "\n#")
}

// What only lies, and what only crashes, forks nothing.
func TestLiesAndCrashesOfRaftForkNothing(t *testing.T) {
	for _, name := range []string{"lie_reply", "lie_crash_heartbeat", "lie_inflate_terms", "crash_control", "power_loss"} {
		s, last := NewScript(), ""
		datadriven.RunTest(t, "testdata/raft/"+name+".txt", func(t *testing.T, d *datadriven.TestData) string {
			last = perform(s, d)
			return last
		})
		if !strings.Contains(last, "no fork") {
			t.Errorf("%s ends with %q", name, last)
		}
	}
}

// The honest do not lie, and a liar cannot make what only others can.
func TestScriptRefusesForgeries(t *testing.T) {
	s := NewScript()
	for _, c := range []struct{ line, want string }{
		{"cluster protocol=raft n=3 k=4 l=8 traitor=9", "no replica"},
		{"cluster protocol=raft n=3 k=4 l=8 traitor=2", "3 replicas"},
		{"elect 7", "wants one replica"},
		{"elect 0", "R0 ! entered"},
		{"forge 2", "wants from->to"},
		{"forge 1->0 MsgApp t=2", "honest"},
		{"forge 2->1 Gossip t=2", "raftpb"},
		{"forge 2->C0 MsgApp t=2", "raftpb"},
		{"forge 2->1 MsgApp t=two", "no number"},
		{"forge 2->1 MsgApp t=2 after=1/one", "no number"},
		{"forge 2->1 MsgApp t=2 after=1/1 entries=C0#7", "no client has submitted"},
		{"forge 2->1 MsgSnap t=2 n=4/2", "fable comes first"},
		{"forge 2->C0 REPLY C0#7", "that was submitted"},
		{"rewrite 0->1 MsgApp t=2", "honest"},
		{"fable 2", "a traitor and a list"},
		{"fable 2 null", "every 4 entries"},
		{"fable 2 null,C5#1", "no client has submitted"},
	} {
		if got := s.Do(c.line); !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want something with %q", c.line, got, c.want)
		}
	}
}

// What each protection of elections prevents: with neither, with PreVote alone,
// with CheckQuorum alone, with both.
func TestWhatElectionsGoWithout(t *testing.T) {
	for _, c := range []struct {
		name, want string // of the last status
		holds      [4]bool
	}{
		{"disruptive", "R0 term=1 leader=R0", [4]bool{false, true, false, true}},
		{"deaf_follower", "R0 term=1 leader=R0", [4]bool{false, false, true, true}},
		{"partial_star", "R0 term=1 leader=R0", [4]bool{false, true, true, true}},
		{"partial_leader", "leader=R1", [4]bool{true, false, true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewScript()
			var last []string // status in each cluster
			datadriven.RunTest(t, "testdata/raft/"+c.name+".txt", func(t *testing.T, d *datadriven.TestData) string {
				out := perform(s, d)
				switch d.Cmd {
				case "cluster":
					last = append(last, "")
				case "status":
					last[len(last)-1] = out
				}
				return out
			})
			if len(last) != len(c.holds) {
				t.Fatalf("%d clusters, want %d", len(last), len(c.holds))
			}
			for i, holds := range c.holds {
				if strings.Contains(last[i], c.want) != holds {
					t.Errorf("cluster %d: %q found: %v, want %v, in\n%s", i, c.want, !holds, holds, last[i])
				}
			}
		})
	}
}
