package sim

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
	"quorate.dev/quorate/crypto"
)

// executor executes a replica's jobs, one after the other, each taking its time.
// It dies with the process; the store below the machine stays.
type executor struct {
	replica *replica
	machine *app.Machine
	jobs    *host.Jobs
	reading int // snapshots that are being read
	busy    bool
	tasks   []*app.Task // of checkpoints, under way; the first one's steps are being done
	answers int         // done in a row while jobs waited
}

// unsavedBytes is how much of its tree a replica leaves in memory: some store all of
// it at each second checkpoint, some nothing unless they must.
var unsavedBytes = [...]int{1, 4 << 10, 32 << 10, 0}

// openState opens the machine on r's store and says what was found there.
func (w *World) openState(r *replica) (*executor, consensus.Recovered, error) {
	if r.store == nil {
		r.store = state.NewMemory()
	}
	options := app.Options{Replica: r.id, State: state.Config{SnapshotIdle: w.cfg.Window, UnsavedBytes: unsavedBytes[int(r.id)%len(unsavedBytes)]}}
	m, err := app.Open(r.store, w.application(r), w.genesis, options)
	if err != nil {
		return nil, consensus.Recovered{}, err
	}
	var home consensus.Recovered
	home.Height, home.Root, home.Certificate = m.Height()
	x := &executor{replica: r, machine: m, jobs: host.NewJobs(w.cfg.Host.bounds())}
	x.jobs.Applied(m.Applied())
	return x, home, nil
}

// work begins the next task, unless one is going on. A snapshot is found at
// once, and read beside execution.
func (x *executor) work() {
	r := x.replica
	for !x.busy && x.jobs.Ready() {
		full := x.jobs.Full()
		waiting, _, _ := x.jobs.Depth()
		task := x.jobs.Take()
		x.judgeTurn(task.Job, waiting)
		if full && !x.jobs.Full() {
			r.wake()
		}
		if task.Read != nil {
			x.read(*task.Read)
			continue
		}
		x.busy = true
		takes := r.world.cfg.Disk.takes(r.dice, r.world.cfg.Disk.Execute)
		if r.health.slowRun {
			takes *= slowness
		}
		r.later(takes, func() {
			x.busy = false
			if task.Lookup != nil {
				x.look(task.Lookup)
			} else {
				x.perform(task.Job)
			}
			x.work()
		})
	}
}

// judgeTurn sees to it that jobs never wait for more than one answer.
func (x *executor) judgeTurn(j consensus.Job, waiting int) {
	if _, is := j.(consensus.Answer); !is || waiting == 0 {
		x.answers = 0
		return
	}
	if x.answers++; x.answers > 1 {
		x.replica.world.violate("%v answers old requests while %d jobs wait", x.replica, waiting)
	}
}

// perform does one job and passes on what it brought about.
func (x *executor) perform(job consensus.Job) {
	r := x.replica
	before := x.machine.Applied()
	out, task, err := x.machine.Begin(job)
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
	x.pass(&out)
	if task != nil {
		x.begin(task)
	}
}

// begin lets a task be done beside execution, behind those that are under way.
func (x *executor) begin(t *app.Task) {
	x.jobs.Begun(t.Bytes())
	x.tasks = append(x.tasks, t)
	if len(x.tasks) == 1 {
		x.step(t)
	}
}

// step does a step of the first task, each of which takes its time, as does the
// way back to the executor: a crash may come between any two. Where they take
// none, all of it is done at once, as part of the job.
func (x *executor) step(t *app.Task) {
	r := x.replica
	if r.world.cfg.Disk.Task == 0 {
		for t.Step() {
		}
		x.end(t)
		return
	}
	r.later(r.tasking(), func() {
		if t.Step() {
			x.step(t)
			return
		}
		r.later(r.tasking(), func() { x.end(t) })
	})
}

// tasking draws how long a step of a task takes.
func (r *replica) tasking() consensus.Time {
	takes := r.tasks.duration(r.world.cfg.Disk.Task)
	if r.health.slowTasks {
		takes *= slowness
	}
	return takes
}

// end takes in what the first task has brought about, and begins the next.
func (x *executor) end(t *app.Task) {
	r := x.replica
	x.tasks = x.tasks[1:]
	x.jobs.Ended(t.Bytes())
	if len(x.tasks) > 0 {
		defer x.step(x.tasks[0])
	}
	out, err := x.machine.Finish(t)
	if err != nil {
		r.falls("%v cannot end %v: %v", r, t, err)
		return
	}
	if r.world.trace.on() && r.world.cfg.Disk.Task > 0 {
		r.world.trace.event(r.world.clock.now, r, "ends %v", t)
	}
	x.pass(&out)
	x.work()
}

// pass passes on what a job or a task has brought about.
func (x *executor) pass(out *app.Outcome) {
	r := x.replica
	x.jobs.Applied(x.machine.Applied())
	r.Note(out.Notes)
	for _, e := range out.Events {
		x.judge(e)
		r.tell(e)
	}
	replies := r.filterReplies(out.Replies)
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
func (x *executor) judge(e consensus.Event) {
	w := x.replica.world
	switch e := e.(type) {
	case consensus.Rooted:
		w.checks.root(x.replica, e.Seq, e.Root)
	case consensus.Executed:
		w.history.mix(uint64(e.Seq)<<8 | uint64(x.replica.id))
	case consensus.Restored:
		if e.OK {
			w.checks.root(x.replica, e.Seq, e.Root)
		}
	}
}

// read finds the snapshot for a read and reads it beside execution. It may be
// gone before it is read.
func (x *executor) read(read consensus.ChunkRead) {
	r := x.replica
	snapshot, err := x.machine.Snapshot(read.Seq, read.Root)
	switch {
	case err != nil && !errors.Is(err, state.ErrGone):
		r.falls("%v cannot serve its state: %v", r, err)
	case err != nil:
		r.tell(consensus.Chunk{Read: read, Gone: true})
	case x.reading >= r.world.cfg.Host.bounds().Reads:
		r.world.stats.full(fullReads)
		r.tell(consensus.Chunk{Read: read})
	default:
		x.reading++
		r.later(r.dice.duration(r.world.cfg.Disk.Execute), func() {
			x.reading--
			r.tell(chunk(read, snapshot))
		})
	}
}

// chunk answers a read from its snapshot, if that is still there.
func chunk(read consensus.ChunkRead, s *state.Snapshot) consensus.Chunk {
	parts, err := s.Read(read.Items, consensus.ChunkBytes)
	return consensus.Chunk{Read: read, Parts: parts, Gone: err != nil}
}

// root returns the state root at the next checkpoint, reached by executing
// null batches up to it: at any other height the state has no root. It is
// asked once, when everything is over.
func (x *executor) root() (consensus.Seq, crypto.Digest, error) {
	for _, t := range x.tasks {
		for t.Step() {
		}
		if _, err := x.machine.Finish(t); err != nil {
			return 0, crypto.Digest{}, err
		}
	}
	for n := x.machine.Applied() + 1; ; n++ {
		out, err := x.machine.Do(consensus.Commit{Seq: n, Digest: consensus.NullDigest})
		if err != nil {
			return 0, crypto.Digest{}, err
		}
		for _, e := range out.Events {
			if e, ok := e.(consensus.Rooted); ok {
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
