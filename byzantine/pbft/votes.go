package pbft

import (
	"bytes"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// voteProfiles are told in votes.
func voteProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "double-vote", Group: "V-DOUBLE", AtF: byzantine.SafeLive, AtF1: byzantine.MayFork,
			Sentence:  "sends PREPARE and COMMIT for two digests, to half of the others the false one first",
			Intercept: eachStep(doubleVote),
		},
		{
			Name: "unknown-digest", Group: "V-UNKNOWN", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence:  "votes in the next slot for a batch that nobody has proposed",
			Intercept: eachStep(unknownDigest),
		},
		{
			Name: "withhold-votes", Group: "V-WITHHOLD", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "sends its PREPAREs and COMMITs to nobody, or to one replica only",
			Params: append(byzantine.How("both, prepares, commits", "both", "which votes"),
				byzantine.Param{Name: "but", Default: "none", Help: "the replica that gets them"}),
			Drawn: []string{"", "prepares", "commits", "both but=1"}, Intercept: stateful(withhold),
		},
		{
			Name: "replay-votes", Group: "V-REPLAY", AtF: byzantine.SafeLive, AtF1: byzantine.SafeLive,
			Sentence:  "repeats its votes: late, for another slot, for an older view, and signed for another cluster",
			Intercept: stateful(replayVotes),
		},
		{
			Name: "impersonate", Group: "V-FORGE", AtF: byzantine.SafeLive, AtF1: byzantine.SafeLive,
			Sentence:  "votes in the name of others and of an outsider, with its own key or a copy of its own signature",
			Intercept: eachStep(impersonate),
		},
	}
}

// other is a digest that contradicts v: of the rival of the batch that v is
// for, as an equivocating primary of the coalition would make it, or of nothing.
func (s *seen) other(v *message.Vote) crypto.Digest {
	if p := s.proposals[v.Seq]; p != nil && p.Digest == v.Digest {
		return byzantine.RivalBatch(p.batch, "stamp").Digest()
	}
	return crypto.Hash(v.Digest[:])
}

// doubleVote sends PREPARE and COMMIT for two digests: to the first half of the
// victims the true one first, to the second half the other one first.
func doubleVote(t *step) {
	alterOwn(t, func(to consensus.ReplicaID, v *message.Vote) ([][]byte, bool) {
		w := *v
		w.Digest = t.other(v)
		w = t.vote(w)
		if t.misled(to) {
			return [][]byte{w.Encode(), v.Encode()}, true
		}
		return [][]byte{v.Encode(), w.Encode()}, true
	}, message.PrepareKind, message.CommitKind)
}

// unknownDigest votes in the next slot for what nobody has proposed, before it
// votes in this one.
func unknownDigest(t *step) {
	alterOwn(t, func(_ consensus.ReplicaID, v *message.Vote) ([][]byte, bool) {
		w := *v
		w.Seq++
		w.Digest = crypto.Hash(v.Digest[:])
		w = t.vote(w)
		return [][]byte{w.Encode(), v.Encode()}, true
	}, message.PrepareKind, message.CommitKind)
}

// withhold keeps its PREPAREs or COMMITs from the victims, but for one replica.
func withhold(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", "both", "prepares", "commits")
	if err != nil {
		return err
	}
	but := -1
	if s.Value("but") != "none" {
		if but, err = s.Number("but", 0, len(l.env.Genesis.Replicas)-1); err != nil {
			return err
		}
	}
	kinds := map[string][]message.Kind{
		"prepares": {message.PrepareKind}, "commits": {message.CommitKind}, "both": {message.PrepareKind, message.CommitKind},
	}[how]
	l.act = func(t *step) {
		t.drop(func(to consensus.ReplicaID, frame []byte) bool {
			return int(to) != but && own[message.Vote](t, frame) != nil
		}, kinds...)
	}
	return nil
}

const maxReplayed = 32 // frames

// replayVotes repeats its votes where they do not belong: later, in another
// view, at another slot, for another cluster, with its old signature on it.
func replayVotes(l *lie, _ *byzantine.Spec) error {
	var old [][]byte
	l.act = func(t *step) {
		for _, m := range t.Messages {
			if v := own[message.Vote](t, m.Bytes); v != nil && !slices.ContainsFunc(old, func(b []byte) bool { return bytes.Equal(b, m.Bytes) }) {
				old = push(old, m.Bytes, maxReplayed)
			}
		}
		if !t.Act || len(old) == 0 || !t.every(t.env.Patience/4, t.burst) {
			return
		}
		frame := old[t.dice.IntN(len(old))]
		v := own[message.Vote](t, frame)
		if v == nil {
			return
		}
		moved, past := *v, *v
		moved.Seq++ // under the signature of the other slot
		foreign := *t.Rules
		foreign.Cluster = crypto.Hash(foreign.Cluster[:])
		abroad := foreign.SignVote(t.signer(t.self), *v)
		t.sayAll(frame, moved.Encode(), abroad.Encode())
		if v.View > 0 && v.Kind != message.CheckpointKind {
			past.View--
			past = t.vote(past)
			t.sayAll(past.Encode())
		}
	}
	return nil
}

// impersonate votes in the names of others: with its own key, with no key,
// and in the name of nobody.
func impersonate(t *step) {
	n := len(t.Rules.Genesis.Replicas)
	for _, m := range slices.Clone(t.Messages) {
		v := own[message.Vote](t, m.Bytes)
		if v == nil || m.To.Kind != consensus.PeerReplica {
			continue
		}
		for id := range n + 1 {
			who := consensus.ReplicaID(id)
			if who == m.To.Replica || id < n && t.holds(who) {
				continue
			}
			w := *v
			w.Replica = who
			invented := w // with the signature of the traitor's own vote
			w = t.vote(w)
			t.say(m.To.Replica, w.Encode(), invented.Encode())
		}
	}
	if t.Act && t.began {
		for _, who := range t.honest() {
			t.sayAll(t.viewChange(message.ViewChange{View: t.view + 1, Replica: who}).Frame)
		}
	}
}
