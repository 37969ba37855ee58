package raft

import (
	"math"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
)

// voteProfiles are told in votes and acknowledgements.
func voteProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "two-votes", Group: "R6", AtCrash: byzantine.MayFork,
			Sentence: "votes for every candidate, twice in a term and whatever its log lacks, and acknowledges every append",
			Needs:    byzantine.Turnover, Intercept: eachStep(twoVotes),
		},
		{
			Name: "false-ack", Group: "R7", AtCrash: byzantine.MayFork,
			Sentence: "acknowledges entries and does not store them",
			Needs:    byzantine.Turnover, Intercept: stateful(falseAck),
		},
		{
			Name: "inflate-terms", Group: "R9", AtCrash: byzantine.SafeStopped,
			Sentence:  "sends everybody a higher term whenever somebody leads or asks for votes, so that nobody leads for long",
			Params:    byzantine.How("next, far (2^20 above), last (2^64-1)", "next", "how high"),
			Intercept: stateful(inflateTerms),
		},
	}
}

// abstain keeps the traitor from being elected: its lie is a follower's.
func (t *step) abstain() {
	t.Messages = slices.DeleteFunc(t.Messages, func(l byzantine.Outbound) bool {
		m := decode(l.Bytes)
		return m != nil && (m.Type == pb.MsgVote || m.Type == pb.MsgPreVote)
	})
}

// twoVotes gives its vote to everybody who asks, twice in a term if two ask, and
// to whoever lacks what was committed with its help.
func twoVotes(t *step) {
	t.abstain()
	t.obey(nil)
}

// falseAck acknowledges every entry and stores none: its engine hears of no
// append, and of no commit index that it has no entry for.
func falseAck(l *lie, _ *byzantine.Spec) error {
	var acked []*pb.Message
	l.incoming = func(_ consensus.ReplicaID, message any) any {
		m, ok := message.(*pb.Message)
		switch {
		case !ok:
		case m.Type == pb.MsgApp && m.Term >= l.term:
			acked = append(acked, m)
			return &pb.Message{Type: pb.MsgHeartbeat, From: m.From, To: m.To, Term: m.Term}
		case m.Type == pb.MsgHeartbeat && m.Commit > 0:
			deaf := *m
			deaf.Commit = 0
			return &deaf
		}
		return message
	}
	l.act = func(t *step) {
		t.abstain()
		for _, m := range acked {
			t.acknowledge(consensus.ReplicaID(m.From-1), m)
		}
		acked = nil
	}
	return nil
}

var inflations = []string{"next", "far", "last"}

// inflateTerms tells everybody of a term above that of whoever leads, or asks
// for votes. All accept it, so nobody is elected, or not for long.
func inflateTerms(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", inflations...)
	var said uint64
	l.act = func(t *step) {
		t.abstain()
		asked := false
		for _, m := range t.heard {
			if m.Type == pb.MsgVote || m.Type == pb.MsgPreVote || m.Type == pb.MsgApp || m.Type == pb.MsgHeartbeat {
				asked = true
				said = max(said, above(how, m.Term))
			}
		}
		if !asked || !t.Act {
			return
		}
		for _, to := range t.Victims {
			t.say(to, pb.Message{Type: pb.MsgAppResp, Term: said, Reject: true})
		}
	}
	return err
}

// above is a term that ends another.
func above(how string, term uint64) uint64 {
	switch {
	case how == "last" || term > math.MaxUint64-1<<20:
		return math.MaxUint64
	case how == "far":
		return term + 1<<20
	}
	return term + 1
}
