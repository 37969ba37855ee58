package driver

import (
	"fmt"

	"quorate.dev/quorate/consensus"
)

// Ticket numbers the appends of one driver, from 1.
type Ticket uint64

// Host performs what an engine asks for. Its methods are called from within
// Step and Durable, must not block, and must not call Step; Append may call
// Durable before it returns.
type Host interface {
	// Append writes records behind everything appended before, and answers,
	// later, with Driver.Durable(t) once they are synced; lazy records with
	// nothing else behind them need no sync. Tickets come in
	// order, and one Durable covers all earlier ones. Whole segments of the
	// log whose records all lie at or below forget may be dropped at once:
	// what asked for it is already durable. 0 means nothing new to forget.
	Append(t Ticket, records []consensus.Record, forget consensus.Seq)
	// Send sends frames; losing some is allowed.
	Send([]consensus.Send)
	// Lookup executes READs when they are due; refusing some is allowed.
	Lookup([]consensus.Lookup)
	// Refuse answers clients.
	Refuse([]consensus.Refusal)
	// Read reads parts of a snapshot; each read comes back as a Chunk event.
	Read([]consensus.ChunkRead)
	// Execute appends to the one ordered queue of execution.
	Execute([]consensus.Job)
	// Note reports facts. They have no effect, and describe steps that a
	// crash may still undo.
	Note([]consensus.Note)
	// Halt says that this replica must stop and keep everything it has.
	Halt(reason string)
}

// The backlog's bounds: outputs held, and bytes of records not yet synced.
// Beyond either, Full says so and a host stops stepping until the disk has
// caught up; what waits then waits in the queues before the engine, which are
// bounded too.
const (
	MaxBacklog      = 1024
	maxBacklogBytes = 64 << 20
)

// Driver joins one engine to one host. It is not safe for concurrent use: the
// host serialises Step and Durable.
type Driver struct {
	engine  consensus.Engine
	host    Host
	last    Ticket // the newest ticket handed to Append
	gate    Ticket // the newest one with a record that gates
	durable Ticket // no output waits for anything up to here
	steps   uint64 // outputs so far
	synced  uint64 // the records of so many, the first ones, are on disk
	appends []pending
	bytes   int // in appends
	held    []held
	forget  consensus.Seq // released, to ride with the next Append
	halted  bool
}

// held is an output that waits until gate is durable.
type held struct {
	gate Ticket
	out  consensus.Output
}

// pending is an append that is not yet durable.
type pending struct {
	ticket Ticket
	bytes  int
	step   uint64 // the output that it is of
	gates  bool   // not all of it is lazy
}

// New joins e to h.
func New(e consensus.Engine, h Host) *Driver { return &Driver{engine: e, host: h} }

// Step hands b to the engine and performs what comes out as far as the law
// lets it go now; the rest goes from within Durable. After a Halt it does
// nothing. Callers ask Full first.
func (d *Driver) Step(b consensus.Burst) {
	if d.halted {
		return
	}
	b.Durable = d.synced
	out := d.engine.Step(b)
	d.steps++
	d.halted = out.Halt != ""
	if len(out.Notes) > 0 {
		d.host.Note(out.Notes)
	}
	if len(out.Early) > 0 {
		d.host.Send(out.Early)
	}
	if len(out.Lookups) > 0 {
		d.host.Lookup(out.Lookups)
	}
	d.append(out.Records)
	d.held = append(d.held, held{gate: d.gate, out: out})
	d.release()
}

// append hands records to the host under a ticket of their own. It takes the
// gate along before the host hears of it, because the host may answer at once.
func (d *Driver) append(records []consensus.Record) {
	if len(records) == 0 {
		return
	}
	d.last++
	p := pending{ticket: d.last, step: d.steps}
	for _, r := range records {
		p.bytes += len(r.Bytes)
		// A lazy record is worth having and no promise: losing it in a
		// crash contradicts nothing that was sent.
		p.gates = p.gates || !r.Lazy
	}
	if p.gates {
		d.gate = d.last
	}
	d.appends = append(d.appends, p)
	d.bytes += p.bytes
	forget := d.forget
	d.forget = 0
	d.host.Append(d.last, records, forget)
}

// Durable says that all records up to and including ticket t are synced, but for
// lazy ones behind the last that is not, and releases the outputs that waited for
// them. Repeating an older ticket is
// harmless; one that was never handed out is a mistake of the host's.
func (d *Driver) Durable(t Ticket) {
	if t > d.last {
		panic(fmt.Sprintf("driver: ticket %d is durable, but only %d were handed out", t, d.last))
	}
	if t <= d.durable {
		return
	}
	d.durable = t
	done := 0
	for done < len(d.appends) && d.appends[done].ticket <= t {
		p := d.appends[done]
		d.bytes -= p.bytes
		// Lazy records alone make no host sync: they are on disk when
		// something behind them is that had to be.
		if p.gates {
			d.synced = p.step
		}
		done++
	}
	d.appends = drop(d.appends, done)
	d.release()
}

// release performs, in order, every output at the front whose gate is durable.
// Each is taken off the queue before it is performed, so that a host that
// answers from within finds the queue consistent.
func (d *Driver) release() {
	for len(d.held) > 0 && d.held[0].gate <= d.durable {
		out := d.held[0].out
		d.held = drop(d.held, 1)
		d.perform(&out)
	}
}

// perform does what may now be seen outside, in the order of the fields.
func (d *Driver) perform(out *consensus.Output) {
	// The log may shrink only once what replaces it is durable: were the
	// segments dropped first, a crash in between would leave neither.
	d.forget = max(d.forget, out.Forget)
	if len(out.Sends) > 0 {
		d.host.Send(out.Sends)
	}
	if len(out.Refusals) > 0 {
		d.host.Refuse(out.Refusals)
	}
	if len(out.Reads) > 0 {
		d.host.Read(out.Reads)
	}
	if len(out.Jobs) > 0 {
		d.host.Execute(out.Jobs)
	}
	if out.Halt != "" {
		d.host.Halt(out.Halt)
	}
}

// drop removes the first n elements and lets go of what they held on to.
func drop[T any](queue []T, n int) []T {
	clear(queue[:n])
	if n == len(queue) {
		return queue[:0]
	}
	return queue[n:]
}

// Backlog is the number of outputs that wait for the disk.
func (d *Driver) Backlog() int { return len(d.held) }

// Full says that the disk is too far behind: the host should not step before a
// Durable has made room.
func (d *Driver) Full() bool { return len(d.held) >= MaxBacklog || d.bytes >= maxBacklogBytes }

// Status describes the replica for people.
func (d *Driver) Status() consensus.Status { return d.engine.Status() }

// Horizon is the engine's picture of what is settled, for Open. Reading it
// before the records behind it are durable is harmless: a horizon only drops
// what came in.
func (d *Driver) Horizon() consensus.Horizon { return d.engine.Horizon() }
