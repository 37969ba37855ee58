package quorum

import "quorate.dev/quorate/consensus"

// Verdict is what became of a vote.
type Verdict uint8

// The verdicts.
const (
	Counted      Verdict = iota + 1 // the voter's first vote
	Repeated                        // the same vote again: nothing changed
	Contradicted                    // another value than before: not counted, and evidence (PROTOCOL.md §2)
	Stranger                        // an id that no replica can have: not counted
)

// Tally counts votes at one place, such as the PREPAREs of one view and
// sequence number. Each replica has one vote, its first: a liar that votes
// twice must not count for both sides (PROTOCOL.md §2). The zero Tally is
// empty and ready. It is not safe for concurrent use.
//
// Whether the voter may vote here at all is the caller's question; this is
// bounded by consensus.MaxReplicas voters whatever is voted.
type Tally[V comparable] struct {
	voters  Set
	choices []choice[V] // in the order of each value's first vote
}

type choice[V comparable] struct {
	value  V
	voters Set
}

// Vote enters the vote of a replica for a value.
func (t *Tally[V]) Vote(by consensus.ReplicaID, value V) Verdict {
	if by >= consensus.MaxReplicas {
		return Stranger
	}
	if earlier, voted := t.Of(by); voted {
		if earlier == value {
			return Repeated
		}
		return Contradicted
	}
	t.voters.Add(by)
	for i := range t.choices {
		if t.choices[i].value == value {
			t.choices[i].voters.Add(by)
			return Counted
		}
	}
	t.choices = append(t.choices, choice[V]{value: value, voters: SetOf(by)})
	return Counted
}

// Of returns what a replica voted for.
func (t *Tally[V]) Of(by consensus.ReplicaID) (value V, voted bool) {
	if t.voters.Has(by) {
		for i := range t.choices {
			if t.choices[i].voters.Has(by) {
				return t.choices[i].value, true
			}
		}
	}
	return value, false
}

// For returns the replicas that voted for value.
func (t *Tally[V]) For(value V) Set {
	for i := range t.choices {
		if t.choices[i].value == value {
			return t.choices[i].voters
		}
	}
	return 0
}

// Count is the number of votes for value.
func (t *Tally[V]) Count(value V) int { return t.For(value).Len() }

// Voters returns everyone who voted, for whatever.
func (t *Tally[V]) Voters() Set { return t.voters }

// Leading returns the value with the most votes and their number; of several
// equal ones, the value that was voted for first. Without votes the number
// is 0.
func (t *Tally[V]) Leading() (value V, votes int) {
	for i := range t.choices {
		if n := t.choices[i].voters.Len(); n > votes {
			value, votes = t.choices[i].value, n
		}
	}
	return value, votes
}

// Values lists the distinct values in the order of their first votes.
func (t *Tally[V]) Values() []V {
	values := make([]V, len(t.choices))
	for i := range t.choices {
		values[i] = t.choices[i].value
	}
	return values
}
