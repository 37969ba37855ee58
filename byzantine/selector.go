package byzantine

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
)

// filter stands before a mask and hands it only what its Spec selects.
type selector struct {
	inner   Interceptor
	spec    Spec
	kinds   namer
	dice    *rand.Rand
	victims []consensus.ReplicaID
	since   consensus.Time // when it was put on
	open    bool           // in this step: between after and until
	changed bool           // in this step: what the engine hears was changed
}

func newSelector(e *Env, m Interceptor, s Spec, purpose string) *selector {
	f := &selector{inner: m, spec: s, kinds: namers[e.Genesis.Protocol], dice: e.Rand("chance " + purpose)}
	for id := range e.Genesis.Replicas {
		if r := consensus.ReplicaID(id); r != e.Self && (s.To == nil || slices.Contains(s.To, r)) {
			f.victims = append(f.victims, r)
		}
	}
	return f
}

// hear lets the mask change the selected events. The host's own come first and
// the ticks last, as always; a burst never grows beyond its bound.
func (f *selector) Incoming(b *consensus.Burst) {
	f.open = f.spec.Active(b.Now - f.since)
	var rest, ticks []consensus.Event
	chosen := consensus.Burst{Now: b.Now}
	for _, e := range b.Events {
		switch _, tick := e.(consensus.Tick); {
		case tick:
			ticks = append(ticks, e)
		case f.open && f.picksEvent(e) && f.happens():
			chosen.Events = append(chosen.Events, e)
		default:
			rest = append(rest, e)
		}
	}
	before, beats := slices.Clone(chosen.Events), len(ticks)
	f.inner.Incoming(&chosen, len(ticks))
	if t, hasty := f.inner.(Ticker); hasty && f.open {
		ticks = slices.Repeat([]consensus.Event{consensus.Tick{}}, t.Ticks(len(ticks)))
	}
	f.changed = len(before) != len(chosen.Events) || f.open && b.Now != chosen.Now || beats != len(ticks)
	if f.open {
		b.Now = chosen.Now
	}
	room := max(0, consensus.MaxBurst-len(rest)-len(ticks))
	chosen.Events = chosen.Events[:min(room, len(chosen.Events))]
	b.Events = slices.Concat(rest, chosen.Events, ticks)
}

// speak lets the mask change the selected letters.
func (f *selector) Outgoing(b *consensus.Burst, m *Outbox) {
	var chosen, rest []Outbound
	for i := range m.Messages {
		if l := m.Messages[i]; f.open && f.picksMessage(&l) && f.happens() {
			chosen = append(chosen, l)
		} else {
			rest = append(rest, l)
		}
	}
	before := slices.Clone(chosen)
	own := Outbox{Messages: chosen, Rest: rest, Out: m.Out, Heard: m.Heard, Victims: f.victims, Act: f.open && f.happens()}
	f.inner.Outgoing(b, &own)
	m.Messages = append(slices.Clip(own.Rest), own.Messages...)
	f.report(m.Out, before, own.Messages)
}

// own up to what was done in this step, by a note as liars make it for
// themselves: a run in which nobody lied proves nothing.
func (f *selector) report(out *consensus.Output, before, after []Outbound) {
	if _, itself := f.inner.(Reporter); itself || !f.changed && slices.EqualFunc(before, after, sameMessage) {
		return
	}
	out.Notes = append(out.Notes, consensus.Note{Kind: Lied, Reason: consensus.Reason(f.spec.Name), Text: "letters or events changed"})
}

// sameLetter compares without reading: a mask that changes bytes changes a copy.
func sameMessage(a, b Outbound) bool {
	return a.To == b.To && len(a.Bytes) == len(b.Bytes) && (len(a.Bytes) == 0 || &a.Bytes[0] == &b.Bytes[0])
}

// open reports whether a behaviour is on, so long after it was put on.
func (s *Spec) Active(age consensus.Time) bool {
	return age >= s.After && (s.Until == 0 || age < s.Until)
}

// strikes rolls the dice.
func (f *selector) happens() bool { return f.spec.Chance == 0 || f.dice.IntN(million) < f.spec.Chance }

// picksEvent reports whether an event comes from a victim and is of a kind.
// The host's own events are never for masks: without them the engine inside
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

func (f *selector) picksMessage(l *Outbound) bool {
	return f.picks(l.To, func() string { return f.kinds.frame(l.Bytes) })
}

// picks asks for the kind only if it matters: to name it may cost a decoding.
func (f *selector) picks(end consensus.Peer, kind func() string) bool {
	if f.spec.Kinds != nil && !named(f.spec.Kinds, kind()) {
		return false
	}
	return f.spec.To == nil || end.Kind == consensus.PeerReplica && slices.Contains(f.spec.To, end.Replica)
}
