package sim

import (
	"slices"

	"quorate.dev/quorate/consensus"
)

// plainHazards are drawn from without traitors, and allHazards beside them.
var (
	plainHazards = []HazardKind{hazardCrash, hazardPowerLoss, hazardPause, hazardPartition, hazardOneWay, hazardIsolate, hazardSlowDisk, hazardSlowRun, hazardWipe, hazardLossBurst, hazardRelaunch}
	allHazards   = slices.Concat(plainHazards, []HazardKind{hazardSwizzle})
)

// drawHazards enables a random subset of the classes, each at its own rate.
func drawHazards(r *stream, phase consensus.Time, kinds []HazardKind) []Hazard {
	var hs []Hazard
	for _, kind := range kinds {
		enabled := r.chance(million / 3)
		h := Hazard{Kind: kind, Every: logUniform(r, phase/16, 5), Lasts: logUniform(r, 50*Millisecond, 7)}
		if enabled {
			hs = append(hs, h)
		}
	}
	return hs
}

// clockHazards are wrong clocks.
var clockHazards = []HazardKind{hazardClock, hazardClocks, hazardClientClock}

// drawClocks sets clocks wrong in a third of the seeds.
func (c *Config) drawClocks(r *stream) {
	if r.chance(million / 3) {
		c.Hazards = append(c.Hazards, drawHazards(r, c.Timing.Safety, clockHazards)...)
	}
}

// wrongBy are by how much clocks are wrong: within the skew or not, within what
// a session may idle or not.
func wrongBy(r *stream) consensus.Time {
	by := pick(r, 2*Second, 3*Second, 60*Second, 3600*Second)
	if r.chance(million / 2) {
		return -by
	}
	return by
}

// drawSyncCut adds, in one of four seeds, power that fails at a leader while it writes:
// where its proposals leave before that, all that rests on its own vote is at stake.
func (c *Config) drawSyncCut(r *stream) {
	if r.chance(million / 4) {
		c.Hazards = append(c.Hazards, Hazard{Kind: hazardSyncCut, Every: logUniform(r, c.Timing.Safety/16, 3), Lasts: logUniform(r, Second/10, 4)})
	}
}

// drawIsolation adds, in more than half of the seeds, the hazard that makes view
// changes follow each other: what only two in a row show is too rare without it. The patience of such a seed is short enough.
func (c *Config) drawIsolation(r *stream) {
	if !r.chance(million * 55 / 100) {
		return
	}
	c.Timing.Patience = min(c.Timing.Patience, pick(r, 20, 20, 40))
	c.Timing.PatienceCap = min(c.Timing.PatienceCap, 8*c.Timing.Patience)
	c.Timing.Safety = max(c.Timing.Safety, 3*Second)
	c.Workload.Timeout = consensus.Time(c.Timing.Patience) * c.Timing.Tick / 2
	c.Timing.Liveness = c.Timing.bound()
	c.Hazards = append(c.Hazards, Hazard{
		Kind: hazardLeaderIsolation, Every: logUniform(r, c.Timing.Safety/8, 2), Lasts: 4 * consensus.Time(c.Timing.Patience) * c.Timing.Tick,
	})
}
