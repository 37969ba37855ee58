package evidence_test

import (
	"testing"

	"quorate/consensus"
	"quorate/crypto"
	"quorate/evidence"
	"quorate/sim"
)

// watched is PBFT, with an investigator that reads every frame that leaves a
// replica. What an engine says and its host never sends, because the process
// dies before the log is synced, was never said.
func watched(i **evidence.Investigator, frames *int) sim.Subject {
	subject := sim.PBFT()
	build, words := subject.Build, subject.Words
	var genesis consensus.Genesis
	var verifier crypto.Verifier
	subject.Build = func(s sim.Seat) (consensus.Protocol, error) {
		verifier = s.Verifier
		return build(s)
	}
	subject.Words = func(g consensus.Genesis) sim.Words {
		genesis = g
		w := words(g)
		promise := w.Promise
		w.Promise = func(frame []byte) (sim.Promise, bool) {
			if *i == nil {
				*i = evidence.NewInvestigator(&genesis, verifier)
			}
			*frames++
			(*i).Frame(frame)
			return promise(frame)
		}
		return w
	}
	return subject
}

// PROTOCOL.md §9: crashes, power losses, wiped disks, state transfers and view
// changes make nobody convict itself who runs the protocol.
func TestHonestRunsConvictNobody(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 5
	}
	views, frames := 0, 0
	for seed := range seeds {
		var i *evidence.Investigator
		world, err := sim.New(sim.FromSeed(seed), watched(&i, &frames))
		if err != nil {
			t.Fatal(err)
		}
		result := world.Run()
		views += result.Stats.Notes[consensus.EnteredView]
		if i == nil {
			t.Fatalf("seed %d: nothing was read", seed)
		}
		for _, e := range i.Entries() {
			t.Errorf("seed %d: %s", seed, e.Fault)
		}
		for _, c := range i.Conflicts() {
			t.Errorf("seed %d: %s", seed, c)
		}
		if i.Ignored() > 0 {
			t.Errorf("seed %d: %d words of honest replicas do not verify", seed, i.Ignored())
		}
	}
	if views < int(seeds) || frames < 1000 {
		t.Errorf("%d views entered and %d frames read: the runs test nothing", views, frames)
	}
}
