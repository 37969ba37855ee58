package sim

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// pacedConfig is a good network and time in the proportions that replicas are
// shipped with: two seconds of patience, and clients that tell everybody of a
// request after half a second.
func pacedConfig(replicas int, lasts consensus.Time) Config {
	c := quietConfig(1)
	c.Replicas, c.Trust.Faults = replicas, (replicas-1)/3
	c.Timing = Timing{Tick: 50 * Millisecond, Patience: 40, PatienceCap: 1200, Skew: 2 * Second, Safety: lasts, Liveness: 300 * Second}
	c.Workload.Clients, c.Workload.Callers, c.Workload.Operations, c.Workload.Invoked = 2, 2, 1, 1<<20
	c.Workload.Think, c.Workload.Timeout = Second, 500*Millisecond
	return c
}

// slowly has replicas behave as a text says.
func slowly(c Config, behaviour string, replicas ...consensus.ReplicaID) Config {
	for _, id := range replicas {
		c.Traitors = append(c.Traitors, Traitor{Replica: id, Schedule: []Assignment{{Behaviours: []string{behaviour}}}})
	}
	return c
}

// PROTOCOL.md §6: in an hour, several callers get nearly what an honest primary
// gives them, although the first primaries are as slow as patience lets them be,
// and it costs a view change for each of these.
func TestSlowPrimaryIsLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("an hour of virtual time")
	}
	const hour = 3600 * Second
	for _, tc := range []struct {
		name      string
		behaviour string
		replicas  int
		slow      []consensus.ReplicaID
	}{
		{"90% of patience", "slow-primary 90%", 4, []consensus.ReplicaID{0}},
		{"half of it", "slow-primary 50%", 4, []consensus.ReplicaID{0}},
		{"everything late", "delay 90%", 4, []consensus.ReplicaID{0}},
		{"two of seven, in a row", "slow-primary 90%", 7, []consensus.ReplicaID{0, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fair := run(t, pacedConfig(tc.replicas, hour/6)).Stats.Results * 6
			r := run(t, slowly(pacedConfig(tc.replicas, hour), tc.behaviour, tc.slow...))
			for _, v := range r.Violations {
				t.Error(v)
			}
			t.Logf("%d results in an hour, %d of an honest primary; the last view is %d", r.Stats.Results, fair, r.Stats.TopView)
			if 10*r.Stats.Results < 9*fair {
				t.Errorf("%d results in an hour, an honest primary gives %d", r.Stats.Results, fair)
			}
			if most := consensus.View(2 * len(tc.slow)); r.Stats.TopView > most {
				t.Errorf("view %d, want at most %d", r.Stats.TopView, most)
			}
		})
	}
}

// PROTOCOL.md §6: where every replica is equally slow, each is left once at most,
// and then another one is tried ever more seldom.
func TestSlowMachineRests(t *testing.T) {
	if testing.Short() {
		t.Skip("an hour of virtual time")
	}
	t.Parallel()
	c := pacedConfig(4, 3600*Second)
	c.Disk.Sync, c.Disk.Steady = 400*Millisecond, true
	r := run(t, c)
	for _, v := range r.Violations {
		t.Error(v)
	}
	t.Logf("%d results in an hour, the last view is %d", r.Stats.Results, r.Stats.TopView)
	if v := r.Stats.TopView; v == 0 || v > 3+5 {
		t.Errorf("view %d after an hour: want some, at most one for each of three others and one after 2, 4, 8, 16 and 32 minutes", v)
	}
}

// PROTOCOL.md §6: a batch that takes longer to arrive than patience lasts is no
// silence, and neither are those that wait behind it.
func TestLargeBatchOnItsWayIsNoSilence(t *testing.T) {
	t.Parallel()
	c := pacedConfig(4, 120*Second)
	c.Limits = consensus.DefaultLimits()
	c.Network.Bandwidth = 1 << 20
	c.Workload.ValueBytes, c.Workload.Keys = 4<<20-1000, 1
	r := run(t, c)
	for _, v := range r.Violations {
		t.Error(v)
	}
	t.Logf("%d results, view %d, %v", r.Stats.Results, r.Stats.TopView, r.Stats.Reasons)
	if r.Stats.Results < 60 || r.Stats.Changes > 0 || !r.Live {
		t.Errorf("%d results, %d view changes, live %v", r.Stats.Results, r.Stats.Changes, r.Live)
	}
}
