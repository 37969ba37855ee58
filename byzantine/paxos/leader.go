package paxos

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// leaderProfiles are told by whoever proposes, or says that it does.
func leaderProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "fork-accepts", Group: "X-FORK", AtCrash: byzantine.Forks,
			Sentence:  "as leader, proposes another batch for the same slot and ballot to the second half of the others, or to those in to=",
			Params:    append(otherwise, lead),
			Intercept: stateful(forkAccepts),
		},
		{
			Name: "false-commit", Group: "R-COMMIT", AtCrash: byzantine.Forks,
			Sentence:  "as leader, tells a few members that batches are decided which nobody else has, and helps the others to replace them",
			Params:    []byzantine.Param{lead},
			Intercept: stateful(falseCommit),
		},
		{
			Name: "inflate-ballots", Group: "X-BALLOT", AtCrash: byzantine.SafeStopped,
			Sentence:  "speaks under a higher ballot, and proposes nothing, whenever somebody leads or prepares, so that nobody leads for long",
			Params:    byzantine.How("next, far (2^20 above), last (2^62)", "next", "how high"),
			Intercept: stateful(inflateBallots),
		},
	}
}

// forkAccepts proposes, as leader, other batches to half of the victims. Slot and
// ballot agree, which is all that a vote names: so the votes of both halves are
// counted together, and both are told that it is chosen.
func forkAccepts(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", append([]string{"any"}, rivals...)...)
	if err != nil {
		return err
	}
	named := s.To != nil
	l.act = func(t *step) {
		misled := t.misled(named)
		t.alter(func(to consensus.ReplicaID, message any) ([]byte, bool) {
			if !slices.Contains(misled, to) {
				return nil, false
			}
			switch m := message.(type) {
			case *paxos.Accept:
				b, ok := rival(m.Slot, m.Batch, how)
				return (&paxos.Accept{Ballot: m.Ballot, Slot: m.Slot, Batch: b}).Encode(), ok
			case *paxos.Value: // who asks again is told the same
				b, ok := rival(m.Slot, m.Batch, how)
				return (&paxos.Value{Slot: m.Slot, Ballot: m.Ballot, Chosen: m.Chosen, Batch: b}).Encode(), ok && m.Ballot.Owner(t.members) == t.self
			}
			return nil, false
		})
	}
	return l.leading(s, "lead")
}

// betrayal is a leader that tells a few that its proposal is chosen while nobody
// else has it, keeps all others in the dark until they prepare, and helps them to
// forget: it promises what they ask for, names nothing, and votes for what they put
// in the place of what was executed. Those that were told hear that it still leads,
// and nothing more.
type betrayal struct {
	told   []consensus.ReplicaID // who is told that it is chosen
	ballot synod.Ballot          // under which they were told
	slot   consensus.Seq         // that was falsely said to be chosen; 0 = none yet
}

func falseCommit(l *lie, s *byzantine.Spec) error {
	f := &betrayal{}
	err := l.leading(s, "")
	usurps := l.seeksLead
	l.act = func(t *step) {
		f.tell(t)
		l.seeksLead = usurps && f.slot == 0 // whoever is promised then is to stay
	}
	return err
}

func (f *betrayal) tell(t *step) {
	if t.led() && t.ballot != f.ballot {
		*f = betrayal{ballot: t.ballot, told: t.Victims[:min(len(t.Victims), max(1, t.faults()-1))]}
	}
	before := f.slot
	t.alter(func(to consensus.ReplicaID, message any) ([]byte, bool) {
		if m, ok := message.(*paxos.Heartbeat); ok && m.Ballot == f.ballot && m.UpTo < f.slot && slices.Contains(f.told, to) {
			return (&paxos.Heartbeat{Ballot: m.Ballot, UpTo: f.slot, Round: m.Round}).Encode(), true
		}
		return nil, f.hides(to, message)
	})
	if f.slot != before {
		for _, to := range f.told {
			t.say(to, (&paxos.Commit{Ballot: f.ballot, UpTo: f.slot}).Encode())
		}
	}
	if f.slot != 0 {
		t.obey(f.told, nothing)
	}
}

// hides reports whether a member is not to hear of this. The first proposal that
// somebody has asked for is the one that is told to a few.
func (f *betrayal) hides(from consensus.ReplicaID, message any) bool {
	told := slices.Contains(f.told, from)
	a, proposes := message.(*paxos.Accept)
	_, promises := message.(*paxos.Promise)
	switch b, leads := leads(message); {
	case promises: // it would name what they are to forget
		return f.slot != 0
	case !leads || b != f.ballot:
		return false
	case proposes && f.slot == 0 && a.Batch != nil && len(a.Batch.Requests) > 0:
		f.slot = a.Slot
	}
	if told {
		return proposes && f.slot != 0 && a.Slot > f.slot
	}
	return f.slot != 0 && (!proposes || a.Slot >= f.slot)
}

// nothing is a promise that names nothing.
func nothing(m *paxos.Prepare) paxos.Promise { return paxos.Promise{Ballot: m.Ballot} }

// inflateBallots speaks to everybody under a ballot above that of whoever leads, or
// prepares. All follow it, and it leads nowhere.
func inflateBallots(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", "next", "far", "last")
	var said synod.Ballot
	l.act = func(t *step) {
		t.abstain()
		asked := false
		for _, w := range t.heard {
			b, ok := leads(w.message)
			if p, prepares := w.message.(*paxos.Prepare); prepares {
				b, ok = p.Ballot, true
			}
			if ok {
				asked, said = true, max(said, t.inflated(how, b))
			}
		}
		if !asked || !t.Act || said == 0 {
			return
		}
		for _, to := range t.Victims {
			t.say(to, (&paxos.Heartbeat{Ballot: said}).Encode())
		}
	}
	return err
}

// inflated is a ballot of its own that ends another.
func (f *forger) inflated(how string, b synod.Ballot) synod.Ballot {
	switch how {
	case "last":
		return f.last()
	case "far":
		return f.above(b + 1<<20)
	}
	return f.above(b)
}
