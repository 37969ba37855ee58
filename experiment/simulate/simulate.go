package simulate

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/course"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// Shape is for experiments that ask for operations of their own.
type Shape struct {
	Configure func(*sim.Config) // has the last word on it; may be nil
	Ended     func(*sim.World)  // sees the world after its run; may be nil
}

// Run runs one experiment in the simulator: one Spec, one Outcome. Errors
// wrap ErrSpec or name what the configuration lacks; how a run ends is never one.
func Run(s spec.Spec) (spec.Outcome, error) { return RunShaped(s, Shape{}) }

// RunShaped is Run with a hand on what a Spec leaves to it.
func RunShaped(s spec.Spec, shape Shape) (spec.Outcome, error) {
	if err := s.Complete(); err != nil {
		return spec.Outcome{}, err
	}
	recorded := course.NewRecorder(s.UnderTest())
	c, err := config(&s)
	if err != nil {
		return spec.Outcome{}, err
	}
	c.Watch = recorded.Watch
	if shape.Configure != nil {
		shape.Configure(&c)
	}
	w, err := world(&s, c)
	if err != nil {
		return spec.Outcome{}, err
	}
	o := outcomeOf(w, w.Run())
	if shape.Ended != nil {
		shape.Ended(w)
	}
	if s.Deadline > 0 {
		o.Calls = recorded.Calls()
	}
	o.Steps, o.Slot = recorded.Slice(&s, &o)
	o.Leaders, o.Slots = recorded.Log(o.Genesis)
	return o, nil
}

// world makes what the spec's protocol is simulated in.
func world(s *spec.Spec, c sim.Config) (*sim.World, error) {
	c.Build = forward(s, s.UnderTest())
	w, err := sim.New(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", spec.ErrSpec, err)
	}
	return w, nil
}

// forward lets those campaign first whom the spec names. Where views decide who
// leads, nobody needs to.
func forward(s *spec.Spec, p protocol.Protocol) func(protocol.Settings) (consensus.Protocol, error) {
	if !s.Elected() {
		return p.New
	}
	return func(settings protocol.Settings) (consensus.Protocol, error) {
		if !slices.Contains(s.Forward, settings.Self) {
			settings.LeaderPatience *= spec.Backward
		}
		return p.New(settings)
	}
}

// outcomeOf takes from a world that has run what an Outcome tells.
func outcomeOf(w *sim.World, r sim.Result) spec.Outcome {
	return spec.Outcome{
		Verdict: r.Verdict, Live: r.Live, Asked: int(r.Stats.Asked), Answered: int(r.Stats.Results), Lies: r.Stats.Notes[byzantine.Lied],
		Views: r.Stats.TopView, Elapsed: r.Stats.Virtual, Genesis: w.Genesis(), Statuses: w.Statuses(),
	}
}

// config is the spec in the simulator's words: a quick and quiet network, unless
// the seed is to draw a rough one.
func config(s *spec.Spec) (sim.Config, error) {
	faults, traitors, err := script(s)
	c := sim.Config{
		Seed: s.Seed, Disk: sim.Disks{Sync: sim.Millisecond / 2, Execute: sim.Millisecond / 10, Segment: 8},
		Interval: 8, Window: 16, Limits: consensus.DefaultLimits(),
		Network:  sim.NetworkModel{Delay: sim.Millisecond, Jitter: sim.Millisecond},
		Workload: sim.Workload{Callers: 1, Operations: 1, ValueBytes: 8, Keys: 4, Think: 20 * sim.Millisecond, Timeout: 100 * sim.Millisecond},
		Timing: sim.Timing{
			Tick: 10 * sim.Millisecond, Patience: 20, PatienceCap: 160, Skew: 2 * sim.Second,
			Safety: sim.Second / 2, StepDelay: sim.Millisecond / 20,
		},
	}
	c.Limits.BatchRequests = 4
	if s.Rough {
		c = sim.WithoutTraitors(s.Seed)
		c.Hazards, c.Byzantines = nil, nil
		c.Network.Loss = min(c.Network.Loss, roughLoss)
		c.Timing.Safety = min(c.Timing.Safety, roughStorm)
		c.Workload.Think = c.Timing.Safety / consensus.Time(s.Invoked)
	}
	c.Protocol, c.Replicas, c.RealKeys = s.Protocol, s.Replicas, s.RealKeys
	c.Traitors, c.Coalition, c.Faults, c.Byzantines = traitors, s.Coalition, faults, s.ByzantineClients
	// Nobody is taken away but by the spec itself.
	c.Trust = sim.Trust{Quorum: s.Quorum, Assumed: s.Assumed}
	c.Workload.Clients, c.Workload.Invoked, c.Workload.Reads = s.Clients, s.Invoked, s.Reads*10_000
	if s.Think > 0 {
		c.Workload.Think = s.Think
	}
	// Who knows of no leader is told so before it gives up.
	c.Workload.Deadline, c.Workload.NoLeader, c.Workload.Notice = s.Deadline, s.Deadline*3/4, s.Deadline/10
	for _, f := range faults {
		c.Timing.Safety = max(c.Timing.Safety, f.At+f.Lasts)
	}
	for _, t := range traitors {
		for _, a := range t.Schedule {
			c.Timing.Safety = max(c.Timing.Safety, a.From)
		}
	}
	c.Timing.Elections = s.Elections
	c.Timing.Liveness, c.CoolDown = s.SettleWithin(&c.Timing), 20*sim.Millisecond
	return c, err
}

// roughLoss is the most that a rough network loses, in parts per million: with
// traitors on top, more than that leaves little time for progress.
const roughLoss = 20_000

// roughStorm is how long the load lasts, about: what is to go wrong goes wrong
// in that time.
const roughStorm = 2 * sim.Second

// script says a spec's faults in the simulator's words: each with the time that it
// lasts, and lies as acts of traitors. Errors wrap ErrSpec.
func script(s *spec.Spec) ([]sim.Fault, []sim.Traitor, error) {
	var faults []sim.Fault
	traitors := slices.Clone(s.Traitors)
	for _, f := range s.Faults {
		switch {
		case f.Role != "":
			return nil, nil, fmt.Errorf("%w: the %s is looked up among processes: name a replica", spec.ErrSpec, f.Role)
		case f.Kind == spec.Corrupt && f.Ends:
			traitors = act(traitors, f.Replicas, f.At, nil)
		case f.Kind == spec.Corrupt:
			traitors = act(traitors, f.Replicas, f.At, f.Behaviours)
			if f.Lasts > 0 {
				traitors = act(traitors, f.Replicas, f.At+f.Lasts, nil)
			}
		case f.Ends:
			var err error
			if faults, err = end(faults, f); err != nil {
				return nil, nil, err
			}
		default:
			faults = append(faults, sim.Fault{At: f.At, Lasts: f.Lasts, Kind: sim.FaultKind(f.Kind), Replicas: f.Replicas, Clients: f.Clients})
		}
	}
	return faults, traitors, nil
}

// act adds what replicas do from a moment on.
func act(traitors []sim.Traitor, ids []consensus.ReplicaID, from consensus.Time, behaviours []string) []sim.Traitor {
	for _, id := range ids {
		i := slices.IndexFunc(traitors, func(t sim.Traitor) bool { return t.Replica == id })
		if i < 0 {
			i, traitors = len(traitors), append(traitors, sim.Traitor{Replica: id})
		}
		traitors[i].Schedule = append(slices.Clone(traitors[i].Schedule), sim.Assignment{From: from, Behaviours: behaviours})
	}
	return traitors
}

// end lets the latest fault of this kind end, replica by replica.
func end(faults []sim.Fault, f spec.Fault) ([]sim.Fault, error) {
	for _, id := range f.Replicas {
		open := -1
		for i, x := range faults {
			if x.Kind == sim.FaultKind(f.Kind) && x.Lasts == 0 && slices.Contains(x.Replicas, id) {
				open = i
			}
		}
		if open < 0 {
			return nil, fmt.Errorf("%w: replica %d: no %s comes before the %s", spec.ErrSpec, id, f.Kind, f.Word())
		}
		over := faults[open]
		over.Lasts, over.Replicas = f.At-over.At, []consensus.ReplicaID{id}
		faults[open].Replicas = slices.DeleteFunc(slices.Clone(faults[open].Replicas), func(r consensus.ReplicaID) bool { return r == id })
		faults = append(faults, over)
	}
	return slices.DeleteFunc(faults, func(x sim.Fault) bool { return len(x.Replicas)+len(x.Clients) == 0 }), nil
}
