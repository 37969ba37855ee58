package checkpoint

import (
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// The reasons for which a vote does not count.
const (
	ReasonBelow      consensus.Reason = "checkpoint is not above the stable one"
	ReasonInterval   consensus.Reason = "checkpoint off the interval"
	ReasonRepeated   consensus.Reason = "checkpoint vote is known"
	ReasonOther      consensus.Reason = "second checkpoint vote with another root"
	ReasonSuperseded consensus.Reason = "checkpoint vote behind its author's highest"
)

// Tracker knows the checkpoint votes above the stable checkpoint and the
// certificates at and below it. Not safe for concurrent use.
type Tracker struct {
	rules   *message.Rules
	self    consensus.ReplicaID
	rounds  []round                // votes above h, ascending by seq
	history []*message.Certificate // ascending by seq; the last one is stable
}

// round is what was said about one sequence number.
type round struct {
	seq   consensus.Seq
	votes []message.Vote // ascending by replica, at most one of each
}

// New returns the tracker of replica self at the state of the genesis.
func New(rules *message.Rules, self consensus.ReplicaID) *Tracker {
	return &Tracker{rules: rules, self: self}
}

// Outcome says what became of a vote.
type Outcome struct {
	// Stable is the new stable certificate that this vote completed, or nil.
	Stable *message.Certificate
	// Contradiction holds the vote that counts and the one handed in, when
	// one signer gave two roots for one sequence number: evidence.
	Contradiction *[2]message.Vote
	// Reason says why the vote does not count; "" if it does.
	Reason consensus.Reason
}

// Add takes a verified CHECKPOINT, this replica's own or another's.
//
// Rule (PROTOCOL.md §2, §5): the first vote per signer and sequence number
// wins, and q equal ones make the checkpoint stable.
func (t *Tracker) Add(v message.Vote) Outcome {
	if v.Seq == 0 || v.Seq%t.rules.Genesis.CheckpointInterval != 0 {
		return Outcome{Reason: ReasonInterval}
	}
	if v.Seq <= t.Low() {
		return t.ignoreBelow(v)
	}
	if first := t.find(v.Replica, v.Seq); first != nil {
		return ignoreSecond(*first, v)
	}
	if t.far(v.Seq) && !t.replaceFar(v) {
		return Outcome{Reason: ReasonSuperseded}
	}
	return Outcome{Stable: t.count(v)}
}

// ignoreBelow ignores a vote that h has passed, unless its signer stands in
// the kept certificate of that number with another root. A replica that tells a latecomer
// another root than the one that became stable is caught here.
func (t *Tracker) ignoreBelow(v message.Vote) Outcome {
	c := t.At(v.Seq)
	if c == nil || c.Digest == v.Digest {
		return Outcome{Reason: ReasonBelow}
	}
	for _, s := range c.Signed {
		if s.Replica == v.Replica {
			first := message.Vote{Kind: message.CheckpointKind, Seq: c.Seq, Digest: c.Digest, Replica: s.Replica, Sig: s.Sig}
			return ignoreSecond(first, v)
		}
	}
	return Outcome{Reason: ReasonBelow}
}

func ignoreSecond(first, second message.Vote) Outcome {
	if first.Digest == second.Digest {
		return Outcome{Reason: ReasonRepeated}
	}
	return Outcome{Reason: ReasonOther, Contradiction: &[2]message.Vote{first, second}}
}

// far reports whether seq lies so far ahead that only each replica's highest
// vote is kept. The subtraction cannot wrap: seq is above h.
func (t *Tracker) far(seq consensus.Seq) bool { return seq-t.Low() > 2*t.rules.Genesis.Window }

// replaceFar makes room for v by dropping the far vote that its author is
// past. It answers false if v itself is the older one. Votes so far ahead are
// kept at all because q of them make the certificate that a replica left
// behind needs; for that, each author's highest is enough.
func (t *Tracker) replaceFar(v message.Vote) bool {
	for i := len(t.rounds) - 1; i >= 0 && t.far(t.rounds[i].seq); i-- {
		r := &t.rounds[i]
		at, found := r.index(v.Replica)
		switch {
		case !found:
			continue
		case r.seq > v.Seq:
			return false
		}
		r.votes = slices.Delete(r.votes, at, at+1)
		if len(r.votes) == 0 {
			t.rounds = slices.Delete(t.rounds, i, i+1)
		}
		return true
	}
	return true
}

// count enters v and returns the certificate if v completed one.
func (t *Tracker) count(v message.Vote) *message.Certificate {
	i, found := t.round(v.Seq)
	if !found {
		t.rounds = slices.Insert(t.rounds, i, round{seq: v.Seq})
	}
	r := &t.rounds[i]
	at, _ := r.index(v.Replica)
	r.votes = slices.Insert(r.votes, at, v)
	c := r.certificate(v, t.rules.System.Quorum())
	if c != nil {
		t.advance(c)
	}
	return c
}

// certificate makes one of the first q votes that agree with v, or nil.
func (r *round) certificate(v message.Vote, q int) *message.Certificate {
	c := &message.Certificate{Kind: message.CheckpointCertificate, Seq: v.Seq, Digest: v.Digest}
	for _, o := range r.votes {
		if o.Digest == v.Digest && len(c.Signed) < q {
			c.Signed = append(c.Signed, message.Signed{Replica: o.Replica, Sig: o.Sig})
		}
	}
	if len(c.Signed) < q {
		return nil
	}
	return c
}

// Adopt takes a verified checkpoint certificate that was learned elsewhere. It
// answers true if it is higher than the stable one and now is the stable one.
// The caller compares one that is not higher with At: two roots with a
// certificate each are a fork (PROTOCOL.md §5).
func (t *Tracker) Adopt(c *message.Certificate) bool {
	if c == nil || c.Seq <= t.Low() {
		return false
	}
	t.advance(c)
	return true
}

// advance makes c, which is above h, the stable checkpoint.
func (t *Tracker) advance(c *message.Certificate) {
	t.history = thin(append(t.history, c), t.rules.Genesis.CheckpointInterval)
	keep, _ := t.round(c.Seq + 1)
	t.rounds = slices.Delete(t.rounds, 0, keep)
}

// round finds the place of seq among the rounds.
func (t *Tracker) round(seq consensus.Seq) (int, bool) {
	return slices.BinarySearchFunc(t.rounds, seq, func(r round, seq consensus.Seq) int { return cmp.Compare(r.seq, seq) })
}

// index finds the place of id among the votes.
func (r *round) index(id consensus.ReplicaID) (int, bool) {
	return slices.BinarySearchFunc(r.votes, id, func(v message.Vote, id consensus.ReplicaID) int { return cmp.Compare(v.Replica, id) })
}

// find returns the vote of id for seq, or nil.
func (t *Tracker) find(id consensus.ReplicaID, seq consensus.Seq) *message.Vote {
	i, found := t.round(seq)
	if !found {
		return nil
	}
	at, found := t.rounds[i].index(id)
	if !found {
		return nil
	}
	return &t.rounds[i].votes[at]
}
