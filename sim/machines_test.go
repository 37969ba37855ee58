package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/consensus"
)

// counting is a process that says how many frames its disk has heard of: each one is
// a record before it is acknowledged to client 0.
type counting struct{ of, heard int }

func (c *counting) Start(b Boot) Deeds { c.heard = len(b.Records); return Deeds{} }

func (c *counting) Arrive(_ consensus.Time, _ int, frame []byte) Deeds {
	c.heard++
	return Deeds{Records: [][]byte{frame}, Sends: []Parcel{{To: c.of, Frame: fmt.Append(nil, c.heard)}}}
}

func (c *counting) Tick(consensus.Time) Deeds { return Deeds{} }

// machines are some that count, with one client that sends each a frame every so
// often, and writes down what it hears.
func machines(t *testing.T, seed uint64, trace io.Writer, faults ...Fault) (*Machines, *[]string) {
	var heard []string
	m := NewMachines(MachinesConfig{
		Seed: seed, Machines: 2, Clients: 1, Tick: 10 * Millisecond, Skew: Second,
		Network: NetworkModel{Delay: Millisecond, Jitter: Millisecond}, Disk: Disks{Sync: 4 * Millisecond, Segment: 8},
		Make:  func(int) Process { return &counting{of: 2} },
		Heard: func(_, machine int, frame []byte) { heard = append(heard, fmt.Sprintf("%d:%s", machine, frame)) },
		Trace: trace,
	})
	for _, f := range faults {
		if err := m.Schedule(f); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		m.At(consensus.Time(10+i)*Millisecond, func() {
			m.Send(0, 0, []byte{byte(i)})
			m.Send(0, 1, []byte{byte(i)})
		})
	}
	m.Run(Second)
	return m, &heard
}

// TestMachinesKeepWhatTheyHaveSaid: what was acknowledged before a crash is on disk
// after it, and a wiped disk holds nothing.
func TestMachinesKeepWhatTheyHaveSaid(t *testing.T) {
	for seed := range uint64(50) {
		for _, kind := range []FaultKind{FaultCrash, FaultWipe} {
			m, heard := machines(t, seed, nil, Fault{At: 30 * Millisecond, Lasts: 5 * Millisecond, Kind: kind, Replicas: []consensus.ReplicaID{0}})
			told := map[string]int{}
			for _, h := range *heard {
				told[h]++
			}
			again := false // as who counts what was lost
			for _, n := range told {
				again = again || n > 1
			}
			if again != (kind == FaultWipe) {
				t.Errorf("seed %d, %s: told %v", seed, kind, told)
			}
			if p := m.Process(1).(*counting); p.heard != 40 {
				t.Errorf("seed %d: the other one heard %d", seed, p.heard)
			}
		}
	}
}

// TestMachinesAreOneHistory for each seed.
func TestMachinesAreOneHistory(t *testing.T) {
	var a, b, c strings.Builder
	crash := Fault{At: 30 * Millisecond, Lasts: 5 * Millisecond, Kind: FaultCrash, Replicas: []consensus.ReplicaID{0}}
	x, _ := machines(t, 1, &a, crash)
	y, _ := machines(t, 1, &b, crash)
	z, _ := machines(t, 2, &c, crash)
	if x.history != y.history || a.String() != b.String() || x.history == z.history || !strings.Contains(a.String(), "R0: crash") {
		t.Errorf("histories %x, %x and %x", x.history, y.history, z.history)
	}
}

// TestMachinesAreCut: no frame crosses while the cut lasts.
func TestMachinesAreCut(t *testing.T) {
	m, heard := machines(t, 1, nil, Fault{Lasts: 30 * Millisecond, Kind: FaultPartition, Replicas: []consensus.ReplicaID{0}})
	for i, n := range []int{m.Process(0).(*counting).heard, m.Process(1).(*counting).heard} {
		if all := n == 40; all != (i == 1) || n == 0 {
			t.Errorf("machine %d heard %d", i, n)
		}
	}
	if !slices.Contains(*heard, "1:40") {
		t.Error("the client was not told")
	}
	for _, f := range []Fault{{Kind: FaultPause}, {Kind: FaultCrash, Replicas: []consensus.ReplicaID{2}}, {Kind: FaultMute, Clients: []int{1}}} {
		if m.Schedule(f) == nil {
			t.Errorf("%v is taken", f)
		}
	}
}
