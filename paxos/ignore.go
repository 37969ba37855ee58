package paxos

import (
	"fmt"

	"quorate.dev/quorate/consensus"
)

// The reasons for which a message has no effect. ReasonTwo is one that members who
// follow the protocol never give, but after a lost disk: the simulator holds them
// to it.
const (
	ReasonTwo      consensus.Reason = "two values for one slot and ballot, or two that are chosen"
	reasonBelow    consensus.Reason = "a ballot below the promise"
	reasonSticky   consensus.Reason = "the leader was heard lately"
	reasonFull     consensus.Reason = "the slot is too far beyond the state on disk"
	reasonStale    consensus.Reason = "an answer under another ballot"
	reasonLeap     consensus.Reason = "a ballot that nobody gets to by counting"
	reasonOften    consensus.Reason = "asks too often"
	reasonNeedless consensus.Reason = "a state that is not needed"
)

// The reasons that notes give of what seldom happens.
const (
	ReasonGap       consensus.Reason = "a gap is filled with null"
	ReasonOutside   consensus.Reason = "chosen before a slot below it"
	ReasonBody      consensus.Reason = "a new leader was given the body of a vote"
	ReasonBehind    consensus.Reason = "the new leader is behind its acceptors"
	ReasonPreempted consensus.Reason = "another proposer has a higher ballot"
	ReasonDuel      consensus.Reason = "preempted three times in a row"
	ReasonAbove     consensus.Reason = "a vote stands above a state that was taken"
	reasonUnheard   consensus.Reason = "no majority answers, or the leader was not heard"
	reasonAgain     consensus.Reason = "the leader prepares again: what it lacks is not given"
	reasonOver      consensus.Reason = "the leader prepares again: a member promised more"
)

// Reasons lists why this package's engine ignores what was opened well: for
// reports of coverage.
func Reasons() []consensus.Reason {
	return []consensus.Reason{ReasonTwo, reasonBelow, reasonSticky, reasonFull, reasonStale, reasonLeap, reasonOften, reasonNeedless}
}

// ignored notes a message that has no effect.
func (r *replica) ignored(from consensus.ReplicaID, n consensus.Seq, why consensus.Reason) {
	r.out.Note(consensus.Note{Kind: consensus.Ignored, View: r.view(), Seq: n, Replica: from, Reason: why})
}

// contradicted: there are two values where there is one. Nobody can tell who lies;
// the first one stays.
func (r *replica) contradicted(from consensus.ReplicaID, n consensus.Seq, text string) {
	r.ignored(from, n, ReasonTwo)
	if r.alarmed != 0 && r.clock.tick-r.alarmed < alarmEvery*r.cfg.Election {
		return
	}
	r.alarmed = max(1, r.clock.tick)
	r.alarm(fmt.Sprintf("replica %d says of slot %d %s: it lies, or the disk of a member, which may be this one, was lost or set back to an older copy. "+
		"Answers may be lost: run `quorate check`", from, n, text))
}

// alarmEvery is how many election timeouts lie between two alarms of one kind.
const alarmEvery = 10

func (r *replica) alarm(text string) {
	r.out.Note(consensus.Note{Kind: consensus.Alarm, View: r.view(), Text: text})
}
