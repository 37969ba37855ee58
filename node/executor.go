package node

import (
	"errors"
	"sync"
	"time"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// executor performs the one ordered queue of jobs, host.Jobs: it is the only
// goroutine that touches the machine. What a checkpoint costs it leaves to the
// background.
type executor struct {
	machine    *app.Machine
	deliver    func(app.Outcome) // replies, refusals, events, notes
	found      func(consensus.Finding, []consensus.Note)
	fail       func(error)
	batch      func(*consensus.Commit)
	took       func(time.Duration) // for one turn
	reader     *reader
	background *background
	idle       func() // the engine need not be held back any more
	doing      activity

	mu     sync.Mutex
	wake   sync.Cond
	queue  *host.Jobs
	ended  []*app.Task // by the background, not yet finished
	closed bool
}

// newExecutor makes an executor; its callbacks are set before it runs.
func newExecutor(m *app.Machine, b host.Bounds) *executor {
	x := &executor{machine: m, queue: host.NewJobs(b)}
	x.wake.L = &x.mu
	return x
}

// execute queues jobs. It never waits.
func (x *executor) execute(jobs []consensus.Job) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, j := range jobs {
		x.queue.Put(j)
	}
	x.wake.Signal()
}

// read queues the search for a snapshot.
func (x *executor) read(r *consensus.ChunkRead) {
	x.mu.Lock()
	v := x.queue.Read(r)
	x.mu.Unlock()
	if v != host.Taken {
		x.reader.told(consensus.Chunk{Read: *r})
		return
	}
	x.wake.Signal()
}

// end takes back a task that the background has done.
func (x *executor) end(t *app.Task) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = append(x.ended, t)
	x.wake.Signal()
}

// lookup queues READs, and returns those for which there is no room.
func (x *executor) lookup(lookups []consensus.Lookup) (refused []*consensus.Query) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range lookups {
		refused = append(refused, x.queue.Ask(l)...)
	}
	x.wake.Signal()
	return refused
}

// look executes one READ.
func (x *executor) look(l *consensus.Lookup) error {
	x.doing.does("a READ")
	f, notes, err := x.machine.Look(l)
	if err == nil {
		x.found(f, notes)
	}
	return err
}

// held says that execution waits for the background.
func (x *executor) held() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.queue.Held()
}

// behind says that so much waits that the engine should not add to it.
func (x *executor) behind() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.queue.Full()
}

// run works until close. What is queued then is left: the log has it.
func (x *executor) run() {
	for {
		x.doing.does("")
		t, done, ok := x.next()
		if !ok {
			return
		}
		begin := time.Now()
		if err := x.turn(t, done); err != nil {
			x.fail(err)
			return
		}
		x.applied()
		x.took(time.Since(begin))
	}
}

// turn takes in a task that is done, or does what is next.
func (x *executor) turn(t host.Task, done *app.Task) error {
	if done != nil {
		x.doing.does("the end of a checkpoint")
		out, err := x.machine.Finish(done)
		if err == nil {
			x.deliver(out)
		}
		return err
	}
	if t.Read != nil {
		x.doing.does("the search for a snapshot")
		s, err := x.machine.Snapshot(t.Read.Seq, t.Read.Root)
		if err != nil && !errors.Is(err, state.ErrGone) {
			return err
		}
		x.reader.ask(*t.Read, s)
		return nil
	}
	if t.Lookup != nil {
		return x.look(t.Lookup)
	}
	if c, ok := t.Job.(consensus.Commit); ok {
		x.batch(&c)
	}
	x.doing.does(jobName(t.Job))
	out, task, err := x.machine.Begin(t.Job)
	if err != nil {
		return err
	}
	if task != nil {
		x.mu.Lock()
		x.queue.Begun(task.Bytes())
		x.mu.Unlock()
		x.background.add(task)
	}
	x.deliver(out)
	return nil
}

// applied tells the queue which READs are due.
func (x *executor) applied() {
	n := x.machine.Applied()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue.Applied(n)
}

// next waits for something to do: a task that is done comes first. The engine is
// told to go on at the moment when there is room again, and not each time.
func (x *executor) next() (t host.Task, done *app.Task, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.ended) == 0 && !x.queue.Ready() && !x.closed {
		x.wake.Wait()
	}
	if x.closed {
		return host.Task{}, nil, false
	}
	if len(x.ended) > 0 {
		done, x.ended = x.ended[0], x.ended[1:]
		x.queue.Ended(done.Bytes())
		return host.Task{}, done, true
	}
	full := x.queue.Full()
	t = x.queue.Take()
	if full && !x.queue.Full() {
		x.idle()
	}
	return t, nil, true
}

// close ends run after the job it is at.
func (x *executor) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.wake.Broadcast()
}

// depth is what waits, for metrics.
func (x *executor) depth() (jobs, answers int, dropped uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.queue.Depth()
}

// reader reads parts of snapshots beside execution, for others that fetch the
// state: disk reads of megabytes that must not hold up a batch.
type reader struct {
	asks chan ask
	done chan struct{}
	told func(consensus.Chunk)
	warn func([]consensus.Note)

	doing activity
}

// ask is a read with the snapshot found for it.
type ask struct {
	read     consensus.ChunkRead
	snapshot *state.Snapshot
}

// lookups is how many READs wait, and how many found no room, for metrics.
func (x *executor) lookups() (waiting int, refused uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.queue.Lookups()
}

// newReader makes a reader that answers by told.
func newReader(b host.Bounds, told func(consensus.Chunk), warn func([]consensus.Note)) *reader {
	return &reader{asks: make(chan ask, b.Reads), done: make(chan struct{}), told: told, warn: warn}
}

// ask queues a read. One that cannot be served, or finds no room, is answered
// at once: with nothing, and Gone only if the snapshot is.
func (r *reader) ask(read consensus.ChunkRead, s *state.Snapshot) {
	if s == nil {
		r.told(consensus.Chunk{Read: read, Gone: true})
		return
	}
	select {
	case r.asks <- ask{read: read, snapshot: s}:
	default:
		r.told(consensus.Chunk{Read: read})
	}
}

// run reads until close. A snapshot may be released while it is read; that is
// a failed read, and to the asker the same as gone. Any other failure is this
// replica's disk: the asker goes elsewhere, and the operator is told.
func (r *reader) run() {
	for {
		select {
		case <-r.done:
			return
		case a := <-r.asks:
			r.doing.does("the reading of a part of the state")
			parts, err := a.snapshot.Read(a.read.Items, consensus.ChunkBytes)
			r.doing.does("")
			if err != nil && !errors.Is(err, state.ErrGone) {
				r.warn([]consensus.Note{{Kind: consensus.Alarm, Seq: a.read.Seq, Digest: a.read.Root, Text: err.Error()}})
			}
			r.told(consensus.Chunk{Read: a.read, Parts: parts, Gone: err != nil})
		}
	}
}

// close ends run after the read it is at.
func (r *reader) close() { close(r.done) }
