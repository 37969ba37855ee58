package live

import (
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
)

// TestFaultsEndWhereTheyBegan: roles are found among the faults that are open, the
// latest first, and a process that is another has none of the old one's.
func TestFaultsEndWhereTheyBegan(t *testing.T) {
	on := func(id consensus.ReplicaID, k spec.Kind) spec.Fault {
		return spec.Fault{Kind: k, Role: spec.RoleLeader, Replicas: []consensus.ReplicaID{id}}
	}
	var c Cluster
	for _, f := range []spec.Fault{on(0, spec.Isolate), on(1, spec.Pause), on(2, spec.Corrupt), on(3, spec.Crash), on(1, spec.Crash), on(4, spec.TornWrite), on(5, spec.Wipe)} {
		c.note(f)
	}
	over := on(4, spec.TornWrite)
	over.Ends = true
	c.note(over)
	for _, x := range []struct {
		fault spec.Fault
		want  int // -1 = nobody
	}{
		{spec.Fault{Kind: spec.Isolate, Role: spec.RoleLeader, Ends: true}, 0},
		{spec.Fault{Kind: spec.Crash, Role: spec.RoleCrashed, Ends: true}, 1},
		{spec.Fault{Kind: spec.Pause, Role: spec.RolePaused, Ends: true}, -1},
		{spec.Fault{Kind: spec.Corrupt, Role: spec.RoleCorrupted, Ends: true}, 2},
		{spec.Fault{Kind: spec.Deaf, Role: spec.RoleLeader, Ends: true}, -1},
	} {
		err := c.Find(t.Context(), &x.fault)
		if (err == nil) != (x.want >= 0) || err == nil && !slices.Equal(x.fault.Replicas, []consensus.ReplicaID{consensus.ReplicaID(x.want)}) {
			t.Errorf("%+v: %v, want %d", x.fault, err, x.want)
		}
	}
	c.note(on(1, spec.Wipe))
	if _, err := c.latest(spec.Crash); err != nil || len(c.open) != 3 {
		t.Errorf("open: %+v, %v", c.open, err)
	}
}
