package synod

import (
	"fmt"
	"math/bits"
	"slices"

	"quorate.dev/quorate/consensus"
)

// weakness is what a search does wrong on purpose, rule by rule.
type weakness struct {
	quorum    int  // 1: so many are enough
	shared    bool // 2: ballots belong to nobody
	reuse     bool // 3: a second life speaks under the ballot of the first
	forget    bool // 5: a promise is said, and lost
	cut       bool // 6: a promise names no slot above the first, and counts
	stale     bool // 7: a promise counts for a later ballot of its proposer
	heard     bool // 8: the value that was heard first
	baseless  bool // 10: the bases of promises do not count
	early     bool // 14: a leader counts its own vote, and loses it
	lenient   bool // 15: accepting does not promise
	overwrite bool // 16: a second value of a ballot replaces the first
	added     bool // 17: votes for a value are added up over ballots
	any       bool // 19: COMMIT makes chosen whatever is held
	detached  bool // 23: the promise goes with the log
	emptied   bool // 25: a state that is taken empties the log
	believing bool // Round.Commit: COMMIT of what was learnt, whatever was proposed
	votesOnly bool // and only what votes choose is judged
}

// event is a step of an acceptor.
type event struct {
	cell
	what   string
	ballot Ballot
	slot   consensus.Seq
	value  uint8
}

type result struct {
	cell
	effect Effect
}

// acceptor makes the acceptor anew, as after a restart: from its records, in an
// order of their own.
func (c cell) acceptor() *Acceptor {
	a := NewAcceptor(maxSlots)
	a.Drop(consensus.Seq(c.base))
	for slot, m := range c.votes {
		a.Restore(0, Vote{Slot: consensus.Seq(slot + 1), Ballot: m.ballot(), Digest: digestOf(max(m.value(), 1))})
	}
	a.Restore(Ballot(c.promised), Vote{})
	return a
}

// cellOf reads an acceptor back.
func cellOf(a *Acceptor) cell {
	c := cell{promised: uint8(a.Promised()), base: uint8(a.Base())}
	for _, v := range a.Report(nil, 0, nil) {
		if v.Slot <= maxSlots {
			c.votes[v.Slot-1] = markOf(v)
		}
	}
	return c
}

// do asks the acceptor under test.
func (h *search) do(e event) result {
	if r, known := h.cells[e]; known {
		return r
	}
	a, r := e.cell.acceptor(), result{}
	if h.lenient {
		a.promised = Ballot(e.promised)
	}
	switch e.what {
	case "promises":
		r.effect = a.Promise(e.ballot)
	case "accepts":
		if r.effect = a.Accept(e.ballot, e.slot, digestOf(e.value)); r.effect == Conflict && h.overwrite {
			*a.votes.at(e.slot) = vote(e.slot, e.ballot, digestOf(e.value))
			r.effect = Accepted
		}
		if r.effect == Accepted && h.lenient {
			a.promised = Ballot(e.promised)
		}
	case "drops":
		a.Drop(e.slot)
		if h.detached {
			a.promised = 0
		}
		if h.emptied {
			a.votes.entries = make([]Vote, maxSlots)
		}
	}
	r.cell = cellOf(a)
	h.cells[e] = r
	return r
}

// prepare lets a proposer promise its next ballot to itself, or a later one, and
// send PREPARE. What it asks from is what it knows, or nothing.
func (h *search) prepare(s state, at, p int) {
	next := s.cells[p].acceptor().Next(consensus.ReplicaID(p), proposers)
	if h.shared {
		next = Ballot(s.cells[p].promised) + 1
	}
	for b := int(next) - 1; b < h.ballots; b += proposers {
		if s.asked[b] != 0 && !h.shared {
			continue // it has used it, and forgot
		}
		for _, asked := range slices.Compact([]consensus.Seq{0, s.known()}) {
			to := s
			to.asked[b] = uint8(asked) + 1
			h.tell(to, at, p, b, action{what: "prepares", who: p, ballot: b + 1})
		}
	}
}

// promise lets an acceptor answer a PREPARE, by which the proposer has its quorum
// and sends its ACCEPTs. The promises of others could only keep them from accepting
// something, and to wait would only keep others from receiving it.
func (h *search) promise(s state, at, i, b int) {
	for p := range proposers {
		if p == i || s.asked[b] == 0 || s.told[b][p].base == 0 || s.sent[b] != [maxSlots]uint8{} && !h.shared {
			continue
		}
		h.tell(s, at, i, b, action{what: "promises", who: i, ballot: b + 1})
		for old := b - proposers; h.stale && old >= 0; old -= proposers {
			if to := s; to.told[old][i].base != 0 {
				to.told[b][i] = to.told[old][i]
				h.open(to, at, p, b, 1<<p|1<<i, action{what: "was heard late", who: i, ballot: b + 1})
			}
		}
	}
}

func (h *search) tell(to state, at, i, b int, by action) {
	r := h.do(event{cell: to.cells[i], what: "promises", ballot: Ballot(b + 1)})
	if r.effect != Promised && r.effect != Repeated {
		return
	}
	t := told{base: r.base + 1}
	for _, v := range r.cell.acceptor().Report(nil, consensus.Seq(to.asked[b]-1), nil) {
		if v.Slot <= maxSlots {
			t.votes[v.Slot-1] = markOf(v)
		}
	}
	if to.told[b][i] = t; h.cut {
		to.told[b][i].votes[1] = 0
	}
	if h.forget {
		h.said(to, at, i, b, by) // and the cell is as it was
	}
	to.cells[i] = r.cell
	h.said(to, at, i, b, by)
}

// said is what follows from a promise.
func (h *search) said(s state, at, i, b int, by action) {
	for p := range proposers {
		owner := h.shared || Ballot(b+1).Owner(proposers) == consensus.ReplicaID(p)
		if set := uint8(1<<p | 1<<i); owner && s.told[b][p].base != 0 && bits.OnesCount8(set) == h.majority() {
			h.open(s, at, p, b, set, by)
		}
	}
	if by.what == "prepares" || h.stale {
		h.push(s, at, by)
	}
}

// phase1 is what a proposer has heard.
type phase1 struct {
	who    int
	ballot Ballot
	asked  uint8
	told   [acceptors]told
	quorum uint8
}

// open lets a proposer send the ACCEPTs that follow from the promises of a quorum.
func (h *search) open(s state, at, p, b int, set uint8, by action) {
	for _, sent := range h.plan(phase1{p, Ballot(b + 1), s.asked[b], s.told[b], set}) {
		to := s
		for slot := range sent {
			to.sent[b][slot] |= sent[slot]
		}
		if !h.stale && !h.shared {
			to.told[b] = [acceptors]told{}
		}
		by.value, by.quorum = sent[0], set
		h.push(to, at, by)
	}
}

func (h *search) majority() int {
	if h.quorum != 0 {
		return h.quorum
	}
	return acceptors/2 + 1
}

// plan asks the Round under test which ACCEPTs are sent: one plan, whatever the
// order of the promises; with a weakness, one for each order.
func (h *search) plan(p phase1) (all [][maxSlots]uint8) {
	if all, known := h.plans[p]; known {
		return all
	}
	for turn := range acceptors {
		r := NewRound(p.ballot, h.majority(), consensus.Seq(p.asked-1), maxSlots)
		var first [maxSlots]uint8
		for k := range acceptors {
			i := (k + turn) % acceptors
			if p.quorum>>i&1 == 0 {
				continue
			}
			said := Promise{Ballot: p.ballot, Base: consensus.Seq(p.told[i].base - 1)}
			if h.baseless {
				said.Base = 0
			}
			for slot, m := range p.told[i].votes {
				if m != 0 {
					said.Votes = append(said.Votes, vote(consensus.Seq(slot+1), m.ballot(), digestOf(m.value())))
					first[slot] = max(first[slot], m.value()*uint8(1-min(first[slot], 1)))
				}
			}
			r.Hear(consensus.ReplicaID(i), said)
		}
		if !r.Prepared() {
			continue // one of them cannot be a promise
		}
		var sent [maxSlots]uint8
		for slot := r.Plan().Base + 1; slot <= h.slots; slot++ {
			d := digestOf(own(p.who))
			if slot < r.Plan().First() {
				d = r.Plan().Slots[slot-r.Plan().Base-1].Digest
			}
			if !r.Propose(slot, d) {
				panic(fmt.Sprintf("slot %d of %+v cannot be proposed", slot, p))
			}
			sent[slot-1] = valueOf(d)
			if h.heard && first[slot-1] != 0 {
				sent[slot-1] = first[slot-1]
			}
		}
		if !slices.Contains(all, sent) {
			all = append(all, sent)
		}
	}
	if len(all) > 1 && !h.heard {
		panic(fmt.Sprintf("the order of the promises matters: %+v", p))
	}
	h.plans[p] = all
	return all
}

// accept lets an acceptor take the ACCEPTs of a ballot for a slot.
func (h *search) accept(s state, at, i, b int, slot consensus.Seq) {
	for k := range values {
		value := uint8(1 << k)
		if s.sent[b][slot]&value == 0 {
			continue
		}
		r := h.do(event{s.cells[i], "accepts", Ballot(b + 1), slot + 1, value})
		if r.effect != Accepted {
			continue
		}
		to := s
		to.cells[i] = r.cell
		to.cast[b][slot][k] |= 1 << i
		by := to.cast[b][slot][k]
		for other := range h.ballots {
			if h.added {
				by |= to.cast[other][slot][k]
			}
		}
		if bits.OnesCount8(by) >= h.majority() {
			to.chosen[slot] |= value
		}
		h.push(to, at, action{what: "accepts", who: i, ballot: b + 1, slot: slot + 1, value: value})
	}
}

// misuse does what only a weakness does with a ballot.
func (h *search) misuse(s state, at, b int) {
	p := int(Ballot(b + 1).Owner(proposers))
	if h.reuse && s.sent[b] != [maxSlots]uint8{} {
		to := s
		for slot := range h.slots {
			to.sent[b][slot] |= again
		}
		h.push(to, at, action{what: "restarts and believes that it leads", who: p, ballot: b + 1})
	}
	for k := range values {
		if by := s.cast[b][0][k]; h.early && by != 0 && by>>p&1 == 0 && s.sent[b][0] == 1<<k {
			to := s
			to.chosen[0] |= 1 << k
			h.push(to, at, action{what: "says COMMIT, and loses its vote", who: p, ballot: b + 1, slot: 1, value: 1 << k})
		}
	}
}

// drop lets an acceptor take the state at a slot up to which everything is chosen.
func (h *search) drop(s state, at, i int) {
	for base := consensus.Seq(s.cells[i].base) + 1; base <= s.known(); base++ {
		to := s
		to.cells[i] = h.do(event{cell: s.cells[i], what: "drops", slot: base}).cell
		h.push(to, at, action{what: "takes the state", who: i, slot: base})
	}
}

// commit is a question: what does an acceptor learn by the COMMITs of a ballot?
type commit struct {
	ballot Ballot
	sent   [maxSlots]uint8
	chosen [maxSlots]uint8
	cell   cell
}

// commit lets the leader of a ballot, who knows everything that is chosen, say
// COMMIT to an acceptor, and says what that learns wrongly.
func (h *search) commit(c commit) string {
	if wrong, known := h.commits[c]; known {
		return wrong
	}
	h.commits[c] = ""
	r, told := NewRound(c.ballot, 1, 0, maxSlots), NewLearner(maxSlots)
	base := consensus.Seq(slices.IndexFunc(c.sent[:], func(v uint8) bool { return v != 0 }))
	r.Hear(A, Promise{Ballot: c.ballot, Base: base})
	for slot := consensus.Seq(1); slot <= h.slots; slot++ {
		if v := c.sent[slot-1]; v != 0 {
			if both := v & c.chosen[slot-1]; both != 0 {
				v = both
			}
			r.Propose(slot, digestOf(v))
		}
		if v := c.chosen[slot-1]; v != 0 {
			told.Learn(slot, digestOf(v))
		}
	}
	upTo, _ := r.Commit(told)
	if h.believing {
		upTo = told.Prefix()
	}
	a, l := c.cell.acceptor(), NewLearner(maxSlots)
	l.Commit(c.ballot, upTo, a, nil)
	for slot := consensus.Seq(1); slot <= h.slots; slot++ {
		d, learnt := l.Chosen(slot)
		if v, voted := a.Vote(slot); h.any && voted && slot <= upTo {
			d, learnt = v.Digest, true
		}
		if learnt && d != digestOf(c.chosen[slot-1]) {
			h.commits[c] = fmt.Sprintf("by COMMIT(%d, %d) %s is taken for chosen in slot %d, where %s is", c.ballot, upTo, nameOf(valueOf(d)), slot, nameOf(c.chosen[slot-1]))
		}
	}
	return h.commits[c]
}
