package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// Durations of virtual time, in nanoseconds.
const (
	Millisecond = consensus.Time(1e6)
	Second      = consensus.Time(1e9)
)

// startTime is the virtual clock's start: 2026-01-01 UTC.
const startTime = consensus.Time(1767225600 * 1e9)

// Config is everything that a run depends on beside the protocol. FromSeed
// draws one; a test may change it before New.
type Config struct {
	Seed       uint64
	Genre      Genre  // what it was drawn for; has no effect
	Protocol   string // the genesis' protocol
	Replicas   int
	Trust      Trust
	Interval   consensus.Seq
	Window     consensus.Seq
	Limits     consensus.Limits
	Timing     Timing
	Workload   Workload
	Network    NetworkModel
	Disk       Disks
	Host       Host
	Flood      bool // traitors and Byzantine clients repeat themselves faster than others can verify
	Hazards    []Hazard
	Faults     []Fault               // at fixed moments, beside the hazards
	Traitors   []Traitor             // replicas that lie
	SetBacks   []SetBack             // replicas whose disk becomes an older copy: traitors, too
	Coalition  bool                  // ... and share their keys and a plan
	Twins      []consensus.ReplicaID // replicas with a second body under the same id: traitors, too
	Splits     Splits                // of the bodies, in the first views
	Byzantines []string              // behaviours of Byzantine clients, one client each
	RealKeys   bool                  // Ed25519 instead of keyed hashes
	Trace      io.Writer             // one readable line per event; may be nil
	Watch      func(Step)            // gets every event, for charts; may be nil
	// CoolDown is how long a run that something was violated in goes on, so that
	// a watcher sees what comes of it.
	CoolDown consensus.Time
	// Build makes what each life of a replica is built from; nil = as the
	// registry has it. Tests bend it.
	Build func(protocol.Settings) (consensus.Protocol, error)
	// Application is what is replicated; nil = the simulator's own, for which
	// operations are drawn. Ask then says what a client invokes next and not
	// before when, given the result before (nil at first); not ok ends it. No
	// client may ask twice for equal bytes.
	Application app.Application
	Ask         func(client int, before *consensus.Result) (op []byte, at consensus.Time, ok bool)
	Reads       func(op []byte) bool // ... what of it is read without an order; nil = nothing
}

// Trust is how much may go wrong, and who is believed.
type Trust struct {
	Faults  int // how many replicas may fail at a time: lie, have no memory, stay away; a run takes away no more than that leaves
	Assumed int // the genesis' wish for faults; 0 = as many as its bound allows
	Quorum  int // 0 = the right one; another is for showing what then happens
}

// Timing holds durations of virtual time, and of ticks.
type Timing struct {
	Tick        consensus.Time // one tick
	Patience    int            // base patience of the protocol, in ticks
	PatienceCap int            // ... and its cap
	Skew        consensus.Time // the genesis' bound; clocks are off by at most half of it
	Safety      consensus.Time // length of the first phase
	Liveness    consensus.Time // bound of the second phase
	StepDelay   consensus.Time // at most this long from an arrival to the step: what arrives meanwhile shares a burst
	Elections   protocol.Elections
	// LeaderPatience is how long an elected leader may be silent, in ticks; 0 =
	// as long as a request may wait.
	LeaderPatience int
}

// Workload says what the clients do.
type Workload struct {
	Clients    int
	Callers    int // of one client, at a time
	Invoked    int // operations of one client, in all
	Operations int // at most, in one request
	ValueBytes int // at most, of one written value
	Keys       int // counters, lists and registers; few make conflicts
	Think      consensus.Time
	Timeout    consensus.Time // until a request is sent again, to all
	Deadline   consensus.Time // after which a caller gives its call up; 0 = never
	Notice     consensus.Time // after which a client notices that a fault has cut a link of its own; 0 = never
	Reads      int            // the chance that a caller reads without an order before it goes on
	NoLeader   consensus.Time // until a caller is told that nobody leads; 0 = it waits
}

// NetworkModel is how the network behaves outside of partitions. Chances are in
// parts per million, per frame.
type NetworkModel struct {
	Delay     consensus.Time // at least
	Jitter    consensus.Time // up to this much more; reorders
	Loss      int
	Duplicate int
	Late      int            // a frame is delayed by up to LateBy more
	LateBy    consensus.Time // far beyond timeouts: an old message out of the blue
	Bandwidth int            // bytes a second of each link; 0 = no frame is too large
	Held      int            // a frame that a partition stops is delivered when it heals
}

// Disks says how disks and execution behave.
type Disks struct {
	Sync    consensus.Time // a sync takes up to this long
	Execute consensus.Time // a job takes up to this long
	Task    consensus.Time // ... as does each step of what a checkpoint costs, beside execution; 0 = it is part of the job
	Segment int            // records in one segment of the log: what is forgotten goes by segments
	Holes   bool           // forgetting may take any segment that qualifies, not only the oldest
	Steady  bool           // syncs and jobs take exactly as long as they may, so that they can be counted by the clock
}

// takes is how long something takes that may take up to most.
func (d *Disks) takes(dice *stream, most consensus.Time) consensus.Time {
	if d.Steady {
		return most
	}
	return dice.duration(most)
}

// HazardKind names a class of faults.
type HazardKind string

// The classes of faults.
const (
	hazardCrash           HazardKind = "crash"            // one replica loses what was not synced, and restarts later
	hazardPowerLoss       HazardKind = "power loss"       // all replicas at once
	hazardPause           HazardKind = "pause"            // one replica stands still for a while
	hazardPartition       HazardKind = "partition"        // the network splits in two; clients fall on either side
	hazardOneWay          HazardKind = "one way"          // some links work in one direction only
	hazardIsolate         HazardKind = "isolate"          // one replica hears and is heard by nobody
	hazardSlowDisk        HazardKind = "slow disk"        // one replica's syncs take a hundred times longer for a while
	hazardSlowRun         HazardKind = "slow run"         // ... or its execution does
	hazardSlowTasks       HazardKind = "slow checkpoints" // ... or what its checkpoints cost, beside execution, does
	hazardWipe            HazardKind = "wipe"             // one replica loses its disk
	hazardLossBurst       HazardKind = "tempest"          // loss rises to half of everything for a while
	hazardRelaunch        HazardKind = "relaunch"         // one client loses its process, and comes back with a higher epoch
	hazardSwizzle         HazardKind = "swizzle"          // links stop one by one, and come back in another order
	hazardClock           HazardKind = "clock"            // one replica's clock is wrong for a while
	hazardClocks          HazardKind = "clocks"           // ... or all of them, by the same
	hazardClientClock     HazardKind = "own clock"        // one client restarts with a wrong clock
	hazardLeaderIsolation HazardKind = "hunt"             // whoever is primary is cut off, in several views in a row
	hazardSyncCut         HazardKind = "sync cut"         // a leader loses its power while it writes, and another one is cut off
)

// Hazard is one class of faults at one rate.
type Hazard struct {
	Kind  HazardKind
	Every consensus.Time // mean time between two
	Lasts consensus.Time // at most, each
}

// crashFaults turns c into a configuration for a protocol that tolerates
// crashes only: any minority may stay away, and nobody
// loses a disk. In half of the seeds callers are told when nobody leads, which
// rests on channels that deliver a frame once, as streams do: a request that was
// declined must not come again by itself, and be taken.
func (c Config) crashFaults(protocol string) Config {
	c.Protocol, c.Trust.Faults = protocol, (c.Replicas-1)/2
	if c.Seed%2 == 0 {
		c.Workload.NoLeader, c.Network.Duplicate = c.Workload.Timeout, 0
	}
	return c.withoutHazard(hazardWipe)
}

// clocksAreWrong reports whether clocks are set wrong by more than the skew.
func (c *Config) clocksAreWrong() bool {
	return slices.ContainsFunc(c.Hazards, func(h Hazard) bool { return slices.Contains(clockHazards, h.Kind) })
}

// withoutHazard takes a class of hazards out, to see which of them a violation needs.
func (c Config) withoutHazard(kind HazardKind) Config {
	c.Hazards = slices.DeleteFunc(slices.Clone(c.Hazards), func(h Hazard) bool { return h.Kind == kind })
	return c
}

// String is the configuration on one line.
func (c *Config) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed=%d %s n=%d f=%d k=%d l=%d batch=%d clients=%dx%d hazards=%v",
		c.Seed, c.Genre, c.Replicas, c.Trust.Faults, c.Interval, c.Window, c.Limits.BatchRequests, c.Workload.Clients, c.Workload.Callers, c.Hazards)
	if c.Trust.Quorum != 0 || c.Trust.Assumed != 0 {
		fmt.Fprintf(&b, " quorum=%d assumed=%d", c.Trust.Quorum, c.Trust.Assumed)
	}
	for _, f := range c.Faults {
		fmt.Fprintf(&b, " fault=%s%v", f.Kind, f.Replicas)
	}
	for _, s := range c.SetBacks {
		fmt.Fprintf(&b, " R%d set back by %dms at %dms", s.Replica, (s.At-s.Copied)/Millisecond, s.At/Millisecond)
	}
	for _, t := range c.Traitors {
		fmt.Fprintf(&b, " R%d:", t.Replica)
		for _, a := range t.Schedule {
			fmt.Fprintf(&b, " [%dms %s]", a.From/Millisecond, strings.Join(a.Behaviours, " + "))
		}
	}
	if c.Coalition && len(c.Traitors) > 0 {
		b.WriteString(" in a coalition")
	}
	if len(c.Twins) > 0 {
		fmt.Fprintf(&b, " twins=%v splits: %s", c.Twins, c.Splits.text(c))
	}
	if len(c.Byzantines) > 0 {
		fmt.Fprintf(&b, " byzantine clients=%q", c.Byzantines)
	}
	if c.Flood {
		b.WriteString(" flood")
	}
	return b.String()
}
