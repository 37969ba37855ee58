package byzantine

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
)

// selector stands before an Interceptor and hands it only what its Spec selects.
type selector struct {
	inner   Interceptor
	spec    Spec
	kinds   kinds
	dice    *rand.Rand
	victims []consensus.ReplicaID
	since   consensus.Time // when it was put on
	active  bool           // in this step: between after and until
	changed bool           // in this step: what comes in
}

func newSelector(e *Env, inner Interceptor, s Spec, purpose string) *selector {
	f := &selector{inner: inner, spec: s, kinds: kindsOf(&e.Genesis), dice: e.Rand("chance " + purpose)}
	for id := range e.Genesis.Replicas {
		if r := consensus.ReplicaID(id); r != e.Self && (s.To == nil || slices.Contains(s.To, r)) {
			f.victims = append(f.victims, r)
		}
	}
	return f
}

// incoming lets the interceptor change the selected events. The host's own come
// first and the ticks last, as always; a burst never grows beyond its bound.
func (f *selector) incoming(b *consensus.Burst) {
	f.active = f.spec.Active(b.Now - f.since)
	var rest, ticks []consensus.Event
	chosen := consensus.Burst{Now: b.Now}
	for _, e := range b.Events {
		switch _, tick := e.(consensus.Tick); {
		case tick:
			ticks = append(ticks, e)
		case f.active && f.picksEvent(e) && f.spec.Happens(f.dice):
			chosen.Events = append(chosen.Events, e)
		default:
			rest = append(rest, e)
		}
	}
	before, n := len(chosen.Events), len(ticks)
	f.inner.Incoming(&chosen, n)
	if t, ok := f.inner.(Ticker); ok && f.active {
		ticks = slices.Repeat([]consensus.Event{consensus.Tick{}}, t.Ticks(n))
	}
	f.changed = before != len(chosen.Events) || f.active && b.Now != chosen.Now || n != len(ticks)
	if f.active {
		b.Now = chosen.Now
	}
	room := max(0, consensus.MaxBurst-len(rest)-len(ticks))
	chosen.Events = chosen.Events[:min(room, len(chosen.Events))]
	b.Events = slices.Concat(rest, chosen.Events, ticks)
}

// outgoing lets the interceptor change the selected messages.
func (f *selector) outgoing(b *consensus.Burst, o *Outbox) {
	var chosen, rest []Outbound
	for i := range o.Messages {
		if m := o.Messages[i]; f.active && f.picksMessage(&m) && f.spec.Happens(f.dice) {
			chosen = append(chosen, m)
		} else {
			rest = append(rest, m)
		}
	}
	before := slices.Clone(chosen)
	own := Outbox{Messages: chosen, Rest: rest, Out: o.Out, Heard: o.Heard, Victims: f.victims, Act: f.active && f.spec.Happens(f.dice)}
	f.inner.Outgoing(b, &own)
	o.Messages = append(slices.Clip(own.Rest), own.Messages...)
	f.report(o.Out, before, own.Messages)
}

// report notes what was done in this step: a run in which nobody lied proves
// nothing.
func (f *selector) report(out *consensus.Output, before, after []Outbound) {
	if _, itself := f.inner.(Reporter); itself || !f.changed && slices.EqualFunc(before, after, sameMessage) {
		return
	}
	out.Notes = append(out.Notes, consensus.Note{Kind: Lied, Reason: consensus.Reason(f.spec.Profile.Name), Text: "messages or events changed"})
}

// sameMessage compares without reading: bytes are changed in a copy.
func sameMessage(a, b Outbound) bool {
	return a.To == b.To && len(a.Bytes) == len(b.Bytes) && (len(a.Bytes) == 0 || &a.Bytes[0] == &b.Bytes[0])
}

// picksEvent reports whether an event comes from a victim and is of a kind.
// The host's own events are never selected: without them the engine inside
// would be broken, not Byzantine.
func (f *selector) picksEvent(e consensus.Event) bool {
	switch e := e.(type) {
	case consensus.Submit:
		return f.picks(e.Via, func() string { return f.kinds.event(e) })
	case consensus.Receive:
		return f.picks(e.From, func() string { return f.kinds.event(e) })
	}
	return false
}

func (f *selector) picksMessage(m *Outbound) bool {
	return f.picks(m.To, func() string { return f.kinds.codec.Kind(m.Bytes) })
}

// picks asks for the kind only if it matters: naming it may cost a decoding.
func (f *selector) picks(peer consensus.Peer, kind func() string) bool {
	if f.spec.Kinds != nil && !named(f.spec.Kinds, kind()) {
		return false
	}
	return f.spec.To == nil || peer.Kind == consensus.PeerReplica && slices.Contains(f.spec.To, peer.Replica)
}
