package byzantine

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// silences keep something back.
func silences() []Profile {
	return []Profile{
		{
			Name: "silent", Aliases: []string{"crash", "crashed", "mute"}, Group: "P-SILENT", AtF: SafeLive, AtF1: SafeStopped,
			Sentence: "sends nothing any more, after so many messages", Params: []Param{{"after-messages", "0", "messages that it still sends"}},
			Needs: Primary, Drawn: []string{"", "30", "200"}, Intercept: newSilent, replies: silentReplies,
		},
		{
			Name: "drop", Aliases: []string{"lossy"}, Group: "V-WITHHOLD", AtF: SafeLive, AtF1: MayStop,
			Sentence: "loses a share of its messages", Params: []Param{share("100%")},
			Drawn: []string{"", "20%", "50%"}, Intercept: newDrop, replies: dropReplies,
		},
		{
			Name: "dark", Aliases: []string{"in-dark"}, Group: "P-SELECT", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "sends nothing to some replicas: those in to=, or the last f that are no traitors",
			Needs:    Primary, Intercept: newDark,
		},
		{
			Name: "deaf", Group: "V-WITHHOLD", AtF: SafeLive, AtF1: SafeStopped,
			Sentence:  "receives nothing from others",
			Intercept: newDeaf,
		},
		{
			Name: "slow-reader", Group: "LINK", AtF: SafeLive, AtF1: MayStop, AtCrash: MayStop,
			Sentence: "reads only a few messages in each tick, and loses what waits too long",
			Params:   []Param{{"rate", "1", "messages that it reads in one tick"}},
			Drawn:    []string{"", "4"}, Intercept: newSlow,
		},
		{
			Name: "flicker", Aliases: []string{"crash-loop"}, Group: "P-SILENT", AtF: SafeLive, AtF1: MayStop,
			Sentence: "is cut off from everybody and connected again, in turns",
			Params:   []Param{{"turn", "100%", wait.Help}},
			Needs:    Primary, Drawn: []string{"", "30%", "250%"}, Intercept: newFlicker,
		},
	}
}

// newSilent sends nothing any more, after so many messages.
func newSilent(_ *Env, s Spec) (Interceptor, error) {
	left, err := s.Number("", 0, 1<<30)
	all := s.To == nil && s.Kinds == nil // clients hear nothing either
	return outgoing(func(_ *consensus.Burst, o *Outbox) {
		n := min(left, len(o.Messages))
		o.Messages = o.Messages[:n]
		left -= n
		if left == 0 && all && o.Act {
			o.Out.Refusals = nil
		}
	}), err
}

func silentReplies(_ *Env, s Spec) (replyFunc, error) {
	left, err := s.Number("", 0, 1<<30)
	return func(rs []consensus.Reply) []consensus.Reply {
		n := min(left, len(rs))
		left -= n
		return rs[:n]
	}, err
}

// newDrop loses a share of the messages.
func newDrop(e *Env, s Spec) (Interceptor, error) {
	share, err := s.share("")
	dice := e.Rand("drop " + s.String())
	return outgoing(func(_ *consensus.Burst, o *Outbox) {
		o.Messages = slices.DeleteFunc(o.Messages, func(Outbound) bool { return dice.IntN(million) < share })
	}), err
}

func dropReplies(e *Env, s Spec) (replyFunc, error) {
	share, err := s.share("")
	dice := e.Rand("drop replies " + s.String())
	return func(rs []consensus.Reply) []consensus.Reply {
		return slices.DeleteFunc(rs, func(consensus.Reply) bool { return dice.IntN(million) < share })
	}, err
}

// newDark sends nothing to some: those of to=, or as many as the cluster tolerates.
func newDark(e *Env, s Spec) (Interceptor, error) {
	victims := s.To
	if victims == nil {
		others := e.nonMembers()
		p, _ := protocol.Of(e.Genesis) // of one that is not known, lies are tolerated
		f := max(1, p.Model.System(len(e.Genesis.Replicas)).Faults())
		victims = others[max(0, len(others)-f):]
	}
	return outgoing(func(_ *consensus.Burst, o *Outbox) {
		o.Messages = slices.DeleteFunc(o.Messages, func(m Outbound) bool {
			return m.To.Kind == consensus.PeerReplica && slices.Contains(victims, m.To.Replica)
		})
	}), nil
}

// deaf receives nothing.
type deaf struct{ passOut }

func newDeaf(*Env, Spec) (Interceptor, error) { return deaf{}, nil }

func (deaf) Incoming(b *consensus.Burst, _ int) { b.Events = nil }

// slow reads only so many events in a tick; what waits beyond its bound is
// lost, the oldest first.
type slow struct {
	passOut
	rate  int
	queue []consensus.Event
}

// maxUnread bounds the events that a slow reader has not read.
const maxUnread = 1024

func newSlow(_ *Env, s Spec) (Interceptor, error) {
	n, err := s.Number("", 0, consensus.MaxBurst)
	return &slow{rate: n}, err
}

func (s *slow) Incoming(b *consensus.Burst, ticks int) {
	s.queue = append(s.queue, b.Events...)
	s.queue = s.queue[max(0, len(s.queue)-maxUnread):]
	n := min(len(s.queue), ticks*s.rate)
	b.Events = s.queue[:n:n]
	s.queue = slices.Clone(s.queue[n:])
}

// flicker is cut off and back again, in turns of the same length.
type flicker struct {
	period Wait
	ticks  int
	began  consensus.Time
	asleep bool
}

func newFlicker(e *Env, s Spec) (Interceptor, error) {
	p, err := s.Wait(e, "")
	if err == nil && p == (Wait{}) {
		err = s.wrong("", "turns need a length")
	}
	return &flicker{period: p}, err
}

func (f *flicker) Incoming(b *consensus.Burst, ticks int) {
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

func (f *flicker) Outgoing(_ *consensus.Burst, m *Outbox) {
	if f.asleep {
		m.Messages = nil
	}
}
