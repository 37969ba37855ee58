package sim

import (
	"bytes"
	"testing"

	"quorate.dev/quorate/consensus"
)

// TestPowerLossAtEveryPoint cuts the power of all replicas at a sweep of
// moments around checkpoints, with syncs and executions slow enough that each
// of their orders comes up, and records torn anywhere. Nothing answered may be
// lost, and nobody may contradict what it said.
func TestPowerLossAtEveryPoint(t *testing.T) {
	for i := range 90 {
		c := WithoutTraitors(uint64(i % 5))
		c.Replicas, c.Trust.Faults, c.RealKeys = 4, 1, false
		c.Interval, c.Window, c.Limits.BatchRequests = 2, 4, 1
		c.Timing.Safety, c.Timing.Patience, c.Timing.PatienceCap = Second, 20, 80
		c.Network = NetworkModel{Delay: Millisecond}
		c.Disk = Disks{Sync: 4 * Millisecond, Execute: 2 * Millisecond, Segment: 2, Holes: i%2 == 0}
		c.Workload = Workload{Clients: 2, Callers: 1, Invoked: 20, Operations: 1, Keys: 2, ValueBytes: 8, Think: Millisecond, Timeout: Second}
		c.Hazards = nil
		w, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		at := 40*Millisecond + consensus.Time(i)*Millisecond/5
		w.clock.after(at, func() {
			w.inject(Hazard{Kind: hazardPowerLoss, Lasts: 5 * Millisecond}, newStream(uint64(i), "power"))
		})
		for _, v := range w.Run().Violations {
			t.Errorf("power loss after %d ns (case %d): %s", at, i, v)
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
