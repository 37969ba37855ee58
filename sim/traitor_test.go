package sim

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/byzantine/catalogue"
	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// quietConfig is four replicas on a good network.
func quietConfig(seed uint64) Config {
	return Config{
		Seed: seed, Protocol: protocol.PBFT, Replicas: 4, Trust: Trust{Faults: 1},
		Interval: 4, Window: 8, Limits: tightLimits(),
		Timing:   Timing{Tick: 10 * Millisecond, Patience: 20, PatienceCap: 80, Skew: 2 * Second, Safety: 3 * Second, Liveness: 60 * Second},
		Workload: Workload{Clients: 2, Callers: 2, Invoked: 40, Operations: 2, ValueBytes: 8, Keys: 3, Think: 50 * Millisecond, Timeout: 100 * Millisecond},
		Network:  NetworkModel{Delay: Millisecond, Jitter: Millisecond},
		Disk:     Disks{Sync: Millisecond, Execute: Millisecond / 10, Segment: 8},
	}
}

// One traitor among four, with each behaviour of the catalogue, is what theory
// says: safe and live.
func TestEveryBehaviourOfOne(t *testing.T) {
	t.Parallel()
	for i, p := range catalogue.All() {
		if !p.For("pbft") {
			continue
		}
		c := quietConfig(uint64(i))
		c.Workload.Invoked = 12
		if p.Client {
			c.Byzantines = []string{p.Name}
		} else {
			c.Trust.Faults = 1
			c.Traitors = []Traitor{{Replica: consensus.ReplicaID(i % 4), Schedule: []Assignment{{Behaviours: []string{p.Name}}}}}
		}
		r := run(t, c)
		for _, v := range r.Violations {
			t.Errorf("%s: %s", p.Name, v)
		}
		if !r.Live {
			t.Errorf("%s: not live", p.Name)
		}
	}
}

// Two colluders among four fork it, and both are named.
func TestTwoColludersForkAndAreNamed(t *testing.T) {
	forks := 0
	for seed := range uint64(6) {
		c := quietConfig(seed)
		c.Coalition = true
		for _, id := range []consensus.ReplicaID{0, 3} {
			c.Traitors = append(c.Traitors, Traitor{Replica: id, Schedule: []Assignment{{Behaviours: []string{"fork"}}}})
		}
		r := run(t, c)
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		if r.Verdict.Forked {
			forks++
			if !slices.Equal(r.Verdict.Culprits, []consensus.ReplicaID{0, 3}) {
				t.Errorf("seed %d: culprits are %v", seed, r.Verdict.Culprits)
			}
		}
	}
	if forks == 0 {
		t.Error("no seed forks")
	}
}

// Faults of a script begin and end when they should, and a watcher sees them.
func TestFaultsAndWatcher(t *testing.T) {
	c := quietConfig(1)
	c.Faults = []Fault{
		{At: 200 * Millisecond, Lasts: Second, Kind: FaultIsolate, Replicas: []consensus.ReplicaID{0}},
		{At: 1500 * Millisecond, Lasts: 200 * Millisecond, Kind: FaultCrash, Replicas: []consensus.ReplicaID{1}},
		{At: 1800 * Millisecond, Lasts: 100 * Millisecond, Kind: FaultPause, Replicas: []consensus.ReplicaID{2}},
		{At: 2 * Second, Kind: FaultWipe, Replicas: []consensus.ReplicaID{3}},
	}
	seen := map[StepKind]int{}
	fromIsolated := 0
	c.Watch = func(s Step) {
		seen[s.Kind]++
		if s.Kind == StepDeliver && s.From == "R0" && s.At > 300*Millisecond && s.At < 1200*Millisecond {
			fromIsolated++
		}
	}
	r := run(t, c)
	if len(r.Verdict.Violations) > 0 || !r.Live || r.Verdict.Linearizable != check.Yes {
		t.Errorf("verdict %+v, live %v", r.Verdict, r.Live)
	}
	if fromIsolated > 0 {
		t.Errorf("%d frames of an isolated replica arrived", fromIsolated)
	}
	if r.Stats.TopView == 0 || r.Stats.Notes[consensus.Rejoined] == 0 {
		t.Errorf("neither view change nor rejoining: %v", r.Stats.Notes)
	}
	for _, kind := range []StepKind{StepSend, StepDeliver, StepExecute, StepBelieve, StepNote, StepFault} {
		if seen[kind] == 0 {
			t.Errorf("the watcher saw no %s", kind)
		}
	}
}

// f+1 that are away for good stop everything, and that is no violation.
func TestTwoAwayStop(t *testing.T) {
	c := quietConfig(1)
	c.Timing.Liveness = 20 * Second
	c.Faults = []Fault{{At: Second, Kind: FaultCrash, Replicas: []consensus.ReplicaID{1, 2}}}
	r := run(t, c)
	if len(r.Violations) > 0 || r.Live || r.Verdict.Forked {
		t.Errorf("violations %v, live %v", r.Violations, r.Live)
	}
}

// What is not there is said.
func TestImpossibleConfigurations(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"there is no replica 9": func(c *Config) { c.Traitors = []Traitor{{Replica: 9}} },
		"stands twice":          func(c *Config) { c.Traitors = []Traitor{{Replica: 1}, {Replica: 1}} },
		"no such behaviour":     func(c *Config) { c.Traitors = []Traitor{{Schedule: []Assignment{{Behaviours: []string{"sing"}}}}} },
		"client \"silent\"":     func(c *Config) { c.Byzantines = []string{"silent"} },
		"there is no client 7":  func(c *Config) { c.Faults = []Fault{{Kind: FaultPartition, Clients: []int{7}}} },
		"no fault is called":    func(c *Config) { c.Faults = []Fault{{Kind: "flood"}} },
	} {
		c := quietConfig(1)
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
