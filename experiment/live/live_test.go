package live

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/internal/netlab"
	"quorate.dev/quorate/sim"
	"quorate.dev/quorate/testnet"
)

// real runs a spec as processes and makes sure that none of them is left.
func realRun(t *testing.T, s spec.Spec) spec.Outcome {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	out, err := Run(t.Context(), s, Options{Dir: dir, Progress: func(text string) { t.Log(text) }})
	if errors.Is(err, netlab.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if c, err := testnet.Open(dir); err != nil || c.AnyRunning() {
		t.Errorf("processes are left, %v", err)
	}
	for _, v := range out.Verdict.Violations {
		t.Log(v)
	}
	return out
}

// TestRealTraitor: one equivocating primary and one lying client do no harm,
// and the transcripts convict the first.
func TestRealTraitor(t *testing.T) {
	out := realRun(t, spec.Spec{
		Protocol: "pbft", Replicas: 4, Invoked: 25, Seed: 1, ByzantineClients: []string{"conflict"},
		Traitors: []sim.Traitor{{Replica: 0, Schedule: []sim.Assignment{{Behaviours: []string{"equivocate"}}}}},
		Faults:   []spec.Fault{{At: 200 * sim.Millisecond, Lasts: 300 * sim.Millisecond, Kind: spec.Pause, Replicas: []consensus.ReplicaID{2}}},
	})
	if out.Word() != spec.Live || out.Answered != 50 || out.Verdict.Linearizable != check.Yes || out.Views == 0 {
		t.Errorf("%s: %d of %d answered, linearizable %s, view %d", out.Word(), out.Answered, out.Asked, out.Verdict.Linearizable, out.Views)
	}
	if len(out.Verdict.Culprits) != 1 || out.Verdict.Culprits[0] != 0 {
		t.Errorf("culprits %v", out.Verdict.Culprits)
	}
}

// TestRealFork: with two colluders of four the real thing forks, too.
func TestRealFork(t *testing.T) {
	out := realRun(t, spec.Spec{
		Protocol: "pbft", Replicas: 4, Invoked: 5, Seed: 1, Coalition: true, Settle: sim.Second,
		Traitors: []sim.Traitor{{Replica: 0, Schedule: []sim.Assignment{{Behaviours: []string{"fork"}}}}, {Replica: 3, Schedule: []sim.Assignment{{Behaviours: []string{"fork"}}}}},
	})
	if out.Word() != spec.Forked || len(out.Verdict.Culprits) != 2 {
		t.Errorf("%s, culprits %v", out.Word(), out.Verdict.Culprits)
	}
}

// TestRealRefusesWhatCannotBe: before anything is started.
func TestRealRefusesWhatCannotBe(t *testing.T) {
	for want, s := range map[string]spec.Spec{
		"choose pbft, raft or paxos": {Protocol: "zab", Replicas: 4},
		"choose 1 to":                {Protocol: "pbft"},
		"no such":                    {Protocol: "pbft", Replicas: 4, Traitors: []sim.Traitor{{Replica: 0, Schedule: []sim.Assignment{{Behaviours: []string{"sing"}}}}}},
		"keys for":                   {Protocol: "pbft", Replicas: 4, Clients: 60},
		"no replica 7":               {Protocol: "pbft", Replicas: 4, Traitors: []sim.Traitor{{Replica: 7, Schedule: []sim.Assignment{{Behaviours: []string{"silent"}}}}}},
	} {
		dir := filepath.Join(t.TempDir(), strconv.Itoa(len(want)))
		if _, err := Run(t.Context(), s, Options{Dir: dir}); !errors.Is(err, spec.ErrSpec) || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, got %v", want, err)
		}
	}
}

// TestRealWithoutAPlace: it is the machine's fault and not the spec's.
func TestRealWithoutAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), spec.Spec{Protocol: "pbft", Replicas: 4}, Options{Dir: filepath.Join(file, "net")})
	if !errors.Is(err, ErrPlace) || errors.Is(err, spec.ErrSpec) || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

// TestLabsFollowEachOther: one that is made as soon as another is closed.
func TestLabsFollowEachOther(t *testing.T) {
	for range 2 {
		lab, err := netlab.New(3)
		if errors.Is(err, netlab.ErrUnavailable) && !strings.Contains(err.Error(), "File exists") {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := lab.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
