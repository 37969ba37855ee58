package course

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/sim"
)

// elections are the kinds of frames with which Raft makes leaders.
var elections = map[string]bool{"MsgVote": true, "MsgVoteResp": true, "MsgPreVote": true, "MsgPreVoteResp": true}

// once tells the first frame of its sort from those that say the same again.
type once struct {
	step     sim.StepKind
	from, to string
	term     consensus.View
	stored   bool // it acknowledges, else it says that something is decided
}

// aboutEntry marks the frames that speak of one place of Raft's log: the entry
// itself, and over each link the first acknowledgement that covers it and the
// first word that it is decided.
func (p *slice) aboutEntry() []bool {
	mine := make([]bool, len(p.said))
	seen := map[once]bool{}
	offered := false // what covers the place before the entry was sent speaks of another time
	for i, s := range p.said {
		step := &p.steps[i]
		at := once{step.Kind, step.From, step.To, s.View, s.Stored > 0}
		switch {
		case s.Seq == p.slot && s.Kind == KindReply, s.At(p.slot).Seq == p.slot && s.Kind == KindAppend:
			mine[i], offered = true, true
			seen[at] = seen[at] || s.Decided >= p.slot
		case offered && max(s.Stored, s.Decided) >= p.slot && !seen[at]:
			mine[i], seen[at] = true, true
		case s.Kind == "MsgSnap" && s.Decided >= p.slot && !seen[at]:
			mine[i], seen[at] = true, true
		}
	}
	return mine
}
