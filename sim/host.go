package sim

import (
	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/consensus/host"
)

// A replica is the driver's host: it schedules the completion of what it is
// asked for, late and in adverse order, where a node uses goroutines.
var _ driver.Host = (*replica)(nil)

// Append writes to the virtual disk and sees to it that a sync follows.
func (r *replica) Append(t driver.Ticket, records []consensus.Record, forget consensus.Seq) {
	r.disk.write(t, records, forget)
	r.sync(t)
}

// sync begins a sync of everything written by now, unless one is going on;
// what is written while it lasts is covered by the next. As in a node, lazy records
// alone are written, and not synced.
func (r *replica) sync(t driver.Ticket) {
	switch {
	case r.health.syncing:
		return
	case !r.disk.gates():
		r.driver.Durable(t)
		return
	}
	r.health.syncing = true
	takes := r.world.cfg.Disk.takes(r.dice, r.world.cfg.Disk.Sync)
	if r.health.slowDisk {
		takes *= slowness
	}
	r.later(r.world.syncCut.writes(r, takes), func() {
		r.health.syncing = false
		r.disk.sync(t)
		r.driver.Durable(t)
		if n := len(r.disk.written); n > 0 {
			r.sync(r.disk.written[n-1].ticket)
		}
		// A full backlog may have kept the inbox waiting.
		r.wake()
	})
}

// slowness is how much longer things take on a slow disk or processor.
const slowness = 100

// Send puts frames on the virtual network.
func (r *replica) Send(sends []consensus.Send) {
	w := r.world
	for i := range sends {
		s := &sends[i]
		w.checks.sent(r, s.Bytes)
		p := packet{from: r.end, class: s.Class, bytes: s.Bytes}
		switch s.To.Kind {
		case consensus.PeerReplica:
			r.post(p, endpoint(s.To.Replica))
		case consensus.PeerClient:
			if c := w.byKey[s.To.Key]; c != nil {
				r.post(p, c.end)
			}
		case consensus.Everyone, consensus.Topic:
			p.topic = s.To.Kind == consensus.Topic
			for i := range w.replicas {
				r.post(p, endpoint(i))
			}
		}
	}
}

// post sends p to one endpoint. A frame to oneself is a mistake of the engine's.
func (r *replica) post(p packet, to endpoint) {
	if to == p.from || (r.second && int(to) == int(r.id)) {
		return
	}
	p.to = to
	r.world.launch(p)
}

// Refuse tells clients why they get no result.
func (r *replica) Refuse(refusals []consensus.Refusal) {
	for i := range refusals {
		ref := &refusals[i]
		r.world.stats.Refusals++
		if ref.Times != (consensus.Times{}) {
			ref.Times.Clock = max(0, r.now())
		}
		if c := r.world.byKey[ref.Client]; c != nil {
			r.post(packet{from: r.end, class: consensus.Votes, bytes: ref.Encode()}, c.end)
		}
	}
}

// refuse tells a client at the end of a channel why it gets no result, and who
// is thought to lead.
func (r *replica) refuse(refusal *consensus.Refusal) {
	s := r.driver.Status()
	refusal.View, refusal.Primary = s.View, s.Primary
	r.Refuse([]consensus.Refusal{*refusal})
}

// Read queues the search for snapshots. What finds no room is answered with
// nothing, and asked for again.
func (r *replica) Read(reads []consensus.ChunkRead) {
	for i := range reads {
		if r.executor.jobs.Read(&reads[i]) != host.Taken {
			r.world.stats.full(fullReads)
			r.tell(consensus.Chunk{Read: reads[i]})
		}
	}
	r.executor.work()
}

// Execute queues jobs.
func (r *replica) Execute(jobs []consensus.Job) {
	for _, j := range jobs {
		r.world.checks.queued(r, j)
		if r.executor.jobs.Put(j) != host.Taken {
			r.world.stats.full(fullAnswers)
		}
	}
	r.executor.work()
}

// Lookup queues READs. Those for which there is no room are refused.
func (r *replica) Lookup(lookups []consensus.Lookup) {
	for _, l := range lookups {
		for _, q := range r.executor.jobs.Ask(l) {
			r.world.stats.full(fullLookups)
			no := q.Refuse(consensus.RefusedBusy)
			r.refuse(&no)
		}
	}
	r.executor.work()
}

// Note traces facts, and judges those that no honest cluster may see.
func (r *replica) Note(notes []consensus.Note) {
	for i := range notes {
		if r.honest() || notes[i].Kind == byzantine.Lied {
			r.world.stats.noted(&notes[i])
		}
		r.world.trace.note(r.world.clock.now, r, &notes[i])
		r.world.checks.noted(r, &notes[i])
		r.watchNote(&notes[i])
		r.world.say(notes[i].Kind, "%v ! %s", r, &notes[i])
	}
}

// Halt stops the process. Among honest replicas nothing justifies it but a fork.
func (r *replica) Halt(reason string) { r.falls("%v halts: %s", r, reason) }
