package paxos

import (
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
)

// stateProfiles are told of states.
func stateProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "forge-state", Group: "X-STATE", AtCrash: byzantine.Breaks,
			Sentence:  "when a checkpoint's slot is proposed, offers half of the others, or those in to=, another state as of it",
			Params:    byzantine.How("blank (as if nobody had ever asked for anything), hollow (not even what hosts keep in it)", "blank", "which state"),
			Intercept: stateful(forgeState),
		},
	}
}

// forgeState names its own state to those who are about to execute the slot of a
// checkpoint, and serves it. Anybody may name a state, because what it stands for
// was chosen: so nobody asks who else has it. It must come there before the word
// that the slot is chosen.
func forgeState(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", "blank", "hollow")
	if err != nil {
		return err
	}
	b, err := byzantine.NewBlank(l.env)
	named := s.To != nil
	l.incoming = func(_ consensus.ReplicaID, m any) any {
		if q, asks := m.(*paxos.Fetch); asks && b.Answer(q) != nil {
			return nil // the engine would answer that it has no such state
		}
		return m
	}
	l.act = func(t *step) {
		for _, m := range t.fresh {
			t.name(m.Slot, how, b, t.misled(named))
		}
		for _, w := range t.heard {
			if q, asks := w.message.(*paxos.Fetch); asks {
				t.serve(w.from, b.Answer(q))
			}
		}
	}
	return err
}

// name offers victims a state as of slot n, if that is a checkpoint's.
func (t *step) name(n consensus.Seq, how string, b *byzantine.Blank, victims []consensus.ReplicaID) {
	if n%t.env.Genesis.CheckpointInterval != 0 || !t.Act {
		return
	}
	root := state.EmptyRoot
	if reached := b.Reach(n); how == "blank" {
		if !reached {
			return
		}
		root = b.Root
	}
	for _, to := range victims {
		t.say(to, paxos.EncodeState(paxos.State{Seq: n, Root: root}))
	}
}

func (t *step) serve(to consensus.ReplicaID, parts *paxos.FetchReply) {
	if parts == nil {
		return
	}
	t.Add(to, consensus.Bulk, parts.Encode(paxos.FetchReplyKind))
	t.lies++
}
