package sim

import (
	"bytes"
	"fmt"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// look executes a READ, and sends what it has found.
func (x *executor) look(l *consensus.Lookup) {
	r := x.replica
	f, notes, err := x.machine.Look(l)
	if err != nil {
		r.falls("%v cannot look: %v", r, err)
		return
	}
	r.world.trace.event(r.world.clock.now, r, "reads %d operations at %d, index %d", len(f.Results), f.Height, f.Index)
	r.Note(notes)
	for _, f := range r.filterFindings([]consensus.Finding{f}) {
		if c := r.world.byKey[f.Client]; c != nil {
			r.post(packet{from: r.end, class: consensus.Bodies, bytes: f.Encode()}, c.end)
		}
	}
}

// drawReads draws how many callers read without an order between what they
// write, and now and then so little room for READs that it is met.
func (c *Config) drawReads(r *stream) {
	c.Workload.Reads = pick(r, 0, million/4, million/2, million*3/4)
	if c.Host.Bounds != (host.Bounds{}) && r.chance(million/6) {
		c.Host.Bounds.Lookups = pick(r, 1, 2, 8)
	}
}

// clientReads is what a client knows of its READs.
type clientReads struct {
	dice  *stream
	asked map[consensus.Sequence]*consensus.Query
}

func newClientReads(seed uint64, index int) clientReads {
	return clientReads{dice: newStream(seed, fmt.Sprintf("reads of client %d", index)), asked: map[consensus.Sequence]*consensus.Query{}}
}

// wantsToRead reports whether a caller reads before it goes on.
func (c *client) wantsToRead() bool { return c.reads.dice.chance(c.world.cfg.Workload.Reads) }

// read reads a value without an order.
func (c *client) read() {
	t := token{client: c.index, counter: uint64(c.ticket) + 1}
	c.readOf(t.append([]byte{opRead, byte(c.reads.dice.upTo(c.world.cfg.Workload.Keys - 1))}))
}

// readOf reads by an operation.
func (c *client) readOf(op []byte) {
	c.call(op, token{client: c.index, counter: uint64(c.ticket) + 1}, c.session.Read)
}

// sent remembers what was asked.
func (r *clientReads) sent(frame []byte) {
	if len(frame) > 0 && frame[0] == consensus.KindRead {
		if q, err := consensus.DecodeQuery(frame); err == nil && r.asked[q.Name] == nil {
			r.asked[q.Name] = q
		}
	}
}

// found tells the judge of an answer to a READ.
func (c *client) found(from consensus.ReplicaID, frame []byte) {
	w := c.world
	f, err := consensus.DecodeFinding(frame)
	if err != nil {
		if w.replicas[from].honest() {
			w.violate("R%d sent %s an answer to a READ that does not decode: %v", from, w.name(c.end), err)
		}
		return
	}
	if q := c.reads.asked[f.Name]; q != nil && w.replicas[from].traitor == nil {
		w.checks.judge.Found(c.signer.Public(), q.Operations, f)
	}
	if c.told != nil {
		c.told(from, f)
	}
}

// filterFindings passes answers to READs through a traitor's reply filter.
func (r *replica) filterFindings(findings []consensus.Finding) []consensus.Finding {
	if r.traitor == nil || r.traitor.plan == nil {
		return findings
	}
	said := r.traitor.replies.Findings(findings)
	if !slices.EqualFunc(findings, said, func(a, b consensus.Finding) bool { return bytes.Equal(a.Encode(), b.Encode()) }) {
		r.world.stats.Notes[byzantine.Lied]++
		r.world.stats.misread(findings[0], said)
	}
	return said
}

// refused hears of a refusal: one of a READ by a replica that knows itself without
// memory is worth a count.
func (c *client) refused(from consensus.ReplicaID, frame []byte) {
	r := c.world.replicas[from]
	if no, err := consensus.DecodeRefusal(frame); err == nil && c.reads.asked[no.Sequence] != nil && r.up() && r.driver.Status().Rejoining {
		c.world.stats.read(readSleeper, 1)
	}
}

// What READs should meet, as Stats.Reads counts it.
const (
	readAgain   = "asked again, with a floor"
	readOrdered = "ordered after all"
	readLate    = "ordered for want of answers in time"
	readSleeper = "refused by a replica without memory"
	readHigh    = "told an index too high"
	readLow     = "told an index too low"
	readWrong   = "told a wrong result"
	readSilence = "not answered by a liar"
)

// read counts.
func (s *Stats) read(what string, n uint64) { s.Reads[what] += int(n) }

// misread counts what a liar said in the place of what it had found.
func (s *Stats) misread(found consensus.Finding, said []consensus.Finding) {
	switch {
	case len(said) == 0:
		s.read(readSilence, 1)
	case said[0].Index > found.Index:
		s.read(readHigh, 1)
	case said[0].Index < found.Index:
		s.read(readLow, 1)
	default:
		s.read(readWrong, 1)
	}
}
