package decree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/paxos/synod"
)

// errUnivalent is that the adversary found no way to keep a run undecided.
var errUnivalent = errors.New("the adversary found no way to keep both outcomes possible")

// Thens lists what may end the adversary's run: messages in a random order, random
// waits of the proposers under an order as it was, one proposer that goes on alone.
func Thens() []string { return []string{random, backoff, leader} }

// random is that messages arrive in a random order.
const random = "random"

// FLPOptions are those of a run that an adversary keeps undecided.
type FLPOptions struct {
	Steps int    // rounds of the adversary: in each the oldest message arrives
	Then  string // what decides it; one of Thens
	Seed  uint64 // of Then
	Done  func(rounds int)
}

// FLP is such a run. All numbers of messages are deliveries.
type FLP struct {
	Steps     int            `json:"steps"`
	Then      string         `json:"then"`
	Seed      uint64         `json:"seed"`
	Delivered int            `json:"delivered"`       // until the adversary let go
	Kinds     map[string]int `json:"delivered_kinds"` // of them, by message
	Waited    int            `json:"longest_wait"`    // deliveries of others that a message saw between sending and arrival
	Extra     []int          `json:"others_first"`    // by number: rounds in which so many arrived before the oldest one
	Ballots   []uint64       `json:"ballots"`         // of either proposer, at the end
	Pending   int            `json:"pending"`         // under way when the adversary let go
	Solo      [2]int         `json:"longest_solo"`    // deliveries that a solo run needed to decide
	After     int            `json:"deliveries_until_chosen"`
	Known     int            `json:"deliveries_until_known"`
	Chosen    string         `json:"chosen"`

	first []Step // the first deliveries, for a chart
}

// A round tries at most so many other deliveries before the oldest message.
const others = 6

// A solo run is given up after so many deliveries: it takes one attempt, or two if
// the first is preempted by what was said before.
const soloMost = 80

// RunFLP lets the adversary of Fischer, Lynch and Paterson (1985, Lemma 3) play: in
// each round the oldest message arrives, after at most six others, such that the
// configuration stays bivalent. Witnesses are two solo runs: of either proposer
// alone, which ends with its own value. The error wraps errUnivalent, or is the
// context's.
func RunFLP(ctx context.Context, o FLPOptions) (*FLP, error) {
	f := &FLP{Steps: o.Steps, Then: o.Then, Seed: o.Seed, Kinds: map[string]int{}, Extra: make([]int, others+1)}
	c := newConfiguration(duelists)
	for round := range o.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		path, next, ok := c.stay(f)
		if !ok {
			return nil, fmt.Errorf("%w in round %d", errUnivalent, round+1)
		}
		f.Extra[len(path)-1]++
		f.follow(c, path)
		if c = next; o.Done != nil {
			o.Done(round + 1)
		}
	}
	f.Pending = len(c.pending)
	for _, p := range c.proposers {
		f.Ballots = append(f.Ballots, uint64(max(p.ballot, p.seen)))
	}
	return f, f.decide(ctx, c, o)
}

// configuration is a whole system between two deliveries. It is copied to look
// ahead.
type configuration struct {
	shape     Shape
	proposers []proposer
	acceptors []acceptor
	learners  []learner
	ledger    ledger
	pending   []pending // under way, the oldest first
	delivered int
	silent    int                          // the proposer that does not prepare again; -1 is none
	waits     func(p int) (deliveries int) // before p prepares again; nil is not at all
	waiting   [2]int                       // deliveries left
}

type pending struct {
	message
	since int // deliveries before it
}

func newConfiguration(s Shape) *configuration {
	c := &configuration{shape: s, acceptors: make([]acceptor, s.Acceptors), learners: make([]learner, s.Learners), silent: -1}
	for id := range s.Proposers {
		c.proposers = append(c.proposers, proposer{id: id})
	}
	for id := range s.Proposers {
		c.send(c.proposers[id].prepare(s))
	}
	return c
}

func (c *configuration) send(all []message) {
	for _, m := range all {
		c.pending = append(c.pending, pending{m, c.delivered})
	}
}

// copy is the same configuration, on its own.
func (c *configuration) copy() *configuration {
	d := *c
	d.proposers, d.acceptors, d.learners = slices.Clone(c.proposers), slices.Clone(c.acceptors), slices.Clone(c.learners)
	d.pending = slices.Clone(c.pending)
	d.ledger = ledger{chosen: slices.Clone(c.ledger.chosen), votes: map[synod.Ballot]map[uint8]value{}}
	lowest := slices.MinFunc(c.acceptors, func(a, b acceptor) int { return cmp.Compare(a.promised, b.promised) }).promised
	for b, votes := range c.ledger.votes {
		if b >= lowest { // of those below nobody accepts any more
			d.ledger.votes[b] = maps.Clone(votes)
		}
	}
	return &d
}

// deliver lets a pending message arrive.
func (c *configuration) deliver(i int) {
	m := c.pending[i].message
	c.pending = slices.Delete(c.pending, i, i+1)
	c.delivered++
	switch to := int(m.To); {
	case to < c.shape.Proposers:
		out, preempted := c.proposers[to].hear(c.shape, m)
		c.send(out)
		if preempted && c.silent != to {
			c.again(to)
		}
	case to < c.shape.learner(0):
		answers := c.acceptors[to-c.shape.Proposers].hear(c.shape, m)
		for _, a := range answers {
			if a.Kind == accepted {
				c.ledger.hear(c.shape, a)
			}
		}
		c.send(answers)
	default:
		c.learners[to-c.shape.learner(0)].hear(c.shape, m)
	}
	for p := range c.waiting {
		if c.waiting[p] > 0 {
			if c.waiting[p]--; c.waiting[p] == 0 {
				c.send(c.proposers[p].prepare(c.shape))
			}
		}
	}
}

// again lets a preempted proposer prepare, at once or after its wait.
func (c *configuration) again(p int) {
	if c.waits != nil {
		c.waiting[p] = 1 + c.waits(p)
		return
	}
	c.send(c.proposers[p].prepare(c.shape))
}

// solo runs a copy in which only the messages from and to one proposer arrive, in
// their order, and those that tell of acceptance. It returns what is chosen then.
func (c *configuration) solo(id int) (v value, deliveries int) {
	d := c.copy()
	for deliveries = 0; deliveries < soloMost && len(d.ledger.chosen) == 0; deliveries++ {
		i := slices.IndexFunc(d.pending, func(m pending) bool { return int(m.From) == id || int(m.To) == id })
		if i < 0 {
			return 0, deliveries
		}
		d.deliver(i)
	}
	if len(d.ledger.chosen) > 0 {
		v = d.ledger.chosen[0].value
	}
	return v, deliveries
}

// bivalent reports whether either outcome is still possible: each proposer alone
// has its own value chosen.
func (c *configuration) bivalent(f *FLP) bool {
	if len(c.ledger.chosen) > 0 {
		return false
	}
	for id := range c.proposers {
		v, n := c.solo(id)
		if v != c.proposers[id].own() {
			return false
		}
		f.Solo[id] = max(f.Solo[id], n)
	}
	return true
}

// stay finds deliveries, the last of which is the oldest message, after which the
// configuration is bivalent: the fewest that there are.
func (c *configuration) stay(f *FLP) (path []int, next *configuration, ok bool) {
	for n := range others + 1 {
		if path, next, ok = c.stayIn(f, 0, n); ok {
			return path, next, true
		}
	}
	return nil, nil, false
}

// stayIn tries all ways to let n others arrive before the message at oldest.
func (c *configuration) stayIn(f *FLP, oldest, n int) ([]int, *configuration, bool) {
	if n == 0 {
		d := c.copy()
		d.deliver(oldest)
		return []int{oldest}, d, d.bivalent(f)
	}
	for i := range c.pending {
		if i == oldest {
			continue
		}
		d := c.copy()
		d.deliver(i)
		if len(d.ledger.chosen) > 0 {
			continue
		}
		at := oldest
		if i < oldest {
			at--
		}
		if path, next, ok := d.stayIn(f, at, n-1); ok {
			return append([]int{i}, path...), next, true
		}
	}
	return nil, nil, false
}

// charted is how many deliveries are kept for a chart.
const charted = 60

// follow counts the deliveries of a round.
func (f *FLP) follow(c *configuration, path []int) {
	d := c.copy()
	for _, i := range path {
		m := d.pending[i]
		f.Kinds[m.Kind.String()]++
		f.Waited = max(f.Waited, d.delivered-m.since)
		f.Delivered++
		if len(f.first) < charted {
			f.first = append(f.first, Step{
				Kind: "message", from: int(m.From), to: []int{int(m.To)}, From: d.shape.name(int(m.From)), To: []string{d.shape.name(int(m.To))}, Text: m.words(),
			})
		}
		d.deliver(i)
	}
}

// decide lets the run go on without the adversary.
func (f *FLP) decide(ctx context.Context, c *configuration, o FLPOptions) error {
	dice := rand.New(rand.NewPCG(o.Seed, 0))
	switch o.Then {
	case leader:
		c.silent = 1
	case backoff:
		c.waits = func(int) int { return dice.IntN(2 * soloMost) }
	}
	began := c.delivered
	for c.learners[0].knows == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(c.pending) == 0 {
			if c.waiting == [2]int{} {
				return errors.New("nothing is under way, and nothing decided")
			}
			c.wake()
			continue
		}
		i := 0
		if o.Then == random {
			i = dice.IntN(len(c.pending))
		}
		c.deliver(i)
		if f.Chosen == "" && len(c.ledger.chosen) > 0 {
			f.Chosen, f.After = c.ledger.chosen[0].value.String(), c.delivered-began
		}
	}
	f.Known = c.delivered - began
	return nil
}

// wake lets the proposer prepare that waits the shortest, for time passes also
// where nothing arrives.
func (c *configuration) wake() {
	least := 0
	if c.waiting[0] == 0 || c.waiting[1] > 0 && c.waiting[1] < c.waiting[0] {
		least = 1
	}
	c.waiting[least] = 0
	c.send(c.proposers[least].prepare(c.shape))
}
