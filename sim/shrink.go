package sim

// Shrink looks for a smaller configuration of the same seed that still ends in
// a violation: fewer classes of hazards, better weather, fewer clients. It runs
// at most tries worlds and returns the smallest found, c itself if nothing may
// be left out. A smaller run is another history, so that the violation need not
// be the same one; for finding a cause that is good enough.
func Shrink(c Config, subject Subject, tries int) Config {
	c.Trace = nil
	fails := func(candidate Config) bool {
		if tries <= 0 {
			return false
		}
		tries--
		w, err := New(candidate, subject)
		return err == nil && len(w.Run().Violations) > 0
	}
	for smaller := true; smaller; {
		smaller = false
		for _, candidate := range simpler(c) {
			if fails(candidate) {
				c, smaller = candidate, true
				break
			}
		}
	}
	return c
}

// simpler lists configurations that lack one thing of c.
func simpler(c Config) []Config {
	var list []Config
	for _, h := range c.Hazards {
		list = append(list, c.Without(h.Kind))
	}
	change := func(useful bool, f func(*Config)) {
		if useful {
			n := c
			f(&n)
			list = append(list, n)
		}
	}
	change(c.RealKeys, func(n *Config) { n.RealKeys = false })
	change(c.Network.Loss > 0, func(n *Config) { n.Network.Loss = 0 })
	change(c.Network.Duplicate > 0, func(n *Config) { n.Network.Duplicate = 0 })
	change(c.Network.Late > 0, func(n *Config) { n.Network.Late = 0 })
	change(c.Network.Held > 0, func(n *Config) { n.Network.Held = 0 })
	change(c.Network.Jitter > 0, func(n *Config) { n.Network.Jitter = 0 })
	change(c.Disk.Holes, func(n *Config) { n.Disk.Holes = false })
	change(c.Workload.Clients > 1, func(n *Config) { n.Workload.Clients = 1 })
	change(c.Workload.Callers > 1, func(n *Config) { n.Workload.Callers = 1 })
	change(c.Timing.Skew > 0, func(n *Config) { n.Timing.Skew = 0 })
	change(c.Timing.Storm > 2*Second, func(n *Config) { n.Timing.Storm /= 2 })
	return list
}
