package sim

import (
	"bytes"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// TestPowerLossAtEveryPoint cuts the power of all replicas at a sweep of
// moments around checkpoints, with syncs, executions and the steps of checkpoints
// slow enough that each of their orders comes up, and records torn anywhere. Nothing
// answered may be lost, and nobody may contradict what it said.
func TestPowerLossAtEveryPoint(t *testing.T) {
	for i := range 180 {
		c := WithoutTraitors(uint64(i % 5))
		c.Replicas, c.Trust.Faults, c.RealKeys = 4, 1, false
		c.Interval, c.Window, c.Limits.BatchRequests = 2, 4, 1
		c.Timing.Safety, c.Timing.Patience, c.Timing.PatienceCap = Second, 20, 80
		c.Network = NetworkModel{Delay: Millisecond}
		c.Disk = Disks{Sync: 4 * Millisecond, Execute: 2 * Millisecond, Segment: 2, Holes: i%2 == 0}
		c.Disk.Task = []consensus.Time{0, Millisecond / 2, 4 * Millisecond}[i%3]
		c.Workload = Workload{Clients: 2, Callers: 1, Invoked: 20, Operations: 1, Keys: 2, ValueBytes: 8, Think: Millisecond, Timeout: Second}
		c.Hazards = nil
		if i%4 == 3 {
			c = c.crashFaults(protocol.Raft)
		}
		w, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		at := 40*Millisecond + consensus.Time(i)*Millisecond/10
		w.clock.after(at, func() {
			w.inject(Hazard{Kind: hazardPowerLoss, Lasts: 5 * Millisecond}, newStream(uint64(i), "power"))
		})
		for _, v := range w.Run().Violations {
			t.Errorf("power loss after %d ns (case %d): %s", at, i, v)
		}
	}
}

// What a checkpoint costs takes seconds, at one replica or at all of them: the
// others do not wait for one, and all go on, as fast as roots are found. In the
// middle of it a replica loses its disk, and takes a state that is being written.
func TestCheckpointsOfSeconds(t *testing.T) {
	for i := range 24 {
		c := WithoutTraitors(uint64(i))
		c.Replicas, c.Trust.Faults, c.RealKeys = 4, 1, false
		c.Interval, c.Window, c.Limits.BatchRequests = 4, 8, 4
		c.Timing = Timing{Tick: 10 * Millisecond, Patience: 40, PatienceCap: 160, Skew: 2 * Second, Safety: 6 * Second, StepDelay: Millisecond}
		c.Timing.Liveness = 4 * c.Timing.bound()
		c.Network = NetworkModel{Delay: Millisecond}
		c.Disk = Disks{Sync: Millisecond, Execute: Millisecond, Segment: 2, Task: 20 * Millisecond}
		c.Host.Bounds.Tasks = 1 + i%3
		c.Workload = Workload{Clients: 2, Callers: 2, Invoked: 30, Operations: 1, Keys: 2, ValueBytes: 8, Think: 100 * Millisecond, Timeout: Second}
		c.Hazards = nil
		if i%2 == 1 {
			c = c.crashFaults(protocol.Raft)
		}
		w, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		slow := []int{3}
		if i%4 >= 2 {
			slow = []int{0, 1, 2, 3}
		}
		w.clock.after(100*Millisecond, func() {
			for _, r := range slow {
				w.replicas[r].health.slowTasks = true
			}
		})
		w.clock.after(2*Second, func() {
			if i%2 == 0 {
				w.replicas[3].wipe()
			} else {
				w.replicas[3].stop()
			}
			w.clock.after(Second, w.replicas[3].revive)
		})
		for _, v := range w.Run().Violations {
			t.Errorf("case %d: %s", i, v)
		}
	}
}

// TestPowerLossTakesVotesThatWereSaid cuts the power of all replicas three times
// while votes are out that are not on disk yet, on disks of several speeds. Some
// of the primaries show different batches, or forget what they proposed. Nobody
// honest contradicts itself, or takes itself for set back, and all go on.
func TestPowerLossTakesVotesThatWereSaid(t *testing.T) {
	cases := 160
	if testing.Short() {
		cases = 40
	}
	var forgotten uint64
	for i := range cases {
		c := WithoutTraitors(uint64(i % 5))
		c.Seed, c.Replicas, c.Trust.Faults, c.RealKeys = uint64(i), 4, 1, false
		c.Interval, c.Window, c.Limits.BatchRequests = 2, 8, 1
		c.Timing.Safety, c.Timing.Patience, c.Timing.PatienceCap = Second, 20, 80
		c.Network = NetworkModel{Delay: Millisecond}
		c.Disk = Disks{Sync: consensus.Time(1+i%6) * Millisecond, Execute: 2 * Millisecond, Segment: 2, Holes: i%2 == 0}
		c.Workload = Workload{Clients: 2, Callers: 2, Invoked: 30, Operations: 1, Keys: 2, ValueBytes: 8, Think: Millisecond, Timeout: Second}
		c.Hazards = nil
		if lie := []string{"", "equivocate", "amnesia", "equivocate", "rollback"}[i%5]; lie != "" {
			c.Traitors = []Traitor{{Replica: consensus.ReplicaID(i / 5 % 2), Schedule: []Assignment{{Behaviours: []string{lie}}}}}
		}
		w, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		at, again := 20*Millisecond+consensus.Time(i)*Millisecond/5, 23*Millisecond+consensus.Time(i%17)*Millisecond/3
		for k := range consensus.Time(3) {
			w.clock.after(at+k*again, func() {
				w.inject(Hazard{Kind: hazardPowerLoss, Lasts: 5 * Millisecond}, newStream(uint64(i), "power"))
			})
		}
		r := w.Run()
		forgotten += r.Stats.Forgotten
		for _, v := range r.Violations {
			t.Errorf("case %d: %s", i, v)
		}
	}
	if forgotten < uint64(cases) {
		t.Errorf("%d votes were lost in %d cases, which is too few", forgotten, cases)
	}
}

// TestPowerLossWhileALeaderWrites cuts the power of all members of Raft while a
// leader has sent entries that it has not on disk, on disks that are now slow and
// now quick: none of them executes what another one loses.
func TestPowerLossWhileALeaderWrites(t *testing.T) {
	cases := 600
	if testing.Short() {
		cases = 60
	}
	for i := range cases {
		c := WithoutTraitors(uint64(i % 5))
		c.Seed, c.Replicas, c.RealKeys = uint64(i), 3, false
		c.Interval, c.Window, c.Limits.BatchRequests = 4, 16, 1
		c.Timing.Safety, c.Timing.Patience, c.Timing.PatienceCap = Second, 20, 80
		c.Network = NetworkModel{Delay: Millisecond / 4}
		c.Disk = Disks{Sync: consensus.Time(2+i%8) * Millisecond, Execute: Millisecond / 4, Segment: 2}
		c.Workload = Workload{Clients: 2, Callers: 16, Invoked: 900, Operations: 1, Keys: 2, ValueBytes: 8, Think: Millisecond / 4, Timeout: 40 * Millisecond}
		c.Hazards = nil
		c = c.crashFaults(protocol.Raft)
		w, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for k := range consensus.Time(3) {
			at := 150*Millisecond + k*(250*Millisecond+consensus.Time(i)*Millisecond/10)
			w.clock.after(at, func() {
				w.inject(Hazard{Kind: hazardPowerLoss, Lasts: 5 * Millisecond}, newStream(uint64(i), "power"))
			})
		}
		for _, v := range w.Run().Violations {
			t.Errorf("case %d: %s", i, v)
		}
	}
}

// A trace is one line per event, and tracing changes nothing.
func TestTraceChangesNothing(t *testing.T) {
	silent := run(t, WithoutTraitors(7))
	var b bytes.Buffer
	c := WithoutTraitors(7)
	c.Trace = &b
	if loud := run(t, c); loud.History != silent.History {
		t.Errorf("traced, the history is %x instead of %x", loud.History, silent.History)
	}
	for _, want := range []string{"PRE-PREPARE", "COMMIT", "believes the result of", "starts, life 1", "the safety phase is over"} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("no %q in the trace", want)
		}
	}
}
