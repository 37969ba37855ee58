package decree

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos/synod"
)

// ErrRule is wrapped where a rule does not exist.
var ErrRule = errors.New("no such rule")

// Break is one execution, played with a rule and without it. The steps are the
// same; what comes of them is not.
type Break struct {
	Rule    string `json:"rule"`
	Says    string `json:"says"` // the rule
	Without string `json:"without"`
	With    Side   `json:"with_the_rule"`
	Off     Side   `json:"without_the_rule"`
}

// Side is the execution as it went.
type Side struct {
	Steps   []string `json:"steps"`   // one for each step of the script
	Decided []string `json:"decided"` // what was, slot by slot, and by whom
	Broken  bool     `json:"broken"`  // there are two outcomes, or there is none
}

// Rules lists the rules that can be switched off, by name, in the order of PMS:
// ballots, phase 1, phase 2, the log.
func Rules() (names []string) {
	for _, p := range plays {
		names = append(names, p.rule)
	}
	return names
}

// RunBreak plays the execution of one rule. The error wraps ErrRule.
func RunBreak(rule string) (*Break, error) {
	i := slices.IndexFunc(plays, func(p play) bool { return p.rule == rule })
	if i < 0 {
		return nil, fmt.Errorf("%w: %q", ErrRule, rule)
	}
	p := plays[i]
	return &Break{Rule: p.rule, Says: p.says, Without: p.without, With: p.run(false), Off: p.run(true)}, nil
}

// play is the execution of a rule.
type play struct {
	rule, says, without string
	n                   int // acceptors, which are proposers and learners as well
	script              func(s *stage)
}

// run plays it.
func (p *play) run(off bool) Side {
	s := &stage{off: off, n: p.n, q: quorum.Crash.System(p.n).Quorum(), acceptors: make([]held, p.n), attempts: map[synod.Ballot]*attempt{}}
	for i := range s.acceptors {
		s.acceptors[i] = held{records: records{votes: map[consensus.Seq]synod.Vote{}}}
		s.acceptors[i].disk = s.acceptors[i].copy()
	}
	p.script(s)
	return s.side()
}

// stage is where an execution is played, step by step. What acceptors say is package
// synod's; a rule is switched off by a record that is lost or overlooked, or by a
// message that is believed.
type stage struct {
	off       bool
	n, q      int
	acceptors []held
	attempts  map[synod.Ballot]*attempt
	steps     []string
	cast      map[cast][]int // who accepted what, for the ledger
	decisions []decision
	stuck     string // what never happens
}

// held is what an acceptor has in memory, and what it has on disk.
type held struct {
	records
	disk records
}

// records are a log.
type records struct {
	promised synod.Ballot
	base     consensus.Seq
	votes    map[consensus.Seq]synod.Vote
}

func (r records) copy() records {
	votes := map[consensus.Seq]synod.Vote{}
	for slot, v := range r.votes {
		votes[slot] = v
	}
	r.votes = votes
	return r
}

// acceptor makes the decider anew.
func (r records) acceptor() *synod.Acceptor {
	a := synod.NewAcceptor(stageWindow)
	a.Drop(r.base)
	a.Restore(r.promised, synod.Vote{})
	for _, v := range r.votes {
		a.Restore(0, v)
	}
	return a
}

// stageWindow is more than any execution needs.
const stageWindow = 16

// attempt is a proposer's, under one ballot.
type attempt struct {
	owner int
	round *synod.Round
	sent  map[consensus.Seq]string
	first map[consensus.Seq]string // the value that was heard first
}

// cast is a vote, as the ledger counts it.
type cast struct {
	ballot synod.Ballot
	slot   consensus.Seq
	value  string
}

// decision is that a value is decided: chosen, or taken for chosen.
type decision struct {
	slot  consensus.Seq
	value string
	by    string
}

func letter(i int) string { return string(rune('A' + i)) }

// digestOf is the digest of a value's name.
func digestOf(name string) crypto.Digest {
	if name == "null" {
		return consensus.NullDigest
	}
	return crypto.Hash([]byte(name))
}

// named is the name of a digest.
func named(d crypto.Digest) string {
	for _, name := range []string{"null", "v", "w", "x", "y", "z"} {
		if digestOf(name) == d {
			return name
		}
	}
	return "?"
}

// say adds a step.
func (s *stage) say(format string, args ...any) {
	s.steps = append(s.steps, fmt.Sprintf(format, args...))
}

// more adds to the last step.
func (s *stage) more(format string, args ...any) {
	s.steps[len(s.steps)-1] += "; " + fmt.Sprintf(format, args...)
}

// decide notes a decision.
func (s *stage) decide(slot consensus.Seq, value, by string) {
	s.decisions = append(s.decisions, decision{slot, value, by})
}

// side is what came of it.
func (s *stage) side() Side {
	out := Side{Steps: s.steps}
	first := map[consensus.Seq]string{}
	for _, d := range s.decisions {
		text := fmt.Sprintf("slot %d: %s, %s", d.slot, d.value, d.by)
		if !slices.Contains(out.Decided, text) {
			out.Decided = append(out.Decided, text)
		}
		if was, known := first[d.slot]; known && was != d.value {
			out.Broken = true
		} else {
			first[d.slot] = d.value
		}
	}
	if len(out.Decided) == 0 {
		out.Decided = []string{undecided}
	}
	if s.stuck != "" {
		out.Broken = true
		out.Decided = append(out.Decided, s.stuck)
	}
	return out
}

// undecided is what there is to say where nothing was decided.
const undecided = "nothing is decided"

// reported is what a PROMISE names, in words.
func reported(p synod.Promise) string {
	var names []string
	for _, v := range p.Votes {
		names = append(names, fmt.Sprintf("%s in slot %d under %d", named(v.Digest), v.Slot, v.Ballot))
	}
	text := "it accepted " + strings.Join(names, ", ")
	if len(names) == 0 {
		text = "it accepted nothing"
	}
	if p.Base > 0 {
		text += fmt.Sprintf(" above %d", p.Base)
	}
	return text
}
