package raft

import (
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
)

// commitProfiles are told of what is committed.
func commitProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "false-commit", Group: "R-COMMIT", AtCrash: byzantine.Forks,
			Sentence:  "as leader, tells a few members that batches are decided which nobody else has, and helps the others to replace them",
			Params:    []byzantine.Param{lead},
			Intercept: stateful(falselyCommitting),
		},
		{
			Name: "crash-heartbeat", Group: "R4", AtCrash: byzantine.SafeLive,
			Sentence:  "sends commit indexes, or acknowledgements, far beyond any log, on which the library panics",
			Params:    byzantine.How("heartbeat, answer (to the leader), both", "heartbeat", "which"),
			Intercept: eachStepHow(append([]string{"both"}, crashes...), crashHeartbeat),
		},
	}
}

// falseCommit is a leader that tells a few that its entries are committed while
// nobody else has them, keeps all others in the dark until they elect somebody,
// and helps them to forget: it grants what they ask for, and acknowledges what
// they put in the place of what was executed.
type falseCommit struct {
	told     []consensus.ReplicaID // who is told that it is committed
	term     uint64                // in which they were told
	betrayed bool                  // something was falsely committed
}

func (f *falseCommit) tell(t *step) {
	if t.leads() && t.term != f.term {
		*f = falseCommit{term: t.term, told: t.Victims[:min(len(t.Victims), max(1, t.faults()-1))]}
	}
	if t.term == f.term {
		t.alter(func(to consensus.ReplicaID, m *pb.Message) (*pb.Message, bool) {
			if !slices.Contains(f.told, to) {
				return nil, f.betrayed || f.hides(m)
			}
			n := len(m.Entries)
			if n == 0 || m.Commit >= m.Entries[n-1].Index || !f.hides(m) {
				return m, false
			}
			m.Commit, f.betrayed = m.Entries[n-1].Index, true
			return m, true
		}, pb.MsgApp, pb.MsgHeartbeat)
	}
	if f.betrayed {
		t.obey(f.told)
	}
}

// hides reports whether an append holds what somebody has asked for.
func (f *falseCommit) hides(m *pb.Message) bool {
	return slices.ContainsFunc(m.Entries, func(e pb.Entry) bool { return len(e.Data) > 0 })
}

// faults is how many crashes the members tolerate.
func (s *seen) faults() int { return (s.members - 1) / 2 }

func falselyCommitting(l *lie, s *byzantine.Spec) error {
	f := &falseCommit{}
	err := l.leading(s, "")
	usurps := l.seeksLead
	l.act = func(t *step) {
		f.tell(t)
		l.seeksLead = usurps && !f.betrayed // whoever is elected then is to stay
	}
	return err
}

// obey grants every vote that is asked for, whatever was promised and whatever
// the log of who asks, and acknowledges all appends. What the engine sends itself
// goes out as it is if it says the same, and to those in but.
func (t *step) obey(but []consensus.ReplicaID) {
	for _, m := range t.heard {
		from := consensus.ReplicaID(m.From - 1)
		if slices.Contains(but, from) || !t.Act {
			continue
		}
		yes := pb.Message{Term: m.Term}
		switch {
		case m.Type == pb.MsgApp && m.Term >= t.term:
			yes.Type, yes.Index = pb.MsgAppResp, m.Index+uint64(len(m.Entries))
		case m.Type == pb.MsgVote:
			yes.Type = pb.MsgVoteResp
		case m.Type == pb.MsgPreVote:
			yes.Type = pb.MsgPreVoteResp
		default:
			continue
		}
		if !t.agrees(from, &yes) {
			t.say(from, yes)
		}
	}
}

// agrees reports whether the engine itself answers yes to a member in this
// step; any other answer of that kind is taken back.
func (t *step) agrees(with consensus.ReplicaID, yes *pb.Message) bool {
	same := false
	t.Messages = slices.DeleteFunc(t.Messages, func(l byzantine.Outbound) bool {
		m := decode(l.Bytes)
		if m == nil || l.To != consensus.ReplicaPeer(with) || m.Type != yes.Type {
			return false
		}
		fits := !m.Reject && m.Term == yes.Term && m.Index == yes.Index
		same = same || fits
		return !fits
	})
	return same
}

var crashes = []string{"heartbeat", "answer"}

// crashHeartbeat sends, in the running term, what the library panics on: a commit
// index beyond any log, as who leads would, or an acknowledgement of an entry
// that nobody has.
func crashHeartbeat(t *step, how string) {
	const beyond = 1 << 40
	if !t.Act || t.term == 0 || !t.every(t.env.Patience/4) {
		return
	}
	if how != "answer" {
		for _, to := range t.Victims {
			t.say(to, pb.Message{Type: pb.MsgHeartbeat, Term: t.term, Commit: beyond})
		}
	}
	if how != "heartbeat" && t.known {
		t.acknowledge(t.leader, &pb.Message{Term: t.term, Index: beyond})
	}
}
