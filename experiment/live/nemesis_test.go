//go:build acceptance

package live

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/netlab"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
)

// nemesis is what befalls a cluster of real processes under load, one of whose
// members is a traitor besides.
type nemesis struct {
	behaviours []string // of replica 3
	faults     []spec.Fault
}

func ids(list ...consensus.ReplicaID) []consensus.ReplicaID { return list }

// nemeses strike between the first and the sixth second of a load of about
// eight. Each leaves at most the traitor at fault in the end.
var nemeses = map[string]nemesis{
	"partition": {behaviours: []string{"double-vote"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: 1500 * sim.Millisecond, Kind: spec.Partition, Replicas: ids(0, 1)},
		{At: 4 * sim.Second, Lasts: 1500 * sim.Millisecond, Kind: spec.Partition, Replicas: ids(0)},
	}},
	"one way": {behaviours: []string{"equivocate"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: 2 * sim.Second, Kind: spec.Deaf, Replicas: ids(1)},
		{At: 4 * sim.Second, Lasts: 1500 * sim.Millisecond, Kind: spec.Mute, Replicas: ids(0)},
	}},
	"delay": {behaviours: []string{"lie"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: 2 * sim.Second, Kind: spec.Delay, Replicas: ids(0, 1, 2, 3), By: 40 * sim.Millisecond},
		{At: 3 * sim.Second, Lasts: 2 * sim.Second, Kind: spec.Delay, Replicas: ids(0, 1, 2, 3), By: 200 * sim.Millisecond}, // more than half of patience
	}},
	"crashes": {behaviours: []string{"lying-checkpoint"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: sim.Second, Kind: spec.Crash, Replicas: ids(0)},
		{At: 3 * sim.Second, Lasts: sim.Second, Kind: spec.Crash, Replicas: ids(1)},
		{At: 5 * sim.Second, Lasts: sim.Second, Kind: spec.Crash, Replicas: ids(0, 1, 2)},
	}},
	"pause": {behaviours: []string{"hide-prepared"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: 2 * sim.Second, Kind: spec.Pause, Replicas: ids(0)},
		{At: 4 * sim.Second, Lasts: 2 * sim.Second, Kind: spec.Pause, Replicas: ids(1, 2)},
	}},
	"disk full": {behaviours: []string{"replay"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: 3 * sim.Second, Kind: spec.DiskFull, Replicas: ids(1)},
	}},
	"torn log": {behaviours: []string{"garbage"}, faults: []spec.Fault{
		{At: sim.Second, Lasts: 1500 * sim.Millisecond, Kind: spec.TornWrite, Replicas: ids(1)},
		{At: 3500 * sim.Millisecond, Lasts: 1500 * sim.Millisecond, Kind: spec.TornWrite, Replicas: ids(0, 1, 2)},
	}},
}

// TestAcceptanceNemeses: whatever strikes, and with one traitor among four,
// nothing that was answered is lost or done twice, every key's history is
// linearizable, and everything asked is answered in the end.
func TestAcceptanceNemeses(t *testing.T) {
	for name, n := range nemeses {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			out, err := Run(t.Context(), spec.Spec{
				Protocol: "pbft", Replicas: 4, Clients: 3, Invoked: 450, Seed: 1, Faults: n.faults, Settle: 60 * sim.Second,
				Traitors: []sim.Traitor{{Replica: 3, Schedule: []sim.Assignment{{Behaviours: n.behaviours}}}},
			}, Options{Dir: dir, Progress: func(text string) { t.Log(text) }})
			if errors.Is(err, netlab.ErrUnavailable) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := testnet.Open(dir)
			if err != nil || c.AnyRunning() {
				t.Fatalf("processes are left, %v", err)
			}
			for _, v := range out.Verdict.Violations {
				t.Error(v)
			}
			if out.Word() != spec.Live || out.Verdict.Linearizable == check.No {
				t.Errorf("%s: %d of %d answered, linearizable: %s", out.Word(), out.Answered, out.Asked, out.Verdict.Linearizable)
				for i := range c.Size() {
					t.Log(c.Tail(i))
				}
				for _, s := range out.Statuses {
					t.Logf("%+v", s)
				}
			}
			t.Logf("%d answered in %v, view %d, linearizable %s, culprits %v", out.Answered,
				time.Duration(out.Elapsed).Round(time.Millisecond), out.Views, out.Verdict.Linearizable, out.Verdict.Culprits)
		})
	}
}
