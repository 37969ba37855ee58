package node

import (
	"errors"
	"sync"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/host"
)

// executor performs the one ordered queue of jobs, host.Jobs: it is the only
// goroutine that touches the machine.
type executor struct {
	machine *app.Machine
	deliver func(app.Outcome) // replies, refusals, events, notes
	fail    func(error)
	batch   func(*consensus.Commit)
	reader  *reader
	idle    func() // the engine need not be held back any more
	doing   activity

	mu     sync.Mutex
	wake   sync.Cond
	queue  *host.Jobs
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
		t, ok := x.next()
		if !ok {
			return
		}
		if t.Read != nil {
			x.doing.does("the search for a snapshot")
			s, _ := x.machine.Snapshot(t.Read.Seq, t.Read.Root)
			x.reader.ask(*t.Read, s)
			continue
		}
		if c, ok := t.Job.(consensus.Commit); ok {
			x.batch(&c)
		}
		x.doing.does(jobName(t.Job))
		out, err := x.machine.Do(t.Job)
		if err != nil {
			x.fail(err)
			return
		}
		x.deliver(out)
	}
}

// next waits for a task. The engine is told to go on at the moment when there
// is room again, and not each time.
func (x *executor) next() (host.Task, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.queue.Empty() && !x.closed {
		x.wake.Wait()
	}
	if x.closed {
		return host.Task{}, false
	}
	full := x.queue.Full()
	t := x.queue.Take()
	if full && !x.queue.Full() {
		x.idle()
	}
	return t, true
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
