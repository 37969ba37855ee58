package sim

import (
	"fmt"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// hands execute a replica's jobs, one after the other, each taking its time.
// They die with the process; the store below the machine stays.
type hands struct {
	replica *replica
	machine *app.Machine
	queue   []consensus.Job
	answers answers
	taken   int // jobs that have left queue
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
	if h.busy || len(h.queue) == 0 && len(h.answers.queue) == 0 {
		return
	}
	h.busy = true
	takes := r.world.cfg.Disk.takes(r.dice, r.world.cfg.Disk.Execute)
	if r.health.slowRun {
		takes *= slowness
	}
	r.later(takes, func() {
		h.busy = false
		h.perform(h.next())
		r.work()
	})
}

// answers are the questions to the session table that wait, apart from the jobs
// as in a node: anybody may ask as often as he likes, and in one queue they
// would stand before every batch.
type answers struct {
	queue []question
	turn  bool // it is theirs
}

// question is an Answer, due once so many jobs were taken.
type question struct {
	job   consensus.Answer
	after int
}

// maxAnswers bounds the questions of all clients, and a part of it those of one.
const (
	maxAnswers = 4096
	ofOne      = maxAnswers / 16
)

// add queues jobs; an answer beyond the bounds is lost, and asked for again.
func (h *hands) add(jobs []consensus.Job) {
	for _, j := range jobs {
		a, asks := j.(consensus.Answer)
		if !asks {
			h.queue = append(h.queue, j)
			continue
		}
		same := 0
		for i := range h.answers.queue {
			if h.answers.queue[i].job.Request.Client == a.Request.Client {
				same++
			}
		}
		if same < ofOne && len(h.answers.queue) < maxAnswers {
			h.answers.queue = append(h.answers.queue, question{job: a, after: h.taken + len(h.queue)})
		}
	}
}

// next takes a job or an answer, in turns, an answer never before a job that
// was queued before it.
func (h *hands) next() consensus.Job {
	a := &h.answers
	if len(a.queue) > 0 && h.taken >= a.queue[0].after && (a.turn || len(h.queue) == 0) {
		q := a.queue[0]
		a.queue, a.turn = a.queue[1:], false
		return q.job
	}
	job := h.queue[0]
	h.queue, h.taken, a.turn = h.queue[1:], h.taken+1, true
	return job
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
