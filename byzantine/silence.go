package byzantine

import (
	"math/rand/v2"
	"slices"

	"quorate.dev/quorate/consensus"
)

// silent says nothing any more, after so many letters.
type silent struct {
	listens
	left int
	all  bool // clients hear nothing either
}

func newSilent(_ *Env, s Spec) (mask, error) {
	n, err := s.number("", 0, 1<<30)
	return &silent{left: n, all: s.To == nil && s.Kinds == nil}, err
}

func (q *silent) speak(_ *consensus.Burst, m *Mail) {
	n := min(q.left, len(m.Letters))
	m.Letters = m.Letters[:n]
	q.left -= n
	if q.left == 0 && q.all && m.Act {
		m.Out.Refusals = nil
	}
}

func silentVoice(_ *Env, s Spec) (voice, error) {
	left, err := s.number("", 0, 1<<30)
	return func(rs []consensus.Reply) []consensus.Reply {
		n := min(left, len(rs))
		left -= n
		return rs[:n]
	}, err
}

// drop loses a share of the letters.
type drop struct {
	listens
	share int
	dice  *rand.Rand
}

func newDrop(e *Env, s Spec) (mask, error) {
	share, err := s.share("")
	return &drop{share: share, dice: e.dice("drop " + s.String())}, err
}

func (d *drop) speak(_ *consensus.Burst, m *Mail) {
	m.Letters = slices.DeleteFunc(m.Letters, func(Letter) bool { return d.dice.IntN(million) < d.share })
}

func dropVoice(e *Env, s Spec) (voice, error) {
	share, err := s.share("")
	dice := e.dice("drop replies " + s.String())
	return func(rs []consensus.Reply) []consensus.Reply {
		return slices.DeleteFunc(rs, func(consensus.Reply) bool { return dice.IntN(million) < share })
	}, err
}

// dark tells some nothing: those of to=, or as many as the cluster tolerates.
type dark struct {
	listens
	victims []consensus.ReplicaID
}

func newDark(e *Env, s Spec) (mask, error) {
	victims := s.To
	if victims == nil {
		others := e.strangers()
		f := max(1, (len(e.Genesis.Replicas)-1)/3)
		victims = others[max(0, len(others)-f):]
	}
	return &dark{victims: victims}, nil
}

func (d *dark) speak(_ *consensus.Burst, m *Mail) {
	m.Letters = slices.DeleteFunc(m.Letters, func(l Letter) bool {
		return l.To.Kind == consensus.PeerReplica && slices.Contains(d.victims, l.To.Replica)
	})
}

// deaf hears nothing of what peers say.
type deaf struct{ says }

func newDeaf(*Env, Spec) (mask, error) { return deaf{}, nil }

func (deaf) hear(b *consensus.Burst, _ int) { b.Events = nil }

// slow reads only so many events in a tick; what waits beyond its bound is
// lost, the oldest first.
type slow struct {
	says
	rate  int
	queue []consensus.Event
}

// maxUnread bounds the events that a slow reader has not read.
const maxUnread = 1024

func newSlow(_ *Env, s Spec) (mask, error) {
	n, err := s.number("", 0, consensus.MaxBurst)
	return &slow{rate: n}, err
}

func (s *slow) hear(b *consensus.Burst, ticks int) {
	s.queue = append(s.queue, b.Events...)
	s.queue = s.queue[max(0, len(s.queue)-maxUnread):]
	n := min(len(s.queue), ticks*s.rate)
	b.Events = s.queue[:n:n]
	s.queue = slices.Clone(s.queue[n:])
}

// flicker is cut off and back again, in turns of the same length.
type flicker struct {
	period span
	ticks  int
	began  consensus.Time
	asleep bool
}

func newFlicker(e *Env, s Spec) (mask, error) {
	p, err := s.span(e, "")
	if err == nil && p == (span{}) {
		err = s.wrong("", "turns need a length")
	}
	return &flicker{period: p}, err
}

func (f *flicker) hear(b *consensus.Burst, ticks int) {
	if f.began == 0 {
		f.began = b.Now
	}
	f.ticks += ticks
	if f.period.over(f.ticks, b.Now-f.began) {
		f.ticks, f.began, f.asleep = 0, b.Now, !f.asleep
	}
	if f.asleep {
		b.Events = nil
	}
}

func (f *flicker) speak(_ *consensus.Burst, m *Mail) {
	if f.asleep {
		m.Letters = nil
	}
}
