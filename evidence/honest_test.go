package evidence_test

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// watched prepares a run in which an investigator reads every frame that leaves
// a replica. What an engine says and its host never sends, because the process
// dies before the log is synced, was never said.
func watched(cfg sim.Config) (sim.Config, func() *evidence.Investigator) {
	build, _ := protocol.Lookup(protocol.PBFT)
	var i *evidence.Investigator
	cfg.Build = func(s protocol.Settings) (consensus.Protocol, error) {
		if i == nil {
			i = evidence.NewInvestigator(&s.Genesis, s.Verifier)
		}
		return build.New(s)
	}
	cfg.Traitors, cfg.Byzantines, cfg.Coalition = nil, nil, false
	cfg.Watch = func(step sim.Step) {
		if step.Kind == sim.StepSend {
			i.Frame(step.Frame)
		}
	}
	return cfg, func() *evidence.Investigator { return i }
}

// PROTOCOL.md §9: crashes, power losses, wiped disks, state transfers and view
// changes make nobody convict itself who runs the protocol.
func TestHonestRunsConvictNobody(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 3
	}
	views := 0
	for seed := range seeds {
		cfg, found := watched(sim.FromSeed(seed))
		world, err := sim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		result := world.Run()
		views += result.Stats.Notes[consensus.EnteredView]
		i := found()
		for _, e := range i.Entries() {
			t.Errorf("seed %d: %s", seed, e.Fault)
		}
		for _, c := range i.Conflicts() {
			t.Errorf("seed %d: %s", seed, c)
		}
		if ignored, votes := i.Kept(); ignored > 0 || votes == 0 {
			t.Errorf("seed %d: %d words of honest replicas do not verify, %d are kept", seed, ignored, votes)
		}
	}
	if views < int(seeds) {
		t.Errorf("%d views entered in %d runs: they test nothing", views, seeds)
	}
}
