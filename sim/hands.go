package sim

import (
	"fmt"

	"quorate/app"
	"quorate/consensus"
	"quorate/crypto"
	"quorate/state"
)

// hands execute a replica's jobs, one after the other, each taking its time.
// They die with the process; the store below the machine stays.
type hands struct {
	replica *replica
	machine *app.Machine
	queue   []consensus.Job
	busy    bool
}

// openState opens the machine on r's store and says what was found there.
func (w *World) openState(r *replica) (*hands, consensus.Recovered, error) {
	if r.store == nil {
		r.store = state.NewMemory()
	}
	options := app.Options{Replica: r.id, State: state.Config{SnapshotIdle: w.cfg.Window}}
	m, err := app.Open(r.store, w.application(r), w.genesis, options)
	if err != nil {
		return nil, consensus.Recovered{}, err
	}
	var home consensus.Recovered
	home.Height, home.Root, home.Certificate = m.Height()
	return &hands{replica: r, machine: m}, home, nil
}

// work begins the next job, unless one is going on.
func (r *replica) work() {
	h := r.hands
	if h.busy || len(h.queue) == 0 {
		return
	}
	h.busy = true
	takes := r.dice.duration(r.world.cfg.Disk.Execute)
	if r.health.slowRun {
		takes *= slowness
	}
	r.later(takes, func() {
		h.busy = false
		job := h.queue[0]
		h.queue = h.queue[1:]
		h.perform(job)
		r.work()
	})
}

// perform does one job and passes on what it brought about.
func (h *hands) perform(job consensus.Job) {
	r := h.replica
	before := h.machine.Applied()
	out, err := h.machine.Do(job)
	if err != nil {
		r.falls("%v cannot do %s: %v", r, describeJob(job), err)
		return
	}
	if r.world.trace.on() {
		r.world.trace.event(r.world.clock.now, r, "does %s", describeJob(job))
	}
	if c, ok := job.(consensus.Commit); ok && c.Seq > before {
		if c.Seq != before+1 {
			r.falls("%v executes %d after %d", r, c.Seq, before)
		}
		r.world.watchExecution(r, c)
	}
	r.Note(out.Notes)
	for _, e := range out.Events {
		h.judge(e)
		r.tell(e)
	}
	replies := r.say(out.Replies)
	for i := range replies {
		reply := &replies[i]
		if c := r.world.byKey[reply.Client]; c != nil {
			r.post(packet{from: r.end, class: consensus.Bodies, bytes: reply.Encode()}, c.end)
		}
	}
	for i := range out.Refusals {
		out.Refusals[i].Primary = r.driver.Status().Primary
	}
	r.Refuse(out.Refusals)
}

// judge shows the checkers what they want to see of a job's events.
func (h *hands) judge(e consensus.Event) {
	w := h.replica.world
	switch e := e.(type) {
	case consensus.Executed:
		if !e.Root.IsZero() {
			w.checks.root(h.replica, e.Seq, e.Root)
		}
		w.history.mix(uint64(e.Seq)<<8 | uint64(h.replica.id))
	case consensus.Restored:
		if e.OK {
			w.checks.root(h.replica, e.Seq, e.Root)
		}
	}
}

// read answers a ChunkRead from the snapshot that it names, if it is still there.
func (h *hands) read(read consensus.ChunkRead) consensus.Chunk {
	snapshot, ok := h.machine.Snapshot(read.Seq, read.Root)
	if !ok {
		return consensus.Chunk{Read: read, Gone: true}
	}
	parts, err := snapshot.Read(read.Items, consensus.ChunkBytes)
	if err != nil {
		return consensus.Chunk{Read: read, Gone: true}
	}
	return consensus.Chunk{Read: read, Parts: parts}
}

// root returns the state root at the next checkpoint, reached by executing
// null batches up to it: at any other height the state has no root. It is
// asked once, when everything is over.
func (h *hands) root() (consensus.Seq, crypto.Digest, error) {
	for n := h.machine.Applied() + 1; ; n++ {
		out, err := h.machine.Do(consensus.Commit{Seq: n, Digest: consensus.NullDigest})
		if err != nil {
			return 0, crypto.Digest{}, err
		}
		for _, e := range out.Events {
			if e, ok := e.(consensus.Executed); ok && !e.Root.IsZero() {
				return n, e.Root, nil
			}
		}
	}
}

// describeJob prints a job for people.
func describeJob(j consensus.Job) string {
	switch j := j.(type) {
	case consensus.Commit:
		if j.Batch == nil {
			return fmt.Sprintf("commit n=%d null", j.Seq)
		}
		return fmt.Sprintf("commit n=%d d=%s [%d requests]", j.Seq, j.Digest.Short(), len(j.Batch.Requests))
	case consensus.Stabilize:
		return fmt.Sprintf("stabilize n=%d root=%s", j.Seq, j.Root.Short())
	case consensus.Answer:
		return fmt.Sprintf("answer #%d", j.Request.Sequence.Counter)
	case consensus.RestoreBegin:
		return fmt.Sprintf("restore begin n=%d root=%s", j.Seq, j.Root.Short())
	case consensus.RestorePut:
		return fmt.Sprintf("restore put %d parts of R%d", len(j.Parts), j.From)
	case consensus.RestoreEnd:
		return "restore end"
	case consensus.RestoreAbort:
		return "restore abort"
	}
	return "unknown job"
}
