package sim

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// Violation is something that must never happen and did.
type Violation = check.Violation

// checks tell the judge what happens. They see everything and change nothing.
type checks struct {
	world  *World
	judge  *check.Judge
	bounds bounds
	all    []Violation // so far
	ended  bool        // one of them ends the run

	highest consensus.Seq // of all results that a client has believed
}

// linearBudget bounds the search for an order of one key's calls, in steps. A
// run in which many callers lost their processes may be undecided: it counts
// as unknown.
const linearBudget = 20_000

func newChecks(w *World) *checks {
	c := &checks{world: w, bounds: newBounds(&w.cfg)}
	liars := w.cfg.liars()
	config := check.Config{
		Genesis: w.genesis, Verifier: w.keys.verifier, Report: c.heard,
		Honest:  func(id consensus.ReplicaID) bool { return int(id) < w.cfg.Replicas && !slices.Contains(liars, id) },
		Clients: func(k crypto.PublicKey) bool { return w.byKey[k] != nil },
	}
	config.Model, config.Budget = ledgerModel(), linearBudget
	if config.Application = w.cfg.Application; config.Application == nil {
		config.Application = ledger{}
	}
	config.Investigate = w.cfg.Seed%8 == 0
	c.judge = check.New(config)
	c.judge.Finds()
	return c
}

// heard takes each violation as it is found.
func (c *checks) heard(v Violation) {
	c.world.trace.line(c.world.clock.now, "VIOLATION %s: %s", v.Kind, v.Text)
	c.all = append(c.all, v)
	c.ended = true
}

// at is the time of a fact.
func (w *World) at() consensus.Time { return w.clock.now - startTime }

// violate reports what only the simulator can see: a host's call that fails, a
// panic, a protocol that breaks the contract.
func (w *World) violate(format string, args ...any) {
	w.checks.judge.Broken(w.at(), fmt.Sprintf(format, args...))
}

// cheated says that a client got what no honest cluster gives.
func (w *World) cheated(text string) {
	w.stats.Failed++
	if w.theory.deceive {
		w.trace.line(w.clock.now, "%s", text)
		return
	}
	w.violate("%s", text)
}

// sent hears of every frame that leaves a replica.
func (c *checks) sent(r *replica, frame []byte) { c.judge.Sent(c.world.at(), r.id, frame) }

// queued hears of every job that an engine puts out.
func (c *checks) queued(r *replica, j consensus.Job) {
	c.judge.Queued(c.world.at(), r.id, j)
	if commit, ok := j.(consensus.Commit); ok && r.honest() {
		c.world.stats.Height = max(c.world.stats.Height, commit.Seq)
		r.views.executed(commit.Seq)
		c.world.during(phaseNormal)
	}
}

// executed hears of every single execution of an operation.
func (c *checks) executed(r *replica, ctx app.Context, op []byte) {
	c.judge.Executed(c.world.at(), r.id, ctx, op)
}

// root hears of the state root of a replica at a height.
func (c *checks) root(r *replica, n consensus.Seq, root crypto.Digest) {
	c.judge.Root(c.world.at(), r.id, n, root)
}

// believed hears that a caller has its result.
func (c *checks) believed(cl *client, o call, d *session.Done) {
	n, result := d.Seq, d.Result
	w := c.world
	w.stats.Results++
	c.highest = max(c.highest, n)
	w.trace.line(w.clock.now, "%s believes the result of %v, executed at %d", w.name(cl.end), o.token, n)
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepBelieve, From: w.name(cl.end), To: w.name(cl.end), Text: "believes the result of " + o.token.String(), Seq: n})
	}
	if w.over {
		return
	}
	id := check.CallID{Client: cl.index, Number: uint64(o.ticket)}
	if d.Unordered {
		w.stats.Read++
		c.judge.ReturnedUnordered(w.at(), id, n, result)
		return
	}
	c.judge.Returned(w.at(), id, n, result)
}

// noted hears of the facts that engines report.
func (c *checks) noted(r *replica, n *consensus.Note) {
	c.judge.Noted(c.world.at(), r.id, n)
	if n.Kind == consensus.Rejoined {
		r.health.wiped, r.health.born = false, true
	}
	if n.Kind == consensus.SetBack {
		c.world.stats.SetBacks++
		if cfg := &c.world.cfg; r.honest() && (c.world.protocol.Model == quorum.Byzantine || len(cfg.liars()) == 0 && !cfg.forgets()) {
			c.world.violate("%v takes itself for set back, and is not: %s", r, n)
		}
	}
	r.views.follow(n)
	if r.honest() {
		c.suspected(r, n)
		r.views.noted(&c.world.stats, n)
		c.world.during(phaseOf(n.Kind))
		if n.Kind == consensus.EnteredView {
			c.world.isolation.entered(n.View)
		}
	}
	c.world.history.mix(uint64(len(n.Kind))<<32 | uint64(n.Seq)<<8 | uint64(r.id))
}

// suspected hears what shows that somebody lied, which somebody must have done,
// or forgotten: in crash mode a lost disk is a lie.
func (c *checks) suspected(r *replica, n *consensus.Note) {
	cfg := &c.world.cfg
	if lie := c.world.protocol.Lie; lie != "" && n.Reason == lie && len(cfg.liars()) == 0 && !cfg.forgets() {
		c.world.violate("%v met with a lie, and nobody lies: %s", r, n)
	}
}

// statusEvery is how many steps lie between two looks at what a replica says of
// itself.
const statusEvery = 64

// stepped judges a replica after each of its steps.
func (c *checks) stepped(r *replica) {
	if !r.honest() || !r.up() {
		return
	}
	if text := c.bounds.stepped(r); text != "" {
		c.judge.Growth(c.world.at(), text)
	}
	if c.world.stats.Steps%statusEvery == 0 {
		for _, l := range r.driver.Status().Waiting {
			if l.Need > 0 && len(l.Have) >= l.Need {
				c.world.violate("%v says that it waits for %s, of which it has %d of %d", r, l.What, len(l.Have), l.Need)
			}
		}
	}
	c.world.stats.Records = max(c.world.stats.Records, c.bounds.records)
}

// final judges the end of a run.
func (c *checks) final(core []*replica) {
	if c.ended {
		return
	}
	for _, r := range core {
		if !r.up() {
			continue
		}
		c.judge.Present(c.world.at(), r.id, r.executor.machine.Applied())
		n, root, err := r.executor.root()
		if err != nil {
			c.world.violate("%v has no root: %v", r, err)
			continue
		}
		c.judge.Root(c.world.at(), r.id, n, root)
	}
}
