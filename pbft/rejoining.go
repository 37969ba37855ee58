package pbft

import (
	"encoding/binary"
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
)

// rejoining decides by the amnesiac rule (PROTOCOL.md §8): a replica that lost
// its log has forgotten what it said. It signs nothing until a checkpoint is
// stable that no forgotten vote can lie above, and then votes only above it, in
// views that no forgotten VIEW-CHANGE can be for.
//
// It takes answers and says what may be signed, what to ask for, and when to
// wake. It never sends and never measures time.
type rejoining struct {
	rules   *message.Rules
	self    consensus.ReplicaID
	asleep  bool // signs nothing
	nonce   uint64
	answers []*message.RejoinAnswer // by replica; non-amnesiac ones
	setBack bool                    // its disk is an older copy; only until the limits are known
	known   bool                    // enough answers: the limits below hold
	target  consensus.Seq           // N: votes only for slots above it
	view    consensus.View          // V*+2: votes only in this view and later ones
}

func newRejoining(rules *message.Rules, self consensus.ReplicaID, nonce uint64) rejoining {
	return rejoining{rules: rules, self: self, nonce: nonce, answers: make([]*message.RejoinAnswer, rules.System.Size())}
}

// allows reports whether a vote for slot n in view v may be signed.
func (j *rejoining) allows(v consensus.View, n consensus.Seq) bool {
	return j.mayCheckpoint(n) && v >= j.view
}

// mayCheckpoint reports whether a CHECKPOINT, which belongs to no view, may be
// signed for slot n.
func (j *rejoining) mayCheckpoint(n consensus.Seq) bool { return !j.asleep && n > j.target }

// mayChange reports whether a VIEW-CHANGE for v may be signed.
func (j *rejoining) mayChange(v consensus.View) bool { return !j.asleep && v >= j.view }

// limitsRecord is the first byte of the record that keeps the limits.
const limitsRecord = 0xf0

// forget begins to rejoin, with a log: it is older than what was said. Answers to
// an earlier rejoin of this life do not count.
func (j *rejoining) forget() {
	j.asleep, j.setBack, j.known, j.target, j.view = true, true, false, 0, 0
	j.nonce++
	clear(j.answers)
}

// What a record of the limits says beside them.
const (
	limitsAwake byte = iota
	limitsAsleep
	limitsUnknown // asleep, and set back: the log alone does not tell
)

// record encodes the limits for the log; nil if there is nothing to say.
func (j *rejoining) record() []byte {
	if !j.known && !j.setBack {
		return nil
	}
	b := binary.BigEndian.AppendUint64([]byte{limitsRecord}, uint64(j.target))
	b = binary.BigEndian.AppendUint64(b, uint64(j.view))
	switch {
	case !j.known:
		return append(b, limitsUnknown)
	case j.asleep:
		return append(b, limitsAsleep)
	}
	return append(b, limitsAwake)
}

func (j *rejoining) recall(b []byte) error {
	if len(b) != 18 || b[17] > limitsUnknown {
		return fmt.Errorf("rejoin limits: %w", consensus.ErrMalformed)
	}
	j.known, j.asleep, j.setBack = b[17] != limitsUnknown, b[17] != limitsAwake, b[17] == limitsUnknown
	j.target = consensus.Seq(binary.BigEndian.Uint64(b[1:]))
	j.view = consensus.View(binary.BigEndian.Uint64(b[9:]))
	return nil
}

// asks reports whether others are to be asked, by a replica that is in view v
// or going for it. Awake it still has to be joined in the first view in which it
// may vote, by replicas that may have restarted and know of no rejoin.
func (j *rejoining) asks(v consensus.View, changing bool) bool {
	return j.asleep || j.known && changing && v == j.view || j.undecided(v)
}

// given lists the answers that are here.
func (j *rejoining) given() []*message.RejoinAnswer {
	return slices.DeleteFunc(slices.Clone(j.answers), func(a *message.RejoinAnswer) bool { return a == nil })
}

// lack says what a sleeper waits for: answers, and then the target.
func (j *rejoining) lack() consensus.Lack {
	if j.known {
		return consensus.Lack{What: "stable checkpoint", Seq: j.target}
	}
	var have []consensus.ReplicaID
	for i, a := range j.answers {
		if a != nil {
			have = append(have, consensus.ReplicaID(i))
		}
	}
	return consensus.Lack{
		What: "answers of replicas that did not lose their log", Have: have, Need: j.needed(),
		Missing: consensus.Others(len(j.answers), append(have, j.self)...),
	}
}

// needed is how many must answer.
func (j *rejoining) needed() int { return j.rules.System.Size() - j.rules.System.Faults() }

// ignores says why an answer does not matter to a replica in view v; "" if it
// does.
func (j *rejoining) ignores(m *message.RejoinAnswer, v consensus.View) consensus.Reason {
	switch {
	case !j.asleep && !j.undecided(v):
		return reasonNotRejoining
	case m.Nonce != j.nonce:
		return reasonNonce
	}
	return ""
}

// learn takes an answer that matters, and reports whether it changed the limits,
// which bound what this replica may have said in its forgotten life. Who has
// forgotten, too, bounds nothing.
//
// Votes: it had a low mark that q replicas had reached, so each of them is at
// most a window behind it, and its votes at most a window above: N is two
// windows above the highest proven checkpoint.
//
// VIEW-CHANGEs: it went for a view w only from a view w-1 that it had entered,
// or for which q replicas had asked; any n-f answers hold one of a correct
// replica among those, which is in w-1 or beyond. So V* is the highest view of
// n-f answers, and V*+2 is above w. Of more than n-f answers the lowest will
// do, which keeps a liar's view of the far future out.
func (j *rejoining) learn(from consensus.ReplicaID, m *message.RejoinAnswer) bool {
	if m.Amnesiac {
		return false
	}
	j.answers[from] = m
	var highest consensus.Seq
	var yours consensus.View
	var views []consensus.View
	for _, a := range j.given() {
		views = append(views, a.View)
		if a.Checkpoint != nil {
			highest = max(highest, a.Checkpoint.Seq)
		}
		if a.Yours != nil && a.Yours.Replica == j.self {
			yours = max(yours, a.Yours.View)
		}
	}
	need := j.needed()
	if len(views) < need {
		return false
	}
	slices.Sort(views)
	view := max(views[need-1], yours) + 2
	if j.known && view >= j.view {
		return false
	}
	if !j.known {
		j.target = highest + 2*j.rules.Genesis.Window
	}
	j.known, j.setBack, j.view = true, false, view
	return true
}

// wakes reports whether this replica, with its low mark at low and a state at
// handed, may speak again from now on: above the target and in the views to
// come. Without the state it could be the primary of such a view and hold
// everybody up.
func (j *rejoining) wakes(low, handed consensus.Seq) bool {
	if !j.asleep || !j.known || low < j.target || handed < j.target {
		return false
	}
	j.asleep = false
	return true
}

// goes reports whether a replica in view v, which is awake, goes for the first
// view in which it may vote. It has no use for further answers then.
func (j *rejoining) goes(v consensus.View) bool {
	if !j.undecided(v) || !j.plausible(v) {
		return false
	}
	clear(j.answers)
	return true
}

// undecided reports whether this replica, in view v, is awake and has signed
// nothing under its limits yet: further answers may still lower them.
func (j *rejoining) undecided(v consensus.View) bool { return j.known && !j.asleep && v < j.view }

// plausible reports whether so many replicas are near the view to go for that
// one of them at least is correct. The highest of n-f answers may be a liar's,
// and nobody follows to a view of the far future: who went there would be alone
// for ever.
func (j *rejoining) plausible(v consensus.View) bool {
	given := j.given()
	if len(given) < j.rules.System.Weak() {
		return j.view <= v+2+farRejoin // restarted: it asks again
	}
	near := 0
	for _, a := range given {
		if a.View+2+farRejoin >= j.view {
			near++
		}
	}
	return near >= j.rules.System.Weak()
}

// farRejoin bounds how far ahead a rejoining replica may ask others to go: each
// view on the way costs the cluster a view change.
const farRejoin = 4
