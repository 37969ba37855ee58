package sim

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// goal is something that seeds should come to. Each is counted by seeds.
type goal struct {
	name  string
	least int // seeds of GateSeeds
	seen  func(*Config, *Result) bool
	liars bool // wanted only where somebody lies
}

// crashGoals are those of every crash-fault protocol: nobody lies there, so that
// behaviours and phases say nothing.
var crashGoals = []goal{
	{name: "a replica restarted from its log", least: 300, seen: func(_ *Config, r *Result) bool { return r.Stats.Notes[consensus.Restarted] > 0 }},
	{name: "a client lied", least: 100, seen: func(c *Config, _ *Result) bool { return len(c.Byzantines) > 0 }},
	{name: "real keys", least: 1, seen: func(c *Config, _ *Result) bool { return c.RealKeys }},
	{name: "power loss", least: 100, seen: struck(hazardPowerLoss)},
	{name: "crash", least: 100, seen: struck(hazardCrash)},
	{name: "pause", least: 100, seen: struck(hazardPause)},
	{name: "partition", least: 100, seen: struck(hazardPartition)},
	{name: "links of one direction", least: 100, seen: struck(hazardOneWay)},
	{name: "one replica cut off", least: 100, seen: struck(hazardIsolate)},
	{name: "links that stop and come back one by one", least: 100, seen: struck(hazardSwizzle)},
	{name: "leaders cut off one after the other", least: 200, seen: struck(hazardLeaderIsolation)},
	{name: "a leader's power lost while it wrote", least: 50, seen: struck(hazardSyncCut)},
	{name: "slow disk", least: 100, seen: struck(hazardSlowDisk)},
	{name: "slow execution", least: 100, seen: struck(hazardSlowRun)},
	{name: "slow checkpoints", least: 100, seen: struck(hazardSlowTasks)},
	{name: "half of everything lost", least: 100, seen: struck(hazardLossBurst)},
	{name: "a client's process lost", least: 100, seen: struck(hazardRelaunch)},
	{name: "one clock wrong", least: 50, seen: struck(hazardClock)},
	{name: "all clocks wrong", least: 50, seen: struck(hazardClocks)},
	{name: "a client's clock wrong", least: 50, seen: struck(hazardClientClock)},
}

// queueGoals are what the queues of a replica's process should come to. Where
// nobody lies, nobody floods with larger frames.
var queueGoals = []goal{
	{name: "workers kept busy by a flood", least: 20, seen: func(_ *Config, r *Result) bool { return r.Stats.Repeated > 0 }},
	{name: fullSmall, least: 5, seen: full(fullSmall)},
	{name: fullIntake, least: 10, seen: full(fullIntake), liars: true},
	{name: fullStream, least: 1, seen: full(fullStream), liars: true},
	{name: fullClient, least: 20, seen: full(fullClient)},
	{name: fullInbox, least: 20, seen: full(fullInbox)},
	{name: fullRequests, least: 10, seen: full(fullRequests)},
	{name: fullJobs, least: 20, seen: full(fullJobs)},
	{name: fullAnswers, least: 20, seen: full(fullAnswers)},
	{name: fullReads, least: 1, seen: full(fullReads)},
}

// readGoals are what READs should meet. Where crashes alone are tolerated, nobody lies
// or sleeps, and one answer is enough.
var readGoals = []goal{
	{name: readAgain, least: 20, seen: met(readAgain), liars: true},
	{name: readOrdered, least: 20, seen: met(readOrdered)},
	{name: readLate, least: 20, seen: met(readLate)},
	{name: readSleeper, least: 5, seen: met(readSleeper), liars: true},
	{name: readHigh, least: 1, seen: met(readHigh), liars: true},
	{name: readLow, least: 1, seen: met(readLow), liars: true},
	{name: readWrong, least: 5, seen: met(readWrong), liars: true},
	{name: readSilence, least: 1, seen: met(readSilence), liars: true},
}

// always are the goals of every protocol.
var always = slices.Concat(queueGoals, readGoals)

// goals are the protocol's own, and those of all crash-fault protocols; none
// where seeds draw traitors.
func (c *Coverage) goals() []goal {
	if c.lies() {
		return nil
	}
	var all []goal
	for _, g := range c.Protocol.Goals {
		all = append(all, goal{name: g.Name, least: g.Least, seen: func(_ *Config, r *Result) bool {
			return g.Seen(&protocol.Run{
				Changes: r.Stats.Changes, InARow: r.Stats.InARow, LeadersLost: r.Stats.LeadersLost, FetchedInChange: r.Stats.FetchedInChange,
				Refusals: r.Stats.Refusals, Notes: r.Stats.Notes, Reasons: r.Stats.Reasons,
			})
		}})
	}
	return append(all, crashGoals...)
}

// struck reports whether a hazard was injected, full whether a queue was, and met
// whether READs met something.
func struck(k HazardKind) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Struck[k] > 0 }
}

func met(what string) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Reads[what] > 0 }
}

func full(what string) func(*Config, *Result) bool {
	return func(_ *Config, r *Result) bool { return r.Stats.Full[what] > 0 }
}
