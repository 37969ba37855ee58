package sim

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/check"
)

// Shrink looks for a smaller configuration of the same seed that still ends in
// a violation of the same kind: fewer traitors, assignments, behaviours, clients,
// hazards, a better network. It runs at most tries worlds and returns
// the smallest found with its result; c itself if nothing may be left out. A
// smaller run is another history, so that the violation need not have the same
// cause; for finding a cause that is good enough.
func Shrink(c Config, tries int) (Config, Result) {
	c.Trace, c.Watch = nil, nil
	var best Result
	var kind check.Kind
	fails := func(candidate Config) bool {
		if tries <= 0 {
			return false
		}
		tries--
		w, err := New(candidate)
		if err != nil {
			return false
		}
		r := w.Run()
		if !slices.ContainsFunc(r.Violations, func(v Violation) bool { return kind == "" || v.Kind == kind }) {
			return false
		}
		best = r
		return true
	}
	if !fails(c) {
		return c, best
	}
	kind = best.Violations[0].Kind
	for smaller := true; smaller; {
		smaller = false
		for _, candidate := range simpler(c) {
			if fails(candidate) {
				c, smaller = candidate, true
				break
			}
		}
	}
	return c, best
}

// simpler lists configurations that lack one thing of c, large things first.
func simpler(c Config) []Config {
	list := fewerLies(c)
	for _, h := range c.Hazards {
		list = append(list, c.withoutHazard(h.Kind))
	}
	change := func(useful bool, f func(*Config)) {
		if useful {
			n := c
			f(&n)
			list = append(list, n)
		}
	}
	for i := range c.Faults {
		change(true, func(n *Config) { n.Faults = without(c.Faults, i) })
	}
	change(c.Flood, func(n *Config) { n.Flood = false })
	change(c.Host != (Host{}), func(n *Config) { n.Host = Host{} })
	change(c.RealKeys, func(n *Config) { n.RealKeys = false })
	change(c.Network.Loss > 0, func(n *Config) { n.Network.Loss = 0 })
	change(c.Network.Duplicate > 0, func(n *Config) { n.Network.Duplicate = 0 })
	change(c.Network.Late > 0, func(n *Config) { n.Network.Late = 0 })
	change(c.Network.Held > 0, func(n *Config) { n.Network.Held = 0 })
	change(c.Network.Jitter > 0, func(n *Config) { n.Network.Jitter = 0 })
	change(c.Disk.Holes, func(n *Config) { n.Disk.Holes = false })
	change(c.Workload.Clients > 1, func(n *Config) { n.Workload.Clients = 1 })
	change(c.Workload.Callers > 1, func(n *Config) { n.Workload.Callers = 1 })
	change(c.Workload.Operations > 1, func(n *Config) { n.Workload.Operations = 1 })
	change(c.Workload.Invoked > 1, func(n *Config) { n.Workload.Invoked /= 2 })
	change(c.Timing.Skew > 0, func(n *Config) { n.Timing.Skew = 0 })
	change(c.Timing.Safety > 2*Second, func(n *Config) { n.Timing.Safety /= 2 })
	return list
}

// fewerLies lists configurations with fewer traitors, assignments, behaviours or
// Byzantine clients. Theory must not change its mind: with another number of traitors
// the rest is judged by what then holds.
func fewerLies(c Config) []Config {
	var list []Config
	for i, t := range c.Traitors {
		n := c
		n.Traitors = without(c.Traitors, i)
		list = append(list, n)
		for j, a := range t.Schedule {
			if len(t.Schedule) > 1 {
				list = append(list, c.withSchedule(i, without(t.Schedule, j)))
			}
			for k := range a.Behaviours {
				acts := slices.Clone(t.Schedule)
				acts[j].Behaviours = without(a.Behaviours, k)
				list = append(list, c.withSchedule(i, acts))
			}
		}
	}
	for i := range c.Byzantines {
		n := c
		n.Byzantines = without(c.Byzantines, i)
		list = append(list, n)
	}
	return list
}

// withSchedule is c with another schedule of one traitor.
func (c Config) withSchedule(traitor int, acts []Assignment) Config {
	c.Traitors = slices.Clone(c.Traitors)
	c.Traitors[traitor].Schedule = acts
	return c
}

// without is a list that lacks one entry.
func without[T any](list []T, i int) []T { return slices.Delete(slices.Clone(list), i, i+1) }

// Describe prints what is in a configuration, one thing per line.
func (c *Config) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %d replicas, checkpoint every %d, window %d; %d clients of %d callers, %d calls each, up to %d operations in a request\n",
		c.Replicas, c.Interval, c.Window, c.Workload.Clients, c.Workload.Callers, c.Workload.Invoked, c.Workload.Operations)
	for _, t := range c.Traitors {
		for _, a := range t.Schedule {
			fmt.Fprintf(&b, "  R%d from %d ms: %s\n", t.Replica, a.From/Millisecond, strings.Join(a.Behaviours, " + "))
		}
	}
	for _, v := range c.Byzantines {
		fmt.Fprintf(&b, "  a client does: %s\n", v)
	}
	for _, h := range c.Hazards {
		fmt.Fprintf(&b, "  %s about every %d ms, for up to %d ms\n", h.Kind, h.Every/Millisecond, h.Lasts/Millisecond)
	}
	for _, f := range c.Faults {
		fmt.Fprintf(&b, "  %s of %v at %d ms, for %d ms\n", f.Kind, f.Replicas, f.At/Millisecond, f.Lasts/Millisecond)
	}
	n := c.Network
	fmt.Fprintf(&b, "  network: %d us and up to %d us more; of a million frames %d are lost, %d doubled, %d late\n",
		n.Delay*1000/Millisecond, n.Jitter*1000/Millisecond, n.Loss, n.Duplicate, n.Late)
	return b.String()
}
