package sim

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
)

// Process is what runs on one of Machines: pure, as engines are. An event goes
// in, everything to do about it comes out, and nothing has happened yet.
type Process interface {
	// Start begins a life from what the disk holds.
	Start(b Boot) Deeds
	// Arrive takes a frame from an end of the network. The frame is read-only.
	Arrive(now consensus.Time, from int, frame []byte) Deeds
	// Tick hears that a tick has passed.
	Tick(now consensus.Time) Deeds
}

// Boot is what a life begins with.
type Boot struct {
	Now     consensus.Time // by the machine's own clock, as all times that a process hears
	Nonce   uint64         // no other life has it
	Records [][]byte       // what is durable, in order
}

// Deeds are what a process wants to be done. Records are durable before what is
// sent with them, or at any later time, leaves.
type Deeds struct {
	Records [][]byte
	Sends   []Parcel
}

// Parcel is a frame for an end of the network: machines come first, then clients.
type Parcel struct {
	To    int
	Frame []byte
}

// MachinesConfig is everything that a run of Machines depends on.
type MachinesConfig struct {
	Seed     uint64
	Machines int
	Clients  int
	Tick     consensus.Time // one tick
	Skew     consensus.Time // clocks are off by at most half of it
	Network  NetworkModel
	Disk     Disks
	Make     func(machine int) Process               // makes the process of each life
	Heard    func(client, machine int, frame []byte) // gets what arrives at a client
	Describe func(frame []byte) string               // a frame for people; nil = by its length
	Trace    io.Writer                               // one readable line per event; may be nil
}

// Machines are clocks and disks on a Net, with faults at fixed moments, for processes
// that are no replicas of a protocol: what a World has beside engines, drivers and
// judges. One goroutine, one seed, one history.
type Machines struct {
	cfg     MachinesConfig
	net     *Net
	all     []*machine
	history history // a hash of everything that has happened, in order
	trace   trace
}

// machine is one of them.
type machine struct {
	of      *Machines
	index   int
	dice    *stream
	disk    *disk
	offset  consensus.Time // of its clock
	process Process        // nil while it is down
	life    uint64         // counts starts; what an earlier life scheduled is void
	syncing bool
	written driver.Ticket // the last one
	durable driver.Ticket
	waiting []gated // in order
}

// gated are frames that leave when a ticket is durable.
type gated struct {
	ticket driver.Ticket
	sends  []Parcel
}

// NewMachines makes them before their first moment, all of them down.
func NewMachines(c MachinesConfig) *Machines {
	m := &Machines{cfg: c, trace: trace{out: c.Trace}}
	m.net = NewNet(c.Seed, c.Network, c.Machines+c.Clients, m.arrive)
	for i := range c.Machines {
		dice := newStream(c.Seed, fmt.Sprintf("machine %d", i))
		x := &machine{of: m, index: i, dice: dice, disk: newDisk(dice, c.Disk)}
		x.offset = dice.duration(c.Skew) - c.Skew/2
		m.all = append(m.all, x)
		m.net.After(0, x.start)
	}
	return m
}

// Now is the time since the start of the run.
func (m *Machines) Now() consensus.Time { return m.net.Now() }

// At does something at a time since the start, or now if that is past.
func (m *Machines) At(t consensus.Time, do func()) { m.net.After(max(0, t-m.Now()), do) }

// Send puts a client's frame on the network.
func (m *Machines) Send(client, to int, frame []byte) {
	m.net.Send(m.cfg.Machines+client, to, frame)
}

// Process is what runs on a machine; nil while it is down.
func (m *Machines) Process(machine int) Process { return m.all[machine].process }

// Run lets things happen for so long after the start.
func (m *Machines) Run(until consensus.Time) {
	over := false
	m.At(until, func() { over = true })
	for !over {
		m.net.Advance()
	}
}

// Schedule lets a fault happen: a crash, a wipe, or one that cuts links. It fails
// if the fault is of another kind, or names a machine or a client that is not there.
func (m *Machines) Schedule(f Fault) error {
	for _, id := range f.Replicas {
		if int(id) >= len(m.all) {
			return fmt.Errorf("%s: there is no machine %d", f.Kind, id)
		}
	}
	for _, c := range f.Clients {
		if c < 0 || c >= m.cfg.Clients {
			return fmt.Errorf("%s: there is no client %d", f.Kind, c)
		}
	}
	switch f.Kind {
	case FaultCrash, FaultWipe:
		for _, id := range f.Replicas {
			m.At(f.At, func() { m.all[id].fail(f) })
		}
	case FaultIsolate, FaultPartition, FaultDeaf, FaultMute:
		m.At(f.At, func() { m.cut(f) })
	default:
		return fmt.Errorf("no fault of machines is called %q", f.Kind)
	}
	return nil
}

// cut cuts links, for a time or for good.
func (m *Machines) cut(f Fault) {
	inside := func(end int) bool {
		return slices.Contains(f.Replicas, consensus.ReplicaID(end)) || slices.Contains(f.Clients, end-m.cfg.Machines)
	}
	network := m.net.network
	links := network.links(func(from, to int) bool { return f.Kind.Cuts(inside(from), inside(to)) })
	network.bar(links, 1)
	m.tell("%s: %v and clients %v", f.Kind, f.Replicas, f.Clients)
	if f.Lasts > 0 {
		m.net.After(f.Lasts, func() {
			m.tell("%s ends", f.Kind)
			network.bar(links, -1)
			network.release()
		})
	}
}

// tell prints what happens, if anybody reads it.
func (m *Machines) tell(format string, args ...any) {
	m.trace.line(startTime+m.Now(), format, args...)
}

// arrive hands a frame to whom it is for.
func (m *Machines) arrive(from, to int, frame []byte) {
	m.history.mix(uint64(m.Now()))
	m.history.mix(uint64(from)<<48 | uint64(to)<<32 | uint64(crc32.Checksum(frame, castagnoli)))
	if m.trace.on() {
		m.tell("%s → %s %s", m.name(from), m.name(to), m.describe(frame))
	}
	switch {
	case to >= len(m.all):
		m.cfg.Heard(to-len(m.all), from, frame)
	case m.all[to].process != nil:
		x := m.all[to]
		x.do(x.process.Arrive(x.now(), from, frame))
	}
}

func (m *Machines) name(end int) string {
	if end >= len(m.all) {
		return fmt.Sprintf("C%d", end-len(m.all))
	}
	return fmt.Sprintf("R%d", end)
}

func (m *Machines) describe(frame []byte) string {
	if m.cfg.Describe == nil {
		return fmt.Sprintf("frame of %d bytes", len(frame))
	}
	return m.cfg.Describe(frame)
}

// now is the machine's clock.
func (x *machine) now() consensus.Time { return startTime + x.of.Now() + x.offset }

// later schedules f for this life.
func (x *machine) later(d consensus.Time, f func()) {
	life := x.life
	x.of.net.After(d, func() {
		if x.life == life {
			f()
		}
	})
}

// start begins a life, unless there is one.
func (x *machine) start() {
	if x.process != nil {
		return
	}
	x.life++
	b := Boot{Now: x.now(), Nonce: x.dice.rng.Uint64()}
	for _, r := range x.disk.records() {
		b.Records = append(b.Records, r.Bytes)
	}
	x.of.tell("R%d starts, life %d, %d records", x.index, x.life, len(b.Records))
	x.process = x.of.cfg.Make(x.index)
	x.do(x.process.Start(b))
	x.later(x.dice.duration(x.of.cfg.Tick), x.tick)
}

// fail ends a life, with the disk if it is a wipe.
func (x *machine) fail(f Fault) {
	x.life++
	x.process, x.waiting, x.syncing = nil, nil, false
	lucky, lost := x.disk.crash()
	if f.Kind == FaultWipe {
		x.disk = newDisk(x.dice, x.of.cfg.Disk)
	}
	x.durable = x.written
	x.of.tell("R%d: %s; of its unsynced records %d survive and %d are lost", x.index, f.Kind, lucky, len(lost))
	if f.Lasts > 0 || f.Kind == FaultWipe {
		x.of.net.After(f.Lasts, x.start)
	}
}

func (x *machine) tick() {
	x.do(x.process.Tick(x.now()))
	x.later(x.of.cfg.Tick, x.tick)
}

// do performs what a process wants, in order.
func (x *machine) do(d Deeds) {
	if len(d.Records) > 0 {
		x.written++
		records := make([]consensus.Record, len(d.Records))
		for i, r := range d.Records {
			records[i].Bytes = r
		}
		x.disk.write(x.written, records, 0)
		x.sync()
	}
	if len(d.Sends) > 0 {
		x.waiting = append(x.waiting, gated{ticket: x.written, sends: d.Sends})
	}
	x.release()
}

// sync begins a sync of everything written by now, unless one is going on.
func (x *machine) sync() {
	if x.syncing {
		return
	}
	x.syncing = true
	covers := x.written
	x.later(x.of.cfg.Disk.takes(x.dice, x.of.cfg.Disk.Sync), func() {
		x.syncing = false
		x.disk.sync(covers)
		x.durable = covers
		x.release()
		if x.written > covers {
			x.sync()
		}
	})
}

// release sends what waited for nothing else.
func (x *machine) release() {
	for len(x.waiting) > 0 && x.waiting[0].ticket <= x.durable {
		for _, p := range x.waiting[0].sends {
			x.of.net.Send(x.index, p.To, p.Frame)
		}
		x.waiting = x.waiting[1:]
	}
}
