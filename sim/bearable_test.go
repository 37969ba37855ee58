package sim

import "testing"

// Whatever is drawn, neither workers nor the engine take longer for a frame than
// members of that number bear; and what is bounded is drawn all the same.
func TestMachinesBearWhatMembersSay(t *testing.T) {
	bounded := 0
	for seed := uint64(1); seed <= 2000; seed++ {
		c := FromSeed(seed)
		if c.Flood {
			continue // it has bounds of its own
		}
		b := c.Host.Bounds
		if c.Host.Verify > c.bearable(b.GroupFrames) {
			t.Errorf("seed %d: %d members, and %d frames take %v", seed, c.Replicas, b.GroupFrames, c.Host.Verify)
		}
		most := stepClasses * c.bearable(b.InboxEvents)
		if c.Timing.StepDelay > most {
			t.Errorf("seed %d: %d members, and a step of %d events takes %v", seed, c.Replicas, b.InboxEvents, c.Timing.StepDelay)
		}
		if c.Timing.StepDelay == most {
			bounded++
		}
	}
	if bounded == 0 {
		t.Error("no step is as slow as members bear")
	}
}

// Twelve members, four events in a step that takes 2.56 ms, batches of one
// request, and a client that sends each member another one in its turn: all of an
// engine's time was gone, and each view ended before its requests did.
func TestSlowStepsOfManyMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("twelve members")
	}
	if r := run(t, FromSeed(13001673)); !r.Live {
		t.Errorf("not live: %v", r.Violations)
	}
}
