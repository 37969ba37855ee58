package synod

import (
	"fmt"
	"math/bits"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// The search walks through every execution of three acceptors, two of which are
// proposers as well, up to a number of ballots and slots. It is the dumb oracle of
// this package: what is chosen is counted from the votes that were said, and
// nothing of what the package believes is believed.
//
// What is searched and what is left out:
//
//   - A message once sent may reach anybody at any later time, any number of times,
//     or never. So a state is what was said and what acceptors hold, and to lose a
//     message is to do nothing.
//   - What is told is durable, which is the caller's duty; so a crash takes only what
//     nobody heard of, and a proposer's round, which it may as well never finish.
//     Every acceptor is made anew from its records before each step.
//   - A proposer that completes phase 1 sends everything at once: what the plan says,
//     and its own value in every free slot. What it has not sent yet nobody received.
//   - Whoever may know that something is chosen knows it.
//   - The promises of a ballot are forgotten when its ACCEPTs are sent, and a ballot
//     when everybody has promised a higher one and holds no vote of it.
const (
	maxSlots   = 2
	maxBallots = 4
	acceptors  = 3
	proposers  = 2
)

// The values are bits: null, one of each proposer, and one of a second life that
// knows nothing of its first.
const (
	null   = 1
	again  = 1 << (1 + proposers)
	values = 2 + proposers
)

func own(p int) uint8 { return 2 << p }

var digests = [values]crypto.Digest{consensus.NullDigest, x, y, crypto.Hash([]byte("z"))}

func digestOf(value uint8) crypto.Digest { return digests[bits.TrailingZeros8(value)] }

func valueOf(d crypto.Digest) uint8 { return 1 << slices.Index(digests[:], d) }

// ballots are held by acceptors as numbers from 1, and stand in arrays from 0.

// mark is a vote of a cell: its ballot and its value; 0 is none.
type mark uint8

func markOf(v Vote) mark { return mark(v.Ballot)<<4 | mark(valueOf(v.Digest)) }

func (m mark) ballot() Ballot { return Ballot(m >> 4) }
func (m mark) value() uint8   { return uint8(m & 15) }

// cell is an acceptor.
type cell struct {
	promised, base uint8
	votes          [maxSlots]mark
}

// told is an acceptor's PROMISE.
type told struct {
	base  uint8 // 1 + its base; 0 is nothing said
	votes [maxSlots]mark
}

// state is everything that was said and is held. It is comparable, so that what is
// reached in several ways is continued once.
type state struct {
	cells  [acceptors]cell
	asked  [maxBallots]uint8 // 1 + the slot that the PREPARE asked from
	told   [maxBallots][acceptors]told
	sent   [maxBallots][maxSlots]uint8         // the values of its ACCEPTs
	cast   [maxBallots][maxSlots][values]uint8 // the acceptors who said ACCEPTED, as bits
	chosen [maxSlots]uint8                     // values
}

// known is the last slot such that it and all before it are chosen.
func (s *state) known() (n consensus.Seq) {
	for n < maxSlots && s.chosen[n] != 0 {
		n++
	}
	return n
}

// search is one walk. A weakness is a rule that it breaks on purpose.
type search struct {
	weakness
	ballots int
	slots   consensus.Seq

	nodes   []node
	index   map[state]bool
	cells   map[event]result
	plans   map[phase1][][maxSlots]uint8
	commits map[commit]string
	found   string
}

type node struct {
	state
	parent int
	by     action
}

// action is what led to a node.
type action struct {
	what          string
	who           int
	ballot        int
	slot          consensus.Seq
	value, quorum uint8
}

// String tells of it, as in "B promises 4 (AB: x)".
func (a action) String() string {
	text := fmt.Sprintf("%c %s", 'A'+a.who, a.what)
	if a.ballot != 0 {
		text += fmt.Sprintf(" %d", a.ballot)
	}
	if a.slot != 0 {
		text += fmt.Sprintf(" slot %d", a.slot)
	}
	if a.quorum != 0 {
		text += " for " + letters(a.quorum)
	}
	if a.value != 0 {
		text += ": " + nameOf(a.value)
	}
	return text
}

func letters(set uint8) (names string) {
	for i := range acceptors {
		if set>>i&1 == 1 {
			names += string(rune('A' + i))
		}
	}
	return names
}

func nameOf(value uint8) string {
	return [...]string{"null", "x", "y", "z"}[bits.TrailingZeros8(value)]
}

// explore looks at every execution, shortest first, and stops at the first that
// breaks something: it returns that, line by line, and how many states it saw.
func (h *search) explore() (execution []string, states int) {
	h.index, h.cells = map[state]bool{}, map[event]result{}
	h.plans, h.commits = map[phase1][][maxSlots]uint8{}, map[commit]string{}
	h.push(state{}, -1, action{})
	for i := 0; i < len(h.nodes) && h.found == ""; i++ {
		h.visit(i)
	}
	if h.found == "" {
		return nil, len(h.nodes)
	}
	execution = []string{h.found}
	for i := len(h.nodes) - 1; i > 0; i = h.nodes[i].parent {
		execution = append(execution, h.nodes[i].by.String())
	}
	slices.Reverse(execution)
	return execution, len(h.nodes)
}

func (h *search) push(s state, parent int, by action) {
	h.tidy(&s)
	if h.found != "" || h.index[s] {
		return
	}
	h.index[s] = true
	h.nodes = append(h.nodes, node{s, parent, by})
	h.found = h.judge(&s)
}

// tidy forgets what can have no effect any more.
func (h *search) tidy(s *state) {
	for slot, chosen := range s.chosen {
		for b := range h.ballots {
			for k := range s.cast[b][slot] {
				if chosen>>k&1 == 1 {
					s.cast[b][slot][k] = 0
				}
			}
		}
	}
	for b := range h.ballots {
		live, held := false, false
		for i := range s.cells {
			live = live || int(s.cells[i].promised) <= b+1
			for _, m := range s.cells[i].votes {
				held = held || int(m.ballot()) == b+1
			}
		}
		if live {
			continue
		}
		if !h.stale {
			s.asked[b], s.told[b] = 0, [acceptors]told{}
		}
		if !held && !h.added {
			s.sent[b], s.cast[b] = [maxSlots]uint8{}, [maxSlots][values]uint8{}
		}
	}
}

// visit does everything that can be done in a state.
func (h *search) visit(at int) {
	s := h.nodes[at].state
	for p := range proposers {
		h.prepare(s, at, p)
	}
	for b := range h.ballots {
		for i := range acceptors {
			h.promise(s, at, i, b)
		}
		for slot := range h.slots {
			for i := range acceptors {
				h.accept(s, at, i, b, slot)
			}
		}
		h.misuse(s, at, b)
	}
	for i := range acceptors {
		h.drop(s, at, i)
	}
}

// judge says what is wrong in a state, or nothing.
func (h *search) judge(s *state) string {
	for slot, chosen := range s.chosen {
		if bits.OnesCount8(chosen) > 1 {
			return fmt.Sprintf("slot %d has two values", slot+1)
		}
	}
	for b := range h.ballots {
		if s.known() == 0 || s.sent[b] == [maxSlots]uint8{} || h.votesOnly {
			continue
		}
		for i := range s.cells {
			if wrong := h.commit(commit{Ballot(b + 1), s.sent[b], s.chosen, s.cells[i]}); wrong != "" {
				return wrong
			}
		}
	}
	return ""
}
