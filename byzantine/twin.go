package byzantine

import (
	"bytes"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// doubles are two under one identity.
func doubles() []Profile {
	return []Profile{
		{
			Name: "twin", Aliases: []string{"twins"}, Group: "V-DOUBLE", AtF: SafeLive, AtF1: MayFork, AtCrash: MayFork,
			Sentence: "runs two honest engines under one identity, each connected to some of the others (to= names the second's)",
			wrap:     newTwin,
		},
	}
}

// side is one of the two engines of a twin.
type side byte

// The sides. What an honest peer sends is for the engine that the peer hears; a
// twin of the same coalition says for which of ours its frames are.
const (
	anySide side = iota
	first
	second
)

// sided is a message for one of the two.
type sided struct {
	message any
	side    side
}

// mark is what twins of one coalition put before the frames between them, and what
// the second engine's records begin with. No protocol's frame or record does.
const mark byte = 0xfe

// marked returns a frame for a twin of the same coalition.
func marked(s side, frame []byte) []byte { return append([]byte{mark, byte(s)}, frame...) }

// unmark takes the marks off what members of the coalition send.
func unmark(e *Env, in []consensus.Frame) ([]consensus.Frame, []side) {
	plain, sides := in, make([]side, len(in))
	for i, f := range in {
		if len(f.Bytes) < 2 || f.Bytes[0] != mark || f.Bytes[1] > byte(second) || !e.colludes(f.From) {
			continue
		}
		if &plain[0] == &in[0] {
			plain = slices.Clone(in)
		}
		plain[i].Bytes, sides[i] = f.Bytes[2:], side(f.Bytes[1])
	}
	return plain, sides
}

// colludes reports whether p is another member of the coalition.
func (e *Env) colludes(p consensus.Peer) bool {
	return p.Kind == consensus.PeerReplica && p.Replica != e.Self &&
		slices.ContainsFunc(e.Coalition, func(m Member) bool { return m.Replica == p.Replica })
}

// untwinned drops what a second engine left in the log: a replica that is
// healed, or has other behaviours now, goes on as the first.
type untwinned struct{ consensus.Protocol }

// New implements consensus.Protocol.
func (u untwinned) New(rec consensus.Recovered) (consensus.Engine, error) {
	rec.Records, _ = split(rec.Records)
	return u.Protocol.New(rec)
}

// split tells the records of the two engines apart.
func split(records []consensus.Record) (one, two []consensus.Record) {
	tag := []byte{mark, byte(second)}
	for _, r := range records {
		if rest, ours := bytes.CutPrefix(r.Bytes, tag); ours {
			two = append(two, consensus.Record{Slot: r.Slot, Lazy: r.Lazy, Bytes: rest})
		} else {
			one = append(one, r)
		}
	}
	return one, two
}

// twins are two honest engines under one identity. The first has the replica's
// state; the second is told that whatever it wants executed was, once the first
// has executed that much, with the first one's roots. Once the two have ordered
// different batches for one slot, the second is told of no roots: it has no
// state of its own, and the first one's would repair those whom it misled.
type twins struct {
	env      *Env
	one, two consensus.Engine
	broken   bool                           // the second has halted: the first goes on alone
	seconds  func(consensus.ReplicaID) bool // who hears the second, and is heard by it
	applied  consensus.Seq                  // of the first
	kept     consensus.Seq                  // ... on disk
	roots    []consensus.Rooted             // of the first, oldest first
	executed consensus.Seq                  // what the second was told last of slots
	rooted   consensus.Seq                  // ... and of roots
	done     []slot                         // what the first has ordered, oldest first
	wants    []slot                         // what the second has handed to execution, in order
	diverged bool                           // the two differ about a slot
	stable   []consensus.Seq                // states that it wants kept
	restore  consensus.RestoreBegin         // the state that it is fetching
	answers  []consensus.Event              // for the second, in the next step
}

// slot is what one of the two has ordered.
type slot struct {
	seq    consensus.Seq
	digest crypto.Digest
}

// maxTwin bounds what a twin remembers for its second engine, each in pieces.
const maxTwin = 1 << 10

var _ consensus.Engine = (*twins)(nil)

// newTwin makes the behaviour for a traitor that is a twin from its start on.
func newTwin(e *Env, s Spec) (behaviour, error) {
	return func(p consensus.Protocol) consensus.Protocol { return twinning{p, e, hearers(e, &s)} }, nil
}

// hearers says who hears the second engine.
func hearers(e *Env, s *Spec) func(consensus.ReplicaID) bool {
	ids := s.To
	if ids == nil {
		ids = upperHalf(e)
	}
	return func(id consensus.ReplicaID) bool { return slices.Contains(ids, id) }
}

// pair gives an engine its twin, or takes it away, in the middle of a life. A
// second one that is born so late knows nothing, and catches up as anybody does.
func (e *engine) pair(now consensus.Time) {
	t := e.traitor
	at := -1
	if e.plan != nil {
		at = slices.IndexFunc(e.plan.specs, func(s Spec) bool { return s.Profile.Name == "twin" })
	}
	both, paired := e.Engine.(*twins)
	switch {
	case at < 0 && paired:
		e.Engine = both.one
	case at >= 0 && paired:
		both.seconds = hearers(&t.env, &e.plan.specs[at])
	case at >= 0:
		two, err := t.inner.New(consensus.Recovered{Now: now})
		if err != nil {
			return // this protocol cannot begin anew; there is no twin
		}
		s := e.Engine.Status()
		e.tampered = true
		e.Engine = &twins{env: &t.env, one: e.Engine, two: two, seconds: hearers(&t.env, &e.plan.specs[at]), applied: s.Applied, kept: s.Kept}
	}
}

// upperHalf is the half of those outside the coalition that the second
// engine speaks to: the same for every member.
func upperHalf(e *Env) []consensus.ReplicaID {
	others := e.nonMembers()
	return others[(len(others)+1)/2:]
}

// nonMembers lists those whose keys are not at hand, ascending.
func (e *Env) nonMembers() []consensus.ReplicaID {
	var ids []consensus.ReplicaID
	for i := range e.Genesis.Replicas {
		id := consensus.ReplicaID(i)
		if id != e.Self && !e.colludes(consensus.ReplicaPeer(id)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// twinning is a protocol whose engines are twins.
type twinning struct {
	consensus.Protocol
	env     *Env
	seconds func(consensus.ReplicaID) bool
}

// New implements consensus.Protocol.
func (t twinning) New(rec consensus.Recovered) (consensus.Engine, error) {
	one, err := t.Protocol.New(rec)
	if err != nil {
		return nil, err
	}
	_, rec.Records = split(rec.Records)
	two, err := t.Protocol.New(rec)
	if err != nil {
		// Its log does not fit the first one's state any more: it begins anew.
		rec.Records = nil
		if two, err = t.Protocol.New(rec); err != nil {
			return nil, err
		}
	}
	return &twins{env: t.env, one: one, two: two, seconds: t.seconds, applied: rec.Height, kept: rec.Height}, nil
}

// Status and Horizon are the first one's: the host serves its state.
func (t *twins) Status() consensus.Status { return t.one.Status() }

// Horizon filters nothing: the two have not settled the same.
func (t *twins) Horizon() consensus.Horizon { return nil }

// Step lets both engines step.
func (t *twins) Step(b consensus.Burst) consensus.Output {
	one, two := consensus.Burst{Now: b.Now, Lies: b.Lies}, consensus.Burst{Now: b.Now + 1, Events: t.answers, Lies: b.Lies}
	t.answers = nil
	for _, e := range b.Events {
		t.route(e, &one, &two)
	}
	out := t.one.Step(one)
	t.address(&out, first)
	for _, j := range out.Jobs {
		if c, commits := j.(consensus.Commit); commits {
			t.done = bounded(append(t.done, slot{c.Seq, c.Digest}))
		}
	}
	if t.broken {
		return out
	}
	two.Events = append(two.Events, t.due()...)
	other := t.stepSecond(two)
	t.address(&other, second)
	t.take(&other)
	for _, r := range other.Records {
		r.Bytes = marked(second, r.Bytes)
		out.Records = append(out.Records, r)
	}
	out.Early = append(out.Early, other.Early...)
	out.Sends = append(out.Sends, other.Sends...)
	return out
}

// stepSecond lets the second engine step. It is told things that no host would
// tell, and its log is cut with the first one's: if it breaks, or halts, the
// first goes on alone.
func (t *twins) stepSecond(b consensus.Burst) (out consensus.Output) {
	defer func() {
		if recover() != nil {
			t.broken, out = true, consensus.Output{}
		}
	}()
	out = t.two.Step(b)
	t.broken = out.Halt != ""
	return out
}

// route decides which engine an event is for.
func (t *twins) route(e consensus.Event, one, two *consensus.Burst) {
	toOne, toTwo := true, false
	switch ev := e.(type) {
	case consensus.Tick, consensus.Arriving, consensus.Settled, consensus.Unsettled:
		toTwo = true
	case consensus.Submit:
		// Clients are heard by both: that is how the two come to propose
		// different batches for one slot.
		toOne, toTwo = t.sides(ev.Via, anySide)
	case consensus.Receive:
		if s, marked := ev.Message.(sided); marked {
			ev.Message = s.message
			toOne, toTwo = t.sides(ev.From, s.side)
		} else {
			toOne, toTwo = t.sides(ev.From, anySide)
		}
		e = ev
	case consensus.Executed:
		t.applied = max(t.applied, ev.Seq)
	case consensus.Rooted:
		t.roots = bounded(append(t.roots, ev))
	case consensus.Kept:
		t.kept = max(t.kept, ev.Seq)
	case consensus.Restored:
		if ev.OK {
			t.applied, t.kept = ev.Seq, ev.Seq
			t.roots = bounded(append(t.roots, consensus.Rooted{Seq: ev.Seq, Root: ev.Root}))
		}
	}
	if toOne {
		one.Events = append(one.Events, e)
	}
	if toTwo {
		two.Events = append(two.Events, e)
	}
}

// sides says who hears what comes from p.
func (t *twins) sides(p consensus.Peer, s side) (one, two bool) {
	switch {
	case p.Kind != consensus.PeerReplica:
		return true, true
	case s != anySide:
		return s == first, s == second
	case t.env.colludes(p):
		return true, true
	}
	two = t.seconds(p.Replica)
	return !two, two
}

// address leaves only the sends to those who hear side s, and marks those to
// the coalition.
func (t *twins) address(out *consensus.Output, s side) {
	m := unpack(t.env, out)
	m.Messages = slices.DeleteFunc(m.Messages, func(l Outbound) bool {
		if l.To.Kind != consensus.PeerReplica {
			return s == second // the topic and clients hear the first
		}
		return !t.env.colludes(l.To) && t.seconds(l.To.Replica) != (s == second)
	})
	for i := range m.Messages {
		if l := &m.Messages[i]; t.env.colludes(l.To) {
			l.Bytes = marked(s, l.Bytes)
		}
	}
	m.pack()
}

// take notes what the second engine wants of its host.
func (t *twins) take(out *consensus.Output) {
	for _, j := range out.Jobs {
		switch j := j.(type) {
		case consensus.Commit:
			t.wants = bounded(append(t.wants, slot{j.Seq, j.Digest}))
		case consensus.Stabilize:
			t.stable = bounded(append(t.stable, j.Seq))
		case consensus.RestoreBegin:
			// It is told at once that nothing is missing: it has no state of
			// its own to fill.
			t.restore, t.wants, t.stable, t.diverged = j, nil, nil, false
			t.executed, t.rooted = 0, j.Seq
			t.answers = append(t.answers, consensus.Staged{})
		case consensus.RestoreAbort:
			t.executed, t.rooted = 0, 0
		case consensus.RestoreEnd:
			t.answers = append(t.answers, consensus.Restored{Seq: t.restore.Seq, Root: t.restore.Root, OK: true})
		}
	}
}

// due is what the second engine may be told now.
func (t *twins) due() []consensus.Event {
	var events []consensus.Event
	for len(t.wants) > 0 && t.wants[0].seq <= t.applied {
		w := t.wants[0]
		t.diverged = t.diverged || slices.ContainsFunc(t.done, func(d slot) bool { return d.seq == w.seq && d.digest != w.digest })
		events = append(events, consensus.Executed{Seq: w.seq})
		t.executed, t.wants = w.seq, t.wants[1:]
	}
	events = append(events, t.rootsDue()...)
	for len(t.stable) > 0 && t.stable[0] <= t.kept {
		events = append(events, consensus.Kept{Seq: t.stable[0]})
		t.stable = t.stable[1:]
	}
	return events
}

// rootsDue are the first one's roots that the second has come to; none after the
// two have parted.
func (t *twins) rootsDue() (events []consensus.Event) {
	if t.diverged {
		return nil
	}
	for _, x := range t.roots {
		if x.Seq > t.rooted && x.Seq <= t.executed {
			t.rooted = x.Seq
			events = append(events, x)
		}
	}
	return events
}

// bounded drops the oldest beyond maxTwin.
func bounded[T any](list []T) []T {
	if len(list) > maxTwin {
		return slices.Clone(list[len(list)-maxTwin:])
	}
	return list
}
