package course

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// note is a step with a note by a replica.
func note(at consensus.Time, by string, n consensus.Note) sim.Step {
	return sim.Step{At: at, Kind: sim.StepNote, From: by, To: by, Seq: n.Seq, View: n.View, Note: &n}
}

// TestLog: leaders in order, each view once, whoever entered it; of a slot the first
// moment at which it was decided, and what was executed.
func TestLog(t *testing.T) {
	a, b := crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))
	steps := []sim.Step{
		note(1, "R0", consensus.Note{Kind: consensus.EnteredView, View: 4}),
		note(2, "R1", consensus.Note{Kind: consensus.EnteredView, View: 4, Replica: 1}),
		note(3, "R2", consensus.Note{Kind: consensus.EnteredView, View: 5, Replica: 1}),
		note(4, "R1", consensus.Note{Kind: consensus.EnteredView, View: 5, Replica: 1}),
		note(5, "R3", consensus.Note{Kind: consensus.Committed, View: 4, Seq: 2, Digest: b}),
		{At: 6, Kind: sim.StepExecute, From: "R1", Seq: 1, View: 4, Digest: a},
		{At: 7, Kind: sim.StepExecute, From: "R2", Seq: 1, View: 4, Digest: a},
		{At: 8, Kind: sim.StepExecute, From: "R2", Seq: 2, View: 4, Digest: b},
		note(9, "R3", consensus.Note{Kind: consensus.Committed, View: 4, Seq: 3, Digest: b}),
	}
	g := consensus.NewGenesis("test", protocol.PBFT, make([]crypto.PublicKey, 4))
	for _, test := range []struct {
		name    string
		leaders []consensus.ReplicaID
	}{{protocol.PBFT, []consensus.ReplicaID{0, 1}}, {protocol.Raft, []consensus.ReplicaID{0, 1}}} {
		p, err := protocol.Lookup(test.name)
		if err != nil {
			t.Fatal(err)
		}
		r := NewRecorder(p)
		for _, s := range steps {
			r.Watch(s)
		}
		leaders, slots := r.Log(g)
		if len(leaders) != 2 || leaders[0].Replica != test.leaders[0] || leaders[1].Replica != test.leaders[1] || leaders[1].View != 5 {
			t.Errorf("%s: %+v", test.name, leaders)
		}
		if len(slots) != 2 || slots[0].Executed != 6 || slots[0].Decided != 6 || slots[1].Decided != 5 || slots[1].Executed != 8 || slots[1].Value != b {
			t.Errorf("%s: %+v", test.name, slots)
		}
	}
}
