package raft

import (
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/raft"
)

// snapshotProfiles are told of states.
func snapshotProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "forge-snapshot", Group: "R3", AtCrash: byzantine.Breaks,
			Sentence:  "acknowledges the entry of a checkpoint, and offers half of the others, or those in to=, another state as of it",
			Params:    byzantine.How("blank (as if nobody had ever asked for anything), hollow (not even what hosts keep in it)", "blank", "which state"),
			Intercept: stateful(forgeSnapshot),
		},
	}
}

// forgedSnapshot is the plan of a traitor that has others take over its blank
// state: at the entry of a checkpoint it helps the leader to commit, and names
// to its victims, as if it were elected to the next term, its own state as of
// that entry. It plays that leader for a while, and goes on with an entry of
// its own.
type forgedSnapshot struct {
	how   string
	named bool
	blank *byzantine.Blank

	term    uint64 // that it has invented; 0 = none yet
	at      place  // of the state
	victims []consensus.ReplicaID
	until   int // tick at which it stops playing the leader
}

func forgeSnapshot(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", "blank", "hollow")
	if err != nil {
		return err
	}
	b, err := byzantine.NewBlank(l.env)
	f := &forgedSnapshot{how: how, named: s.To != nil, blank: b}
	l.incoming = func(_ consensus.ReplicaID, m any) any {
		if q, asks := m.(*raft.Fetch); asks && b.Answer(q) != nil {
			return nil // the engine would answer that it has no such state
		}
		return l.unlessEcho(m, f.term)
	}
	l.act = f.tell
	return err
}

func (f *forgedSnapshot) tell(t *step) {
	for _, m := range t.appended {
		f.name(t, m)
	}
	for _, a := range t.fetches {
		if reply := f.blank.Answer(a.fetch); reply != nil {
			t.Add(a.from, consensus.Bulk, reply.Encode(raft.FetchReplyKind))
			t.lies++
		}
	}
	if t.tick >= f.until {
		return
	}
	f.lead(t)
}

// name waits for the entry of a checkpoint, and names the state.
func (f *forgedSnapshot) name(t *step, m *pb.Message) {
	root := state.EmptyRoot
	n := t.checkpointIn(m)
	if ready := f.blank.Reach(n); n == 0 || !t.Act || m.Term < f.term || f.how == "blank" && !ready {
		return
	}
	if f.how == "blank" {
		root = f.blank.Root
	}
	f.term, f.at, f.until = m.Term+1, place{uint64(n), m.Term + 1}, t.tick+3*t.env.Patience
	f.victims = t.misled(f.named)
	t.acknowledge(t.leader, m)
	for _, to := range f.victims {
		t.say(to, t.snapshot(f.term, uint64(n), root))
	}
}

// lead keeps its victims from asking for votes, and once one of them has the
// state, tells it that another entry follows.
func (f *forgedSnapshot) lead(t *step) {
	for _, m := range t.heard {
		from := consensus.ReplicaID(m.From - 1)
		if m.Type == pb.MsgAppResp && m.Term == f.term && !m.Reject && m.Index == f.at.index && slices.Contains(f.victims, from) {
			b := consensus.Batch{Stamp: t.now}
			e := pb.Entry{Term: f.term, Index: f.at.index + 1, Data: b.Append(nil)}
			t.say(from, t.append(f.term, f.at, e.Index, e))
		}
	}
	if t.beats == 0 {
		return
	}
	for _, to := range f.victims {
		t.say(to, pb.Message{Type: pb.MsgHeartbeat, Term: f.term})
	}
}

// checkpointIn is the place of the first entry of an append that a checkpoint
// falls on; 0 if there is none.
func (s *seen) checkpointIn(m *pb.Message) consensus.Seq {
	for i := range m.Entries {
		if n := consensus.Seq(m.Entries[i].Index); n%s.env.Genesis.CheckpointInterval == 0 {
			return n
		}
	}
	return 0
}
