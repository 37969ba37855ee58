package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/storage"
)

// ErrHalted says that the protocol stopped this replica for good: a fork, or
// something else that only an operator can judge (PROTOCOL.md §5).
var ErrHalted = errors.New("replica halted")

// loop owns the driver and the engine. Everything that waits is one burst;
// what a burst brings to the log shares a sync with whatever else waits there.
func (n *Node) loop() {
	ticker := time.NewTicker(n.config.Tick)
	defer ticker.Stop()
	for {
		tick := false
		select {
		case <-n.ctx.Done():
			return
		case <-n.inbox.wake:
		case <-ticker.C:
			tick = true
			for _, e := range n.network.Arriving() {
				n.inbox.own(e)
			}
		}
		n.driver.Durable(n.inbox.upTo())
		// A tick that finds the disk or the execution behind is lost: time
		// that this replica could not use is nobody's silence.
		if n.hold() {
			n.step(tick)
		}
		if tick {
			n.publish()
		}
	}
}

// step hands one burst to the engine.
func (n *Node) step(tick bool) {
	events, more := n.inbox.burst(tick)
	if len(events) == 0 {
		return
	}
	n.metrics.burst.Observe(float64(len(events)))
	n.driver.Step(consensus.Burst{Now: consensus.Time(time.Now().UnixNano()), Events: events})
	h := n.driver.Horizon()
	n.horizon.Store(&h)
	for _, task := range n.diskTasks {
		n.journal.append(entry{task: task})
	}
	n.diskTasks = n.diskTasks[:0]
	if more {
		n.inbox.ring()
	}
}

// The node is the driver's host. All of these are called by the loop.
var _ driver.Host = (*Node)(nil)

// Append hands records to the log writer.
func (n *Node) Append(t driver.Ticket, records []consensus.Record, forget consensus.Seq) {
	n.journal.append(entry{ticket: t, records: records, forget: forget})
}

// Send hands frames to the network.
func (n *Node) Send(sends []consensus.Send) {
	if n.config.Witness != nil {
		n.config.Witness.Sends(sends)
	}
	for i := range sends {
		n.send(sends[i].To, sends[i].Class, sends[i].Bytes)
	}
}

// Refuse answers clients that are connected here.
func (n *Node) Refuse(refusals []consensus.Refusal) {
	for i := range refusals {
		n.sendRefusal(refusals[i].Client, &refusals[i])
	}
}

// Lookup has the executor answer READs when they are due.
func (n *Node) Lookup(lookups []consensus.Lookup) {
	for _, q := range n.executor.lookup(lookups) {
		no := q.Refuse(consensus.RefusedBusy)
		n.refuse(q.Client, &no)
	}
}

// Read has the executor look for the snapshot and the reader read it.
func (n *Node) Read(reads []consensus.ChunkRead) {
	for i := range reads {
		n.executor.read(&reads[i])
	}
}

// Execute hands jobs to the executor.
func (n *Node) Execute(jobs []consensus.Job) {
	if n.config.Witness != nil {
		n.config.Witness.Executes(jobs)
	}
	n.executor.execute(jobs)
}

// Note reports facts. Two kinds bring a task for the disk, which is
// done once the records of the same step are synced.
func (n *Node) Note(notes []consensus.Note) {
	for i := range notes {
		switch note := &notes[i]; note.Kind {
		case consensus.Rejoined:
			n.diskTasks = append(n.diskTasks, func() error { return storage.Settle(n.config.Disk.Data, n.identity) })
		case consensus.EvidenceNote:
			// A liar may contradict itself for ever; a disk task costs a sync.
			if n.proofs[note.Replica]++; n.proofs[note.Replica] > n.config.Bounds.EvidenceFiles {
				continue
			}
			n.diskTasks = append(n.diskTasks, func() error {
				return keepEvidence(filepath.Join(n.config.Disk.Data, "evidence"), note, n.config.Bounds.EvidenceFiles)
			})
		}
	}
	n.reporter.report(notes)
}

// Halt stops the process and keeps everything it has.
func (n *Node) Halt(reason string) {
	n.fail(fmt.Errorf("%w: %s: keep the data directory, and see `quorate status` of the others before starting it again", ErrHalted, reason))
}
