package costs

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// errOptions is wrapped by what Measure refuses.
var errOptions = errors.New("nothing to measure")

// errDisturbed is wrapped when a run was not the quiet one that it should have
// been: its counts would be those of something else.
var errDisturbed = errors.New("the run was not quiet")

// Options say what is measured.
type Options struct {
	Protocol  string
	Replicas  int
	Decisions int // of each run; 1 to MaxDecisions

	// Application executes what is decided, and Operation is what a client asks
	// for as its n-th; without them, the key-value store and puts of 256 bytes.
	Application app.Application
	Operation   func(client, n int) []byte
}

// put is the operation of those who name none.
func put(client, n int) []byte {
	return kv.Put(fmt.Appendf(nil, "%04d/%06d", client, n), slices.Repeat([]byte{'v'}, valueBytes))
}

// Decisions is how many are enough: on a quiet network each is like the last.
const Decisions = 8

// MaxReplicas bounds the measured sizes: a square of it is simulated per decision.
const MaxReplicas = 31

// MaxDecisions bounds a run: it counts exactly, so that more tell no more.
const MaxDecisions = 10_000

// Requests per decision of the second run, and callers of the third.
const (
	perHundred = 100
	callers    = 64
)

// valueBytes is the size of each value that is put, as of quorate bench.
const valueBytes = 256

// Cost is what one protocol with one number of replicas costs.
type Cost struct {
	Protocol string            `json:"protocol"`
	Replicas int               `json:"replicas"`
	Faults   int               `json:"faults"`
	Alone    Tally             `json:"alone"`   // one request per decision, one decision at a time
	Hundred  Tally             `json:"hundred"` // a hundred requests per decision
	Load     Tally             `json:"load"`    // callers in a closed loop: several decisions under way
	Idle     Tally             `json:"idle"`    // ten seconds of the standard timing in which nobody asks
	Delays   float64           `json:"message_delays"`
	Syncs    float64           `json:"serial_syncs"`
	Theory   protocol.Expected `json:"theory"`

	Read       Tally             `json:"read"` // reads without an order, one at a time; nothing if the protocol orders all
	ReadDelays float64           `json:"read_message_delays"`
	ReadSyncs  float64           `json:"read_serial_syncs"`
	ReadTheory protocol.Expected `json:"read_theory"`
}

// MeasureAll measures several systems, as many at once as there are processors.
// The results stand in the order of the options.
func MeasureAll(options []Options) ([]Cost, error) {
	all := make([]Cost, len(options))
	var running errgroup.Group
	running.SetLimit(runtime.GOMAXPROCS(0))
	for i, o := range options {
		running.Go(func() (err error) {
			all[i], err = Measure(o)
			return err
		})
	}
	return all, running.Wait()
}

// Measure runs one protocol with one number of replicas. Errors wrap errOptions
// or errDisturbed.
func Measure(o Options) (Cost, error) {
	p, err := protocol.Lookup(o.Protocol)
	switch {
	case err != nil:
		return Cost{}, fmt.Errorf("%w: %w", errOptions, err)
	case p.Costs.Decision == nil:
		return Cost{}, fmt.Errorf("%w: protocol %q has no formulas", errOptions, o.Protocol)
	case o.Replicas < 2 || o.Replicas > MaxReplicas:
		return Cost{}, fmt.Errorf("%w: %s: choose 2 to %d", errOptions, noun.Several(o.Replicas, "replica"), MaxReplicas)
	case o.Decisions < 1 || o.Decisions > MaxDecisions:
		return Cost{}, fmt.Errorf("%w: %d decisions: choose 1 to %d", errOptions, o.Decisions, MaxDecisions)
	}
	c := Cost{Protocol: o.Protocol, Replicas: o.Replicas, Faults: p.Model.System(o.Replicas).Faults(), Theory: p.Costs.Decision(o.Replicas)}
	alone, hundred, load, synced := o.run(p), o.run(p), o.run(p), o.run(p)
	hundred.clients = perHundred
	load.clients, load.loop = callers, true
	load.disk, load.stepDelay = sim.Disks{Sync: delay, Execute: delay / 10, Segment: 64}, delay/10
	synced.network.Delay, synced.disk.Sync = 0, delay
	idle := o.run(p)
	idle.idle()
	if err := o.do(alone, hundred, load, synced, idle); err != nil {
		return Cost{}, err
	}
	c.Alone, c.Hundred, c.Load, c.Idle = alone.tally(), hundred.tally(), load.tally(), idle.tally()
	c.Delays, c.Syncs = alone.latency(), synced.latency()
	if p.Costs.Read == nil {
		return c, nil
	}
	read, readSynced := o.reading(p), o.reading(p)
	readSynced.network.Delay, readSynced.disk.Sync = 0, delay
	if err := o.do(read, readSynced); err != nil {
		return Cost{}, err
	}
	c.Read, c.ReadDelays, c.ReadSyncs, c.ReadTheory = read.tally(), read.latency(), readSynced.latency(), p.Costs.Read(o.Replicas)
	return c, nil
}

// do does runs one after the other.
func (o Options) do(runs ...*run) error {
	for _, r := range runs {
		if err := r.do(); err != nil {
			return fmt.Errorf("%s with %d replicas: %w", o.Protocol, o.Replicas, err)
		}
	}
	return nil
}

// delay is how long a frame is under way, where that counts, and a sync, where
// that does. A decision every gap is one at a time.
const (
	delay = sim.Millisecond
	gap   = 32 * delay
	// The callers of a loop begin one after another, within a few delays.
	spread = delay / 16
)

// The time of a run: clients begin when a leader has been elected, and ask a
// few times before it counts, so that they know whom to ask.
const (
	slowTick = sim.Second // upkeep, once in twenty and more of them, stays out of the way
	patience = 200        // ticks
	warmup   = 2          // requests of each client
)

// run is one simulation, and what was counted in it.
type run struct {
	Options
	protocol  protocol.Protocol
	clients   int
	reads     bool // what is measured is read, and not ordered
	loop      bool // each client asks again at once, instead of all at fixed moments
	calls     int  // measured requests of each client
	network   sim.NetworkModel
	disk      sim.Disks
	stepDelay consensus.Time
	tick      consensus.Time
	patience  int
	leaders   int            // patience with leaders; 0 = the same
	span      consensus.Time // that is counted, from the end of the warm-up
	meter     *meter
	asked     []int // by each client
	due       []consensus.Time
	took      []consensus.Time
}

func (o Options) run(p protocol.Protocol) *run {
	if o.Application == nil {
		o.Application = kv.Store{}
	}
	if o.Operation == nil {
		o.Operation = put
	}
	return &run{
		Options: o, protocol: p, clients: 1, calls: o.Decisions, network: sim.NetworkModel{Delay: delay}, disk: sim.Disks{Steady: true, Segment: 64},
		tick: slowTick, patience: patience, span: consensus.Time(o.Decisions) * gap,
	}
}

// reading is a run in which the store is read: what the client has put before it counts.
func (o Options) reading(p protocol.Protocol) *run {
	o.Application, o.Operation = nil, func(client, n int) []byte {
		if n < warmup {
			return put(client, n)
		}
		return readOperation(client)
	}
	r := o.run(p)
	r.reads = true
	return r
}

// readOperation reads what a client has put first, and readBytes is what it weighs with
// its result, a value of that size behind its revision.
func readOperation(client int) []byte { return kv.Get(fmt.Appendf(nil, "%04d/%06d", client, 0)) }

func readBytes() int { return len(readOperation(0)) + 8 + valueBytes }

// isRead reports whether an operation is read without an order.
func (r *run) isRead(op []byte) bool { return r.reads && op[0] == byte(kv.KindGet) }

// idleSeconds is how long an idle cluster is watched.
const idleSeconds = 10

// idle turns r into the run in which nobody asks, with the standard timing of
// a real replica, so that what passes is upkeep.
func (r *run) idle() {
	r.calls, r.tick, r.span, r.leaders = 0, 10*sim.Millisecond, idleSeconds*sim.Second, patience/2
}

// start is when the clients begin.
func (r *run) start() consensus.Time { return 3 * consensus.Time(r.patience) * r.tick }

// begin is when counting starts.
func (r *run) begin() consensus.Time { return r.start() + warmup*gap }

// do runs it.
func (r *run) do() error {
	if r.loop {
		r.calls = max(1, r.Decisions/2)
		r.span = consensus.Time(r.calls+2) * gap
	}
	r.asked, r.due = make([]int, r.clients), make([]consensus.Time, r.clients)
	r.meter = newMeter(r.protocol, r.begin(), r.begin()+r.span)
	w, err := sim.New(r.config())
	if err != nil {
		return fmt.Errorf("%w: %w", errOptions, err)
	}
	r.meter.codec = r.protocol.Codec(w.Genesis())
	result := w.Run()
	if !result.Live || len(result.Verdict.Violations) > 0 {
		return fmt.Errorf("%w: %v", errDisturbed, result.Verdict.Violations)
	}
	return r.check()
}

// check refuses counts that hold anything else than what was to be counted.
func (r *run) check() error {
	if len(r.took) != r.calls*r.clients {
		return fmt.Errorf("%w: %d of %d requests were answered in time", errDisturbed, len(r.took), r.calls*r.clients)
	}
	decisions := r.calls
	if r.reads {
		decisions = 0
	}
	if n := len(r.meter.decided); !r.loop && n != decisions {
		return fmt.Errorf("%w: %s instead of %d", errDisturbed, noun.Several(n, "decision"), decisions)
	}
	for _, c := range r.tally().Kinds {
		if c.Part == protocol.Other {
			return fmt.Errorf("%w: it sent %s of kind %s", errDisturbed, noun.Several(c.Frames, "frame"), c.Name)
		}
	}
	return nil
}

// config is the simulator's.
func (r *run) config() sim.Config {
	limits := consensus.DefaultLimits()
	if r.loop {
		limits.BatchRequests = loopBatch
	}
	return sim.Config{
		Seed: 1, Protocol: r.Protocol, Replicas: r.Replicas,
		Interval: 64, Window: 256, Limits: limits, Network: r.network, Disk: r.disk,
		Timing: sim.Timing{
			Tick: r.tick, Patience: r.patience, PatienceCap: 8 * r.patience, LeaderPatience: r.leaders, Skew: 2 * sim.Second,
			Safety: 1, Liveness: 2*r.start() + r.span, StepDelay: r.stepDelay,
		},
		Workload:    sim.Workload{Clients: r.clients, Callers: 1, Invoked: 1, Operations: 1, ValueBytes: valueBytes, Keys: 1, Timeout: 30 * sim.Second},
		Application: r.Application, Ask: r.ask, Reads: r.isRead, Watch: r.meter.watch, Build: r.meter.build,
	}
}

// ask says what a client puts next, and when. The last request of each client
// comes after the counting, so that what the last answer brings about is counted.
func (r *run) ask(client int, before *consensus.Result) (op []byte, at consensus.Time, ok bool) {
	n := r.asked[client]
	r.asked[client]++
	if before != nil && n > warmup && n <= warmup+r.calls && r.meter.open() {
		r.took = append(r.took, r.meter.now-r.due[client])
	}
	switch {
	case n > warmup+r.calls:
		return nil, 0, false
	case n == warmup+r.calls:
		at = r.begin() + r.span + gap
	case r.loop && n >= warmup:
		at = max(r.meter.now, r.begin()+consensus.Time(client)*spread)
	default:
		at = r.start() + consensus.Time(n)*gap
	}
	r.due[client] = at
	return r.Operation(client, n), at, true
}

// latency is the time from a request to the belief in its result, in delays.
func (r *run) latency() float64 {
	var sum consensus.Time
	for _, d := range r.took {
		sum += d
	}
	return float64(sum) / float64(len(r.took)) / float64(delay)
}

// loopBatch is how many requests of a loop fit a batch, so that several are
// under way at a time instead of one that holds all.
const loopBatch = 8
