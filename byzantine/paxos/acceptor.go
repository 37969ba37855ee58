package paxos

import (
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// acceptorProfiles are told in promises and votes.
func acceptorProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "false-promise", Group: "X-HIDE", AtCrash: byzantine.MayFork,
			Sentence: "promises, hides what it has voted for, and votes for what is put in its place",
			Needs:    byzantine.Turnover, Intercept: stateful(falsePromise),
		},
		{
			Name: "two-promises", Group: "X-TWICE", AtCrash: byzantine.MayFork,
			Sentence: "promises every ballot, and votes below its promise",
			Needs:    byzantine.Between, Intercept: eachStep(twoPromises),
		},
		{
			Name: "false-accepted", Group: "X-ACK", AtCrash: byzantine.MayFork,
			Sentence: "says that it voted, and does not store the vote",
			Needs:    byzantine.Turnover, Intercept: stateful(falseAccepted),
		},
	}
}

// falsePromise promises with nothing to name, tells nobody what is chosen, and votes
// for what is proposed then, also where the state on its disk stands for the slot:
// to a proposer whose quorum it completes, what was chosen with its help never was.
func falsePromise(l *lie, _ *byzantine.Spec) error {
	var hid synod.Ballot // the last one that was promised like that
	l.act = func(t *step) {
		t.abstain()
		t.alter(func(_ consensus.ReplicaID, message any) ([]byte, bool) {
			switch m := message.(type) {
			case *paxos.Promise:
				if len(m.Votes) == 0 && m.Base == 0 {
					return nil, false
				}
				hid = m.Ballot
				p := paxos.Promise{Ballot: m.Ballot}
				return paxos.EncodePromise(&p), true
			case *paxos.Value, paxos.State:
				return nil, true
			}
			return nil, false
		})
		for _, w := range t.heard {
			if m, ok := w.message.(*paxos.Accept); ok && m.Ballot == hid {
				t.accepted(w.from, m)
			}
		}
	}
	return nil
}

// accepted tells a proposer that this member voted, unless its engine does.
func (t *step) accepted(by consensus.ReplicaID, m *paxos.Accept) {
	if yes := (&paxos.Accepted{Ballot: m.Ballot, Slot: m.Slot}).Encode(); !t.agrees(by, yes) {
		t.say(by, yes)
	}
}

// twoPromises promises everybody what is asked for, and goes on to vote for those
// to whom it promised less: so two proposers lead at a time, each with its vote.
func twoPromises(t *step) {
	t.abstain()
	t.obey(nil, t.promise)
}

// falseAccepted says that it voted for every proposal and stores none: its engine
// hears of no proposal, and of nothing that is chosen.
func falseAccepted(l *lie, _ *byzantine.Spec) error {
	var accepted []word
	l.incoming = func(from consensus.ReplicaID, message any) any {
		switch m := message.(type) {
		case *paxos.Accept:
			accepted = append(accepted, word{from, m})
			return &paxos.Heartbeat{Ballot: m.Ballot}
		case *paxos.Commit:
			return &paxos.Heartbeat{Ballot: m.Ballot}
		case *paxos.Heartbeat:
			if m.UpTo > 0 {
				return &paxos.Heartbeat{Ballot: m.Ballot, Round: m.Round}
			}
		case *paxos.Value, paxos.State:
			return nil
		}
		return message
	}
	l.act = func(t *step) {
		t.abstain()
		for _, w := range accepted {
			t.accepted(w.from, w.message.(*paxos.Accept))
		}
		accepted = nil
	}
	return nil
}
