package sim

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/protocol"
)

// Genre is what a seed is for. Beyond what theory promises, everything is
// drawn alike.
type Genre string

// The genres, with their shares of the seeds in genreShares.
const (
	genreBenign  Genre = "benign"  // crashes, disks, networks, nobody lies
	genreTraitor Genre = "traitor" // at most f lie, lose their disks or stay away
	genreTreason Genre = "treason" // f+1 lie together: may fork where n = 3f+1
	genreBent    Genre = "bent"    // n = 3f, or a quorum that is not the right one
)

// genreShares are the shares of the seeds, in percent.
var genreShares = []struct {
	genre Genre
	share int
}{{genreBenign, 25}, {genreTraitor, 57}, {genreTreason, 13}, {genreBent, 5}}

// drawGenre draws what a seed is for.
func drawGenre(r *stream) Genre {
	dice := r.upTo(99)
	for _, g := range genreShares {
		if dice -= g.share; dice < 0 {
			return g.genre
		}
	}
	return genreBenign
}

// FromSeedOf draws the system of a seed for a protocol: with traitors for one
// that tolerates them, without for one that does not. Disks are set back, and
// clients misbehave, for either: no protocol can rule it out.
func FromSeedOf(p protocol.Protocol, seed uint64) Config {
	if p.Model == quorum.Byzantine {
		return drawSystem(p.Name, seed)
	}
	r := newStream(seed, "crash faults")
	c := WithoutTraitors(seed)
	c.Replicas = pick(r, crashSizes...)
	c = c.crashFaults(p.Name)
	c.Hazards = append(c.Hazards, drawHazards(newStream(seed, "swizzle"), c.Timing.Safety, []HazardKind{hazardSwizzle})...)
	c.drawIsolation(newStream(seed, "hunt"))
	if r.chance(million / 3) {
		c.Limits = tightLimits()
		c.Limits.BatchRequests = pick(r, 1, 2, 4, 16, 64)
		c.Byzantines = append(c.Byzantines, drawClientBehaviour(r, &c))
	}
	c.drawFlood(newStream(seed, "flood"))
	c.drawClocks(newStream(seed, "clocks"))
	c.drawSetBack(newStream(seed, "set back"))
	c.drawReads(newStream(seed, "reads"))
	c.drawSyncCut(newStream(seed, "sync cut"))
	return c
}

// FromSeed draws a whole system of PBFT.
func FromSeed(seed uint64) Config { return drawSystem(protocol.PBFT, seed) }

// drawSystem draws a whole system: sizes, network, disks, hazards, traitors and
// Byzantine clients. Sizes are small, because trouble lives at the edges
// of intervals and windows; rates are log-uniform, because nobody knows the
// interesting ones; of all classes of faults a subset is drawn, because many at
// once hide each other.
func drawSystem(of string, seed uint64) Config {
	r := newStream(seed, "system")
	c := Config{Seed: seed, Genre: drawGenre(r), Protocol: of}
	c.Replicas = pick(r, 4, 4, 4, 5, 6, 7)
	if r.chance(million / 8) {
		c.Replicas = 8 + r.upTo(5)
	}
	c.Trust.Faults = (c.Replicas - 1) / 3
	c.Interval = 2 + consensus.Seq(r.upTo(8))
	c.Window = c.Interval * consensus.Seq(2+r.upTo(2))
	c.Timing = drawTiming(r)
	c.Timing.Safety = min(c.Timing.Safety, 28*Second/consensus.Time(c.Replicas))
	c.Network = drawNetwork(r)
	c.RealKeys = r.chance(million / 100)
	c.Disk = drawDisks(r)
	c.drawLoad(r)
	c.Hazards = drawHazards(newStream(seed, "hazards"), c.Timing.Safety, allHazards)
	c.drawIsolation(newStream(seed, "hunt"))
	c.drawTraitors(newStream(seed, "plot"))
	c.drawLongSession(newStream(seed, "long session"))
	c.drawHost(newStream(seed, "host"))
	c.drawFlood(newStream(seed, "flood"))
	c.drawClocks(newStream(seed, "clocks"))
	c.drawSetBack(newStream(seed, "set back"))
	c.drawTasks(newStream(seed, "tasks"))
	c.drawReads(newStream(seed, "reads"))
	return c
}

// drawHost draws how quick verification is and how much may wait: in two of
// three seeds some of the bounds are so small that they are met.
func (c *Config) drawHost(r *stream) {
	b := host.DefaultBounds()
	c.Host = Host{Workers: 1 + r.upTo(2), Verify: logUniform(r, Millisecond/100, 7)}
	if r.chance(million * 2 / 3) {
		tight := func(bound *int, choices ...int) {
			if r.chance(million / 2) {
				*bound = pick(r, choices...)
			}
		}
		tight(&b.GroupFrames, 1, 2, 8, 32)
		tight(&b.PeerFrames, 16, 64, 256)
		tight(&b.PeerBytes, 4<<10, 32<<10, 256<<10)
		tight(&b.ClientFrames, 1, 2, 8)
		tight(&b.ClientBytes, 16<<10, 128<<10)
		tight(&b.InboxEvents, 4, 16, 64)
		tight(&b.InboxBytes, 4<<10, 64<<10)
		tight(&b.Jobs, 1, 4, 16)
		tight(&b.Answers, 1, 4, 32)
		tight(&b.Reads, 1, 4)
	}
	c.Host.Bounds = b
	c.Host.Verify = min(c.Host.Verify, c.bearable(b.GroupFrames))
	c.Timing.StepDelay = min(c.Timing.StepDelay, stepClasses*c.bearable(b.InboxEvents))
}

// stepClasses: a step takes as many votes as its inbox holds, and as many bodies
// and requests beside them, where a worker's group is all that it takes.
const stepClasses = 2

// bearable is how long whoever takes so many frames together may take for them at
// most: a worker for its group, and the engine for its step, which takes no more
// than its inbox holds. What each member says periodically alone, to each other
// one, grows with their number; where a frame takes longer, it is never done with
// them, and no patience is long enough.
func (c *Config) bearable(together int) consensus.Time {
	return 2 * Millisecond * consensus.Time(together) / consensus.Time(c.Replicas)
}

// drawDisks draws how disks and execution behave.
func drawDisks(r *stream) Disks {
	return Disks{
		Sync: logUniform(r, Millisecond/10, 7), Execute: logUniform(r, Millisecond/100, 9),
		Segment: 1 + r.upTo(15), Holes: r.chance(million / 3),
	}
}

// drawTasks draws how long the steps of checkpoints' tasks take, how many tasks
// execution may be ahead of, and whether they take seconds now and then.
func (c *Config) drawTasks(r *stream) {
	c.Disk.Task = logUniform(r, Millisecond/100, 11)
	if r.chance(million / 5) {
		c.Disk.Task = 0
	}
	c.Host.Bounds.Tasks = pick(r, 1, 2, 8)
	c.Host.Bounds.TaskBytes = pick(r, 1<<10, 64<<10, 64<<20)
	c.Hazards = append(c.Hazards, drawHazards(r, c.Timing.Safety, []HazardKind{hazardSlowTasks})...)
}

// tightLimits are limits that the load just stays within, so that what
// Byzantine clients do beyond them shows quickly.
func tightLimits() consensus.Limits {
	l := consensus.DefaultLimits()
	l.OperationBytes, l.RequestBytes, l.RequestOperations = 2<<10, 40<<10, 32
	l.ValueBytes, l.ResultBytes, l.SessionBytes, l.OperationSteps = 2<<10, 40<<10, 256<<10, 1000
	return l
}

// drawLoad draws what clients do. The load lasts about as long as the safety
// phase, otherwise hazards would hit an idle system; large clusters get less of it,
// for their messages grow with the square of their size.
func (c *Config) drawLoad(r *stream) {
	c.Limits = tightLimits()
	c.Limits.BatchRequests = pick(r, 1, 2, 4, 16, 64)
	c.Limits.BatchBytes = pick(r, 256, 4096, 1<<20)
	c.Workload = Workload{
		Clients: 1 + r.upTo(3), Callers: pick(r, 1, 1, 2, 4), Invoked: 10 + r.upTo(160/c.Replicas), Operations: pick(r, 1, 2, 4, 16),
		ValueBytes: pick(r, 8, 64, 1024), Keys: 1 + r.upTo(5),
		Timeout: consensus.Time(c.Timing.Patience) * c.Timing.Tick / 2,
	}
	c.Workload.Think = c.Timing.Safety * consensus.Time(c.Workload.Callers) / consensus.Time(c.Workload.Invoked)
	if r.chance(million / 3) {
		for range 1 + r.upTo(1) {
			c.Byzantines = append(c.Byzantines, drawClientBehaviour(r, c))
		}
	}
}

// drawFlood has, now and then, whoever misbehaves keep all workers busy, in
// clusters of up to seven that must live all the same. They are slow then, and
// take little at once, else it would take too many frames; each member has a
// turn, so that large clusters need quicker ones. Batches are large enough that
// what waits is executed before backups lose their patience.
func (c *Config) drawFlood(r *stream) {
	wanted := r.chance(million / 6)
	group := pick(r, 4, 8)
	liars := len(c.Traitors)
	if !wanted || liars+len(c.Byzantines) == 0 || c.Replicas > 7 || c.Genre == genreTreason || c.Genre == genreBent || c.forgets() && liars >= c.Trust.Faults {
		return
	}
	c.Flood = true
	c.Host.Workers, c.Host.Verify, c.Host.Bounds.GroupFrames = 1, 8*Millisecond/consensus.Time(c.Replicas), group
	c.Limits.BatchRequests, c.Limits.BatchBytes = max(16, c.Limits.BatchRequests), 1<<20
}

// WithoutTraitors draws a system in which nobody lies, for tests of what
// crashes, disks and networks do, and for protocols that tolerate no more.
func WithoutTraitors(seed uint64) Config {
	r := newStream(seed, "config")
	p, _ := protocol.Lookup(protocol.PBFT)
	n := pick(r, 4, 4, 4, 4, 5, 6, 7, 10)
	k := 2 + consensus.Seq(r.upTo(8))
	c := Config{
		Seed: seed, Genre: genreBenign, Protocol: p.Name, Replicas: n, Trust: Trust{Faults: p.Model.System(n).Faults()},
		Interval: k, Window: k * consensus.Seq(2+r.upTo(2)),
		Timing:   drawTiming(r),
		Network:  drawNetwork(r),
		RealKeys: r.chance(million / 100),
		Disk:     drawDisks(r),
	}
	c.Limits = consensus.DefaultLimits()
	c.Limits.BatchRequests = pick(r, 1, 2, 4, 16, 64)
	c.Limits.BatchBytes = pick(r, 256, 4096, 1<<20)
	c.Workload = Workload{
		Clients: 1 + r.upTo(5), Callers: pick(r, 1, 1, 2, 4, 8), Invoked: 20 + r.upTo(80), Operations: pick(r, 1, 2, 4, 16),
		ValueBytes: pick(r, 8, 64, 1024), Keys: 1 + r.upTo(7),
		Timeout: consensus.Time(c.Timing.Patience) * c.Timing.Tick / 2,
	}
	c.Workload.Think = c.Timing.Safety * consensus.Time(c.Workload.Callers) / consensus.Time(c.Workload.Invoked)
	c.Hazards = drawHazards(r, c.Timing.Safety, plainHazards)
	c.drawLongSession(newStream(seed, "long session"))
	c.drawHost(newStream(seed, "host"))
	c.drawTasks(newStream(seed, "tasks"))
	return c
}

func drawTiming(r *stream) Timing {
	t := Timing{
		Tick: 10 * Millisecond, Patience: 20 << r.upTo(3), Skew: 2 * Second,
		Safety: Second + r.duration(6*Second), StepDelay: logUniform(r, Millisecond/100, 8),
	}
	t.PatienceCap = t.Patience << (1 + r.upTo(3))
	t.Liveness = t.bound()
	return t
}

// bound is how long the second phase may take: a handful of view changes at
// the cap of patience, and the time that re-sending and a transfer of the
// state take. It errs on the long side; a run ends as soon as it is done.
func (t *Timing) bound() consensus.Time {
	return 30*Second + 40*consensus.Time(t.PatienceCap)*t.Tick
}

func drawNetwork(r *stream) NetworkModel {
	w := NetworkModel{Delay: logUniform(r, Millisecond/10, 5)}
	w.Jitter = pick(r, 0, w.Delay, 4*w.Delay, 10*Millisecond)
	if r.chance(million * 2 / 3) {
		w.Loss = 100 << r.upTo(11) // up to 20 %
	}
	if r.chance(million / 2) {
		w.Duplicate = 100 << r.upTo(10)
	}
	if r.chance(million / 3) {
		w.Late, w.LateBy = 100<<r.upTo(7), 5*Second
	}
	if r.chance(million / 2) {
		w.Held = million / 2
	}
	return w
}

// drawLongSession has, now and then, one client ask more than a session's window
// holds: who restarts, or gets a state, in the middle of it must find its place.
func (c *Config) drawLongSession(r *stream) {
	if !r.chance(million / 20) {
		return
	}
	w := &c.Workload
	w.Clients, w.Operations, w.Invoked = 1, 1, consensus.SessionWindow+r.upTo(200)
	w.Think = c.Timing.Safety * consensus.Time(w.Callers) / consensus.Time(w.Invoked)
}
