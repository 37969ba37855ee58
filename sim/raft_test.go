package sim

import (
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/raft"
)

// raftConfig is a seed's configuration for a crash-fault protocol.
func raftConfig(seed uint64) Config { return FromSeedOf(registered(protocol.Raft), seed) }

func run(t *testing.T, c Config) Result {
	t.Helper()
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w.Run()
}

// TestRaft: the contract carries a second protocol through everything
// that a seed brings, and a seed is one history.
func TestRaft(t *testing.T) {
	var total Stats
	for seed := uint64(1); seed <= 20; seed++ {
		c := raftConfig(seed)
		r := run(t, c)
		for _, v := range r.Violations {
			t.Errorf("%s: %s", c.String(), v)
		}
		total.Results += r.Stats.Results
		total.Hazards += r.Stats.Hazards
		if again := run(t, raftConfig(seed)); again.History != r.History {
			t.Errorf("seed %d has two histories: %x and %x", seed, r.History, again.History)
		}
	}
	t.Logf("%d results believed, %d hazards", total.Results, total.Hazards)
}

// Every size that a seed draws can be built, tolerates what it should, and no
// replica lies or loses its disk; some are set back, where that is within the
// bound.
func TestDrawsOfRaft(t *testing.T) {
	sizes, setBack, byzantines := map[int]int{}, map[int]int{}, 0
	for seed := range uint64(300) {
		c := raftConfig(seed)
		if _, err := New(c); err != nil {
			t.Fatal(err)
		}
		sizes[c.Replicas]++
		setBack[c.Replicas] += len(c.SetBacks)
		byzantines += len(c.Byzantines)
		if len(c.Traitors)+len(c.Twins) > 0 || c.forgets() || c.Trust.Faults != (c.Replicas-1)/2 {
			t.Errorf("seed %d draws %s", seed, c.String())
		}
	}
	for _, n := range crashSizes {
		if sizes[n] == 0 {
			t.Errorf("no seed has %d replicas", n)
		}
		if (setBack[n] > 0) != (n > 2) {
			t.Errorf("of %d replicas, %d are set back", n, setBack[n])
		}
	}
	if byzantines == 0 {
		t.Error("no client lies")
	}
}

// The library panics on what no member says that follows the protocol. Where
// nobody is to lie, that is a violation.
func TestPanicsOfTheLibraryAreViolations(t *testing.T) {
	beat := func(s protocol.Settings) func(*consensus.Output) {
		said := 0
		return func(o *consensus.Output) {
			if s.Self != 0 || len(o.Sends) == 0 || said > 20 {
				return
			}
			said++
			to := consensus.ReplicaID(1)
			o.Sends = append(o.Sends, consensus.Send{To: consensus.ReplicaPeer(to), Class: consensus.Votes, Bytes: raft.EncodeMessage(&pb.Message{
				Type: pb.MsgHeartbeat, From: 1, To: uint64(to) + 1, Term: 1, Commit: 1 << 40,
			})})
		}
	}
	c := raftConfig(4)
	c.Replicas, c.Hazards, c.SetBacks, c.Byzantines = 3, nil, nil, nil
	r := run(t, bend(c, beat))
	if !slices.ContainsFunc(r.Violations, func(v Violation) bool { return strings.Contains(v.Text, "nobody lies") }) {
		t.Errorf("violations %v, want one that names the panic", r.Violations)
	}
	if r = run(t, c); len(r.Violations) > 0 {
		t.Errorf("without the lie: %v", r.Violations)
	}
}

// Few seeds of Raft leave much untried, and the gate says what; whoever has
// tried everything passes.
func TestGateOfRaft(t *testing.T) {
	few := NewCoverage(registered(protocol.Raft))
	for seed := uint64(1); seed <= 3; seed++ {
		cfg := raftConfig(seed)
		r := run(t, cfg)
		few.Add(&cfg, &r)
	}
	if missing := few.Missing(); len(missing) < 5 {
		t.Errorf("missing after 3 seeds: %v", missing)
	}
	var b strings.Builder
	if err := few.Report(&b); err != nil || !strings.HasPrefix(b.String(), "3 seeds of raft\n") || !strings.Contains(b.String(), "a leader died with entries in flight") {
		t.Errorf("error %v, report:\n%s", err, b.String())
	}
	full := NewCoverage(registered(protocol.Raft))
	full.Seeds = GateSeeds
	for _, n := range crashSizes {
		full.Replicas[n] = 9
	}
	for _, g := range full.goals() {
		full.Reached[g.name] = g.least
	}
	for _, g := range always {
		full.Reached[g.name] = g.least
	}
	if missing := full.Missing(); len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	full.Reached[full.goals()[0].name]--
	full.Replicas[7] = 0
	full.Linearizable["unknown"] = 999
	if missing := full.Missing(); len(missing) != 3 {
		t.Errorf("missing: %v, want three things", missing)
	}
}
