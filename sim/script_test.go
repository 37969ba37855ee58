package sim

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestGoldenPBFT replays the stories in testdata/pbft: what stands there is
// what the engine says, frame by frame. Run with -rewrite after a change that
// is meant, and read the difference.
func TestGoldenPBFT(t *testing.T) {
	golden(t, "testdata/pbft")
}

// TestGoldenRaft does the same for the stories in testdata/raft.
func TestGoldenRaft(t *testing.T) {
	golden(t, "testdata/raft")
}

// TestGoldenPaxos does the same for the stories in testdata/paxos.
func TestGoldenPaxos(t *testing.T) {
	golden(t, "testdata/paxos")
}

// golden replays the scripts of a directory.
func golden(t *testing.T, dir string) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		s := NewScript()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := perform(s, d)
			if strings.Contains(out, "VIOLATION") {
				t.Errorf("%s: theory does not allow this: %s", d.Pos, out)
			}
			return out
		})
	})
}

// perform does what a line of a story says. The package datadriven wants
// something to expect from every command.
func perform(s *Script, d *datadriven.TestData) string {
	line := d.Cmd
	for _, a := range d.CmdArgs {
		line += " " + a.String()
	}
	if out := s.Do(line); out != "" {
		return out
	}
	return "ok\n"
}

// What is wrong with a line is said, and nothing happens.
func TestScriptRefusesNonsense(t *testing.T) {
	s := NewScript()
	for _, c := range []struct{ line, want string }{
		{"deliver", "no cluster"},
		{"cluster n=4 k=4 l=5 protocol=raft", "window 5"},
		{"cluster n=3 k=4 l=8 protocol=raft", "3 replicas, 1 may fail"},
		{"dance", "unknown verb"},
		{"crash 7", "no replica"},
		{"tick soon", "number of ticks"},
		{"submit op=divide", "op is add"},
		{"read to=9", "no such replica"},
		{"read floor=3", "goes with a READ"},
		{"run-until executed=1 of=9", "no replica"},
		{"", ""},
	} {
		if got := s.Do(c.line); !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want something with %q", c.line, got, c.want)
		}
	}
}
