package bounds

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
)

// Claim is what theory says of the course of a run, beside how it ends.
type Claim struct {
	Text  string
	Short string // the same in a few words, for tables
	Holds func(o *spec.Outcome) bool
}

// shown holds the run against the claims.
func (c *Cell) shown(o *spec.Outcome) string {
	for _, x := range c.Claims {
		if !x.Holds(o) {
			return "theory says that " + x.Text + ", and the run does not show that"
		}
	}
	return ""
}

// claims are the claims of a cell that ended as theory says.
func (r *Result) claims() (texts []string) {
	for _, x := range r.Claims {
		if r.Agrees() {
			texts = append(texts, x.Text)
		}
	}
	return texts
}

// brief is what the claims say, in a few words.
func (r *Result) brief() string {
	var texts []string
	for _, x := range r.Claims {
		if r.Agrees() && x.Short != "" {
			texts = append(texts, x.Short)
		}
	}
	return strings.Join(texts, ", ")
}

// since are those who began to lead from a moment on.
func since(o *spec.Outcome, from consensus.Time) []spec.Leader {
	at := slices.IndexFunc(o.Leaders, func(l spec.Leader) bool { return l.At >= from })
	if at < 0 {
		return nil
	}
	return o.Leaders[at:]
}

// stays: nobody begins to lead from a moment on.
func stays(from consensus.Time) Claim {
	return Claim{"its leader stays", "its leader stays", func(o *spec.Outcome) bool { return len(since(o, from)) == 0 }}
}

// outbids: who led leads on, in a later view.
func outbids(from consensus.Time) Claim {
	return Claim{"its leader leads on, in a later view", "outbids it", func(o *spec.Outcome) bool {
		later := since(o, from)
		before := len(o.Leaders) - len(later)
		return before > 0 && len(later) > 0 && !slices.ContainsFunc(later, func(l spec.Leader) bool { return l.Replica != o.Leaders[before-1].Replica })
	}}
}

// nobodyLeads says the same where there is no leader that could stay.
func nobodyLeads(from consensus.Time) Claim {
	return Claim{"nobody leads any more", "no leader", func(o *spec.Outcome) bool { return len(since(o, from)) == 0 }}
}

// moves: somebody, maybe the same, begins to lead from a moment on.
func moves(from consensus.Time) Claim {
	return Claim{"its leader is deposed, and somebody leads in a later view", "", func(o *spec.Outcome) bool { return len(since(o, from)) > 0 }}
}

// leads: a replica was the last to begin.
func leads(id int) Claim {
	return Claim{fmt.Sprintf("R%d leads in the end", id), fmt.Sprintf("R%d leads", id), func(o *spec.Outcome) bool {
		return len(o.Leaders) > 0 && int(o.Leaders[len(o.Leaders)-1].Replica) == id
	}}
}

// takesOver: the replica with the highest number leads in the end.
var takesOver = Claim{"the one that came back takes over", "it takes over", func(o *spec.Outcome) bool {
	return len(o.Leaders) > 0 && int(o.Leaders[len(o.Leaders)-1].Replica) == len(o.Genesis.Replicas)-1
}}

// some looks for a slot.
func some(o *spec.Outcome, has func(s *spec.Slot) bool) bool {
	return slices.ContainsFunc(o.Slots, func(s spec.Slot) bool { return len(s.Proposed) > 0 && has(&s) })
}

// inOrder: no slot is decided before the one below it.
var inOrder = Claim{"each slot is decided after the one below it", "in order", func(o *spec.Outcome) bool { return !overtaken(o) }}

// outOfOrder: some slot is, and is executed after it.
var outOfOrder = Claim{"a slot is decided before the one below it, and executed after it", "out of order", func(o *spec.Outcome) bool {
	return overtaken(o) && slices.IsSortedFunc(o.Slots, func(x, y spec.Slot) int { return int(x.Executed - y.Executed) })
}}

func overtaken(o *spec.Outcome) bool {
	return !slices.IsSortedFunc(o.Slots, func(x, y spec.Slot) int { return int(x.Decided - y.Decided) })
}

// carried: a value of an earlier leader's is decided at its slot under a later one.
func carried(s *spec.Slot) bool {
	first := &s.Proposed[0]
	again := func(p spec.Proposal) bool { return p.View > first.View && p.Value == first.Value }
	return first.Value == s.Value && s.Value != consensus.NullDigest && (s.View > first.View || slices.ContainsFunc(s.Proposed, again))
}

// replaced: what an earlier leader proposed at a slot was not decided there.
func replaced(s *spec.Slot) bool { return s.Proposed[0].Value != s.Value }

// filled: what was decided instead is the null batch.
func filled(s *spec.Slot) bool { return replaced(s) && s.Value == consensus.NullDigest }

// keeps reports whether some slot is filled with null, and one above it holds what
// was proposed there in an earlier view: before the gap was filled.
func keeps(o *spec.Outcome) bool {
	gap := slices.IndexFunc(o.Slots, func(s spec.Slot) bool { return len(s.Proposed) > 0 && filled(&s) })
	return gap >= 0 && some(&spec.Outcome{Slots: o.Slots[gap+1:]}, func(s *spec.Slot) bool {
		return !replaced(s) && s.Proposed[0].View < o.Slots[gap].View
	})
}

// What becomes of a value above a gap.
var (
	keepsBeyondGap = Claim{"the gap is filled with null, and what stands above it is kept", "kept above the gap", keeps}
	losesBeyondGap = Claim{"what the dead leader proposed above the gap is in no log any more", "gone above the gap", func(o *spec.Outcome) bool {
		return some(o, filled) && !keeps(o)
	}}
)

// oldValueStays and oldValueGoes: what an earlier leader proposed and nobody decided.
var (
	oldValueStays = Claim{"the old value is decided at its slot, under a later leader", "old value kept", func(o *spec.Outcome) bool {
		return some(o, carried) && !some(o, replaced)
	}}
	oldValueGoes = Claim{"something else is decided in the old value's place", "old value gone", func(o *spec.Outcome) bool { return some(o, replaced) }}
)
