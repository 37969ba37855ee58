package sim

import (
	"fmt"

	"quorate/app"
	"quorate/consensus"
	"quorate/crypto"
)

// Violation is something that must never happen and did.
type Violation struct {
	At   consensus.Time // since the start of the run
	Text string
}

// String is the violation with its time, in seconds.
func (v Violation) String() string {
	return fmt.Sprintf("at %d.%06d: %s", v.At/Second, v.At%Second/1000, v.Text)
}

// checks are the judges. They hear of everything and touch nothing.
type checks struct {
	world      *World
	violations []Violation
	agreement  agreement
	once       once
	validity   validity
	answered   durability
	promises   promises
	bounds     bounds
}

// maxViolations bounds what is kept: the first one is what matters.
const maxViolations = 8

func newChecks(w *World) *checks {
	return &checks{
		world: w, agreement: newAgreement(), once: newOnce(), validity: newValidity(),
		answered: newDurability(), promises: newPromises(), bounds: newBounds(&w.cfg),
	}
}

// violate reports a violation.
func (w *World) violate(format string, args ...any) {
	v := Violation{At: w.clock.now - dawn, Text: fmt.Sprintf(format, args...)}
	w.trace.line(w.clock.now, "VIOLATION %s", v.Text)
	if len(w.checks.violations) < maxViolations {
		w.checks.violations = append(w.checks.violations, v)
	}
}

// report turns a checker's complaint, if any, into a violation.
func (c *checks) report(complaint string) {
	if complaint != "" {
		c.world.violate("%s", complaint)
	}
}

// sent hears of every frame that leaves a replica.
func (c *checks) sent(r *replica, frame []byte) {
	if c.world.words.Promise != nil {
		if p, ok := c.world.words.Promise(frame); ok {
			c.report(c.promises.made(r, p, frame, c.world))
		}
	}
}

// queued hears of every job that an engine puts out.
func (c *checks) queued(r *replica, j consensus.Job) {
	switch j := j.(type) {
	case consensus.Commit:
		c.report(c.agreement.batch(r, j.Seq, j.Digest))
		if got := j.Batch.Digest(); got != j.Digest {
			c.world.violate("%v commits at %d a batch with digest %s as %s", r, j.Seq, got.Short(), j.Digest.Short())
		}
		c.report(c.validity.batch(r, j.Batch))
		c.world.stats.Height = max(c.world.stats.Height, j.Seq)
	case consensus.Stabilize:
		c.report(c.agreement.root(r, j.Seq, j.Root))
	case consensus.RestoreBegin:
		c.report(c.agreement.root(r, j.Seq, j.Root))
	}
}

// executed hears of every single execution of an operation.
func (c *checks) executed(r *replica, ctx app.Context, op []byte) {
	c.report(c.validity.operation(r, ctx, op))
	c.report(c.once.executed(r, ctx, op))
}

// root hears of the state root of a replica at a height.
func (c *checks) root(r *replica, n consensus.Seq, root crypto.Digest) {
	c.report(c.agreement.root(r, n, root))
}

// replied hears of every reply, believed or not.
func (c *checks) replied(from consensus.ReplicaID, r *consensus.Reply) {
	c.report(c.agreement.reply(from, r))
}

// believed hears that a caller has its result.
func (c *checks) believed(cl *client, o call, n consensus.Seq) {
	c.world.stats.Results++
	c.world.trace.line(c.world.clock.now, "%s believes the result of %v, executed at %d", c.world.name(cl.end), o.token, n)
	c.report(c.answered.believe(o, n))
}

// noted hears of the facts that engines report.
func (c *checks) noted(r *replica, n *consensus.Note) {
	switch n.Kind {
	case consensus.EvidenceNote:
		c.world.violate("%v has evidence against the honest R%d: %s", r, n.Replica, n)
	case consensus.BadPart:
		c.world.violate("%v got a bad part from the honest R%d: %s", r, n.Replica, n)
	case consensus.Diverged:
		c.world.violate("%v diverged: %s", r, n)
	case consensus.Rejoined:
		r.health.wiped, r.health.born = false, true
	}
	c.world.history.mix(uint64(len(n.Kind))<<32 | uint64(n.Seq)<<8 | uint64(r.id))
}

// stepped judges a replica after each of its steps.
func (c *checks) stepped(r *replica) {
	c.report(c.bounds.stepped(r))
	c.world.stats.Records = max(c.world.stats.Records, c.bounds.records)
}

// final judges the end of a run.
func (c *checks) final(core []*replica) {
	if len(c.violations) > 0 {
		return
	}
	for _, r := range core {
		c.report(c.answered.present(r, r.hands.machine.Applied()))
		n, root, err := r.hands.root()
		if err != nil {
			c.world.violate("%v has no root: %v", r, err)
			continue
		}
		c.report(c.agreement.root(r, n, root))
	}
	c.report(c.answered.kept(&c.agreement))
}
