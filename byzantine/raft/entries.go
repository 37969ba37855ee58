package raft

import (
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
)

// entryProfiles are told in appends.
func entryProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "fork-entries", Group: "R1", AtCrash: byzantine.Forks,
			Sentence:  "as leader, sends other entries for the same indexes to the second half of the others, or to those in to=",
			Params:    append(otherwise, lead),
			Intercept: stateful(forkEntries),
		},
		{
			Name: "forge-append", Group: "R2", AtCrash: byzantine.Forks,
			Sentence:  "acknowledges an entry, and sends half of the others, or those in to=, another one in a term that it was not elected to",
			Params:    otherwise,
			Intercept: stateful(forgeAppend),
		},
	}
}

// leading reads whether a leader's lie goes to meet its occasion.
func (l *lie) leading(s *byzantine.Spec, param string) error {
	lead, err := s.Word(param, "yes", "no")
	l.seeksLead = lead == "yes"
	return err
}

// forkEntries sends, as leader, to half of the victims other entries for the
// same places. Terms and indexes agree, which is all that followers compare: so
// both halves acknowledge, and both are told that it is committed.
func forkEntries(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", append([]string{"any"}, entryRivals...)...)
	if err != nil {
		return err
	}
	named := s.To != nil
	l.act = func(t *step) {
		misled := t.misled(named)
		t.alter(func(to consensus.ReplicaID, m *pb.Message) (*pb.Message, bool) {
			lie := false
			if slices.Contains(misled, to) {
				for i := range m.Entries {
					var other bool
					m.Entries[i], other = rivalEntry(m.Entries[i], how)
					lie = lie || other
				}
			}
			return m, lie
		}, pb.MsgApp)
	}
	return l.leading(s, "lead")
}

// forgeAppend waits for an entry of whoever leads, acknowledges it at once, so
// that it is committed, and tells others, as if it were elected to the next
// term, that another entry stands there and is committed. It must come there
// before the leader's commit index does.
func forgeAppend(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", append([]string{"any"}, entryRivals...)...)
	named := s.To != nil
	var forged uint64 // the highest term that it has invented
	l.incoming = func(_ consensus.ReplicaID, m any) any { return l.unlessEcho(m, forged) }
	l.act = func(t *step) {
		for _, m := range t.appended {
			e, prev, ok := t.target(m, how)
			if !ok || !t.Act || m.Term < forged {
				continue
			}
			forged = m.Term + 1
			t.acknowledge(t.leader, m)
			e.Term = forged
			for _, to := range t.misled(named) {
				t.say(to, t.append(forged, prev, e.Index, e))
			}
		}
	}
	return err
}

// target picks the first entry of an append that has a rival: the rival, and
// the place that it stands behind.
func (s *seen) target(m *pb.Message, how string) (e pb.Entry, prev place, ok bool) {
	prev = place{m.Index, m.LogTerm}
	for i := range m.Entries {
		if e, ok = rivalEntry(m.Entries[i], how); ok {
			return e, prev, true
		}
		prev = placeOf(&m.Entries[i])
	}
	return e, prev, false
}

// unlessEcho keeps from the engine what its own forgeries bring about: answers
// of a term that nobody was elected to.
func (s *seen) unlessEcho(message any, forged uint64) any {
	m, ok := message.(*pb.Message)
	if ok && (m.Type == pb.MsgAppResp || m.Type == pb.MsgHeartbeatResp) && m.Term > s.term && m.Term <= forged {
		return nil
	}
	return message
}

// acknowledge tells a leader that its append is stored here.
func (t *step) acknowledge(leader consensus.ReplicaID, m *pb.Message) {
	if leader != t.self {
		t.say(leader, pb.Message{Type: pb.MsgAppResp, Term: m.Term, Index: m.Index + uint64(len(m.Entries))})
	}
}
