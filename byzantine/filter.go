package byzantine

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
)

// filter stands before a mask and hands it only what its Spec selects.
type filter struct {
	mask
	spec    Spec
	names   namer
	dice    *rand.Rand
	victims []consensus.ReplicaID
	since   consensus.Time // when it was put on
	open    bool           // in this step: between after and until
	acted   bool           // in this step: what the engine hears was changed
}

func newFilter(e *Env, m mask, s Spec, purpose string) *filter {
	f := &filter{mask: m, spec: s, names: namers[e.Genesis.Protocol], dice: e.dice("chance " + purpose)}
	for id := range e.Genesis.Replicas {
		if r := consensus.ReplicaID(id); r != e.Self && (s.To == nil || slices.Contains(s.To, r)) {
			f.victims = append(f.victims, r)
		}
	}
	return f
}

// hear lets the mask change the selected events. The host's own come first and
// the ticks last, as always; a burst never grows beyond its bound.
func (f *filter) hear(b *consensus.Burst) {
	f.open = f.spec.open(b.Now - f.since)
	var rest, ticks []consensus.Event
	chosen := consensus.Burst{Now: b.Now}
	for _, e := range b.Events {
		switch _, tick := e.(consensus.Tick); {
		case tick:
			ticks = append(ticks, e)
		case f.open && f.picksEvent(e) && f.strikes():
			chosen.Events = append(chosen.Events, e)
		default:
			rest = append(rest, e)
		}
	}
	before, beats := slices.Clone(chosen.Events), len(ticks)
	f.mask.hear(&chosen, len(ticks))
	if t, hasty := f.mask.(ticker); hasty && f.open {
		ticks = slices.Repeat([]consensus.Event{consensus.Tick{}}, t.beat(len(ticks)))
	}
	f.acted = len(before) != len(chosen.Events) || f.open && b.Now != chosen.Now || beats != len(ticks)
	if f.open {
		b.Now = chosen.Now
	}
	room := max(0, consensus.MaxBurst-len(rest)-len(ticks))
	chosen.Events = chosen.Events[:min(room, len(chosen.Events))]
	b.Events = slices.Concat(rest, chosen.Events, ticks)
}

// speak lets the mask change the selected letters.
func (f *filter) speak(b *consensus.Burst, m *Mail) {
	var chosen, rest []Letter
	for i := range m.Letters {
		if l := m.Letters[i]; f.open && f.picksLetter(&l) && f.strikes() {
			chosen = append(chosen, l)
		} else {
			rest = append(rest, l)
		}
	}
	before := slices.Clone(chosen)
	own := Mail{Letters: chosen, Rest: rest, Out: m.Out, Heard: m.Heard, Victims: f.victims, Act: f.open && f.strikes()}
	f.mask.speak(b, &own)
	m.Letters = append(slices.Clip(own.Rest), own.Letters...)
	f.own(m.Out, before, own.Letters)
}

// own up to what was done in this step, by a note as liars make it for
// themselves: a run in which nobody lied proves nothing.
func (f *filter) own(out *consensus.Output, before, after []Letter) {
	if _, itself := f.mask.(confessor); itself || !f.acted && slices.EqualFunc(before, after, sameLetter) {
		return
	}
	out.Notes = append(out.Notes, consensus.Note{Kind: Lied, Reason: consensus.Reason(f.spec.Name), Text: "letters or events changed"})
}

// sameLetter compares without reading: a mask that changes bytes changes a copy.
func sameLetter(a, b Letter) bool {
	return a.To == b.To && len(a.Bytes) == len(b.Bytes) && (len(a.Bytes) == 0 || &a.Bytes[0] == &b.Bytes[0])
}

// open reports whether a behaviour is on, so long after it was put on.
func (s *Spec) open(age consensus.Time) bool {
	return age >= s.After && (s.Until == 0 || age < s.Until)
}

// strikes rolls the dice.
func (f *filter) strikes() bool { return f.spec.Chance == 0 || f.dice.IntN(million) < f.spec.Chance }

// picksEvent reports whether an event comes from a victim and is of a kind.
// The host's own events are never for masks: without them the engine inside
// would be broken, not Byzantine.
func (f *filter) picksEvent(e consensus.Event) bool {
	switch e := e.(type) {
	case consensus.Submit:
		return f.picks(e.Via, func() string { return f.names.event(e) })
	case consensus.Receive:
		return f.picks(e.From, func() string { return f.names.event(e) })
	}
	return false
}

func (f *filter) picksLetter(l *Letter) bool {
	return f.picks(l.To, func() string { return f.names.frame(l.Bytes) })
}

// picks asks for the kind only if it matters: to name it may cost a decoding.
func (f *filter) picks(end consensus.Peer, kind func() string) bool {
	if f.spec.Kinds != nil && !named(f.spec.Kinds, kind()) {
		return false
	}
	return f.spec.To == nil || end.Kind == consensus.PeerReplica && slices.Contains(f.spec.To, end.Replica)
}
