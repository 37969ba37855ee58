package trial

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/sim"
)

// What a Spec leaves open.
const (
	standardClients = 2
	standardInvoked = 40
)

// Limits of a Spec.
const (
	maxClients = 64
	maxInvoked = 100_000
)

// check refuses what no host can run.
func (s *Spec) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrSpec, fmt.Sprintf(format, args...))
	}
	switch {
	case !slices.Contains(quorum.Protocols(), s.Protocol):
		return bad("protocol %q: choose %s", s.Protocol, strings.Join(quorum.Protocols(), " or "))
	case s.Replicas < 1 || s.Replicas > consensus.MaxReplicas:
		return bad("%d replicas: between 1 and %d are possible", s.Replicas, consensus.MaxReplicas)
	case s.Clients < 0 || s.Clients > maxClients || s.Invoked < 0 || s.Invoked > maxInvoked:
		return bad("%d clients with %d operations each: at most %d and %d are possible", s.Clients, s.Invoked, maxClients, maxInvoked)
	}
	return nil
}

// fill puts what is usual in the place of zeros.
func (s *Spec) fill() {
	if s.Clients == 0 {
		s.Clients = standardClients
	}
	if s.Invoked == 0 {
		s.Invoked = standardInvoked
	}
}

// Simulate runs one experiment in the simulator: one Spec, one Outcome. Errors
// wrap ErrSpec or name what the configuration lacks; how a run ends is never one.
func Simulate(s Spec) (Outcome, error) {
	if err := s.check(); err != nil {
		return Outcome{}, err
	}
	s.fill()
	recorded := newRecorder(s.Protocol)
	c := s.config()
	c.Watch = recorded.watch
	w, err := s.world(c)
	if err != nil {
		return Outcome{}, err
	}
	o := outcomeOf(w, w.Run())
	read, err := NewReader(o.Genesis)
	if err != nil {
		return Outcome{}, err
	}
	if s.Deadline > 0 {
		o.Calls = recorded.calls
	}
	o.Steps, o.Slot = decisive(recorded.steps, read, &s, &o)
	return o, nil
}

// world makes what the spec's protocol is simulated in.
func (s *Spec) world(c sim.Config) (*sim.World, error) {
	subject, err := sim.Of(s.Protocol)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	subject.Build = s.forward(subject.Build)
	w, err := sim.New(c, subject)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	return w, nil
}

// backward is how many times longer the others wait, where somebody is to be
// elected first.
const backward = 3

// forward lets those campaign first whom the spec names. Where views decide who
// leads, nobody needs to.
func (s *Spec) forward(build func(sim.Seat) (consensus.Protocol, error)) func(sim.Seat) (consensus.Protocol, error) {
	if !s.elected() {
		return build
	}
	return func(seat sim.Seat) (consensus.Protocol, error) {
		if !slices.Contains(s.Forward, seat.Replica) {
			seat.Timing.Patience *= backward
		}
		return build(seat)
	}
}

// elected reports whether somebody is to be elected first.
func (s *Spec) elected() bool { return s.Protocol == quorum.Raft && len(s.Forward) > 0 }

// system is the fault arithmetic of a spec that was checked, before anything is
// bent.
func (s *Spec) system() quorum.System {
	if s.Protocol == quorum.Raft {
		return quorum.Crash.System(s.Replicas)
	}
	return quorum.Byzantine.System(s.Replicas)
}

// outcomeOf takes from a world that has run what an Outcome tells.
func outcomeOf(w *sim.World, r sim.Result) Outcome {
	return Outcome{
		Verdict: r.Verdict, Live: r.Live, Deceived: deceived(&r.Verdict), Asked: int(r.Stats.Asked), Answered: int(r.Stats.Results), Lies: r.Stats.Notes[byzantine.Lied],
		Views: r.Stats.TopView, Elapsed: r.Stats.Virtual, Genesis: w.Genesis(), Statuses: w.Statuses(),
	}
}

// deceived reports whether a client believed what was not so.
func deceived(v *check.Verdict) bool {
	return slices.ContainsFunc(v.Violations, func(x check.Violation) bool { return x.Kind == check.Deceived })
}

// config is the spec in the simulator's words: a quick and quiet network, unless
// the seed is to draw a rough one.
func (s *Spec) config() sim.Config {
	c := sim.Config{
		Seed: s.Seed, Disk: sim.Disks{Sync: sim.Millisecond / 2, Execute: sim.Millisecond / 10, Segment: 8},
		Interval: 8, Window: 16, Limits: consensus.DefaultLimits(),
		Network:  sim.Weather{Delay: sim.Millisecond, Jitter: sim.Millisecond},
		Workload: sim.Workload{Callers: 1, Operations: 1, ValueBytes: 8, Keys: 4, Think: 20 * sim.Millisecond, Timeout: 100 * sim.Millisecond},
		Timing: sim.Timing{
			Tick: 10 * sim.Millisecond, Patience: 20, PatienceCap: 160, Skew: 2 * sim.Second,
			Storm: sim.Second / 2, StepDelay: sim.Millisecond / 20,
		},
	}
	c.Limits.BatchRequests = 4
	if s.Rough {
		c = sim.WithoutTraitors(s.Seed)
		c.Hazards, c.Villains = nil, nil
		c.Network.Loss = min(c.Network.Loss, roughLoss)
		c.Timing.Storm = min(c.Timing.Storm, roughStorm)
		c.Workload.Think = c.Timing.Storm / consensus.Time(s.Invoked)
	}
	c.Protocol, c.Replicas, c.RealKeys = s.Protocol, s.Replicas, s.RealKeys
	c.Traitors, c.Gang, c.Faults, c.Villains = s.Traitors, s.Gang, s.Faults, s.Villains
	// Nobody is taken away but by the spec itself.
	c.Trust = sim.Trust{Replies: s.system().Replies(), Quorum: s.Quorum, Assumed: s.Assumed}
	c.Workload.Clients, c.Workload.Invoked = s.Clients, s.Invoked
	if s.Think > 0 {
		c.Workload.Think = s.Think
	}
	// Who knows of no leader is told so before it gives up.
	c.Workload.Deadline, c.Workload.NoLeader, c.Workload.Notice = s.Deadline, s.Deadline*3/4, s.Deadline/10
	for _, f := range s.Faults {
		c.Timing.Storm = max(c.Timing.Storm, f.At+f.Lasts)
	}
	for _, t := range s.Traitors {
		for _, a := range t.Acts {
			c.Timing.Storm = max(c.Timing.Storm, a.From)
		}
	}
	c.Timing.Calm, c.Linger = s.settle(&c.Timing), 20*sim.Millisecond
	return c
}

// roughLoss is the most that a rough network loses, in parts per million: with
// traitors on top, more than that leaves little time for progress.
const roughLoss = 20_000

// roughStorm is how long the load lasts, about: what is to go wrong goes wrong
// in that time.
const roughStorm = 2 * sim.Second

// settle is how long after the last fault everything must be answered: a view
// change for each replica at the cap of patience, and the time that sending
// again takes.
func (s *Spec) settle(t *sim.Timing) consensus.Time {
	if s.Settle > 0 {
		return s.Settle
	}
	if s.Rough {
		// As the simulator has it: views fail for want of a state, too.
		return 30*sim.Second + consensus.Time(40*t.PatienceCap)*t.Tick
	}
	return 5*sim.Second + consensus.Time(s.Replicas*t.PatienceCap)*t.Tick
}

// Expected reports whether an outcome is one that a profile's catalogue entry
// allows.
func Expected(want byzantine.Outcome, o *Outcome) bool {
	word := o.Word()
	switch want {
	case byzantine.SafeLive, byzantine.SafeSlow:
		return word == Live
	case byzantine.SafeStopped:
		return word == Stopped
	case byzantine.MayStop:
		return word == Live || word == Stopped
	case byzantine.Forks:
		return word == Forked
	case byzantine.MayFork:
		return word == Forked || word == Live || word == Stopped || word == Deceived
	case byzantine.Deceives:
		return word == Deceived
	case byzantine.MayDeceive:
		return word == Deceived || word == Live
	case byzantine.Breaks:
		return word == Forked || word == Deceived || word == Unsafe
	}
	return false
}
