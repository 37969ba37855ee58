package node

import (
	"sync"

	"quorate/app"
	"quorate/consensus"
	"quorate/state"
)

// executor performs the one ordered queue of jobs: it is the only goroutine
// that touches the machine. Commits are bounded by holding the engine back
// (behind); answers from sessions are dropped beyond their bound, since the
// client asks again; so are reads, and the asker is told to try again.
type executor struct {
	machine *app.Machine
	bounds  Bounds
	deliver func(app.Outcome) // replies, refusals, events, notes
	fail    func(error)
	batch   func(*consensus.Commit)
	reader  *reader
	idle    func() // the engine need not be held back any more

	mu      sync.Mutex
	wake    sync.Cond
	queue   queue[task]
	jobs    int // in queue, without answers and reads
	answers int
	reads   int
	dropped uint64
	closed  bool
}

// task is a job, or the search for the snapshot that a read needs, which
// belongs to the machine's owner.
type task struct {
	job  consensus.Job
	read *consensus.ChunkRead
}

// newExecutor makes an executor; its callbacks are set before it runs.
func newExecutor(m *app.Machine, b Bounds) *executor {
	x := &executor{machine: m, bounds: b}
	x.wake.L = &x.mu
	return x
}

// execute queues jobs. It never waits.
func (x *executor) execute(jobs []consensus.Job) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, j := range jobs {
		if _, ok := j.(consensus.Answer); !ok {
			x.jobs++
		} else if x.answers++; x.answers > x.bounds.Answers {
			x.answers--
			x.dropped++
			continue
		}
		x.queue.push(task{job: j})
	}
	x.wake.Signal()
}

// read queues the search for a snapshot.
func (x *executor) read(r *consensus.ChunkRead) {
	x.mu.Lock()
	full := x.reads >= x.bounds.Reads
	if !full {
		x.reads++
		x.queue.push(task{read: r})
		x.wake.Signal()
	}
	x.mu.Unlock()
	if full {
		x.reader.told(consensus.Chunk{Read: *r})
	}
}

// behind says that so much waits that the engine should not add to it.
func (x *executor) behind() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.jobs >= x.bounds.Jobs
}

// run works until close. What is queued then is left: the log has it.
func (x *executor) run() {
	for {
		t, ok := x.next()
		if !ok {
			return
		}
		if t.read != nil {
			s, _ := x.machine.Snapshot(t.read.Seq, t.read.Root)
			x.reader.ask(*t.read, s)
			continue
		}
		if c, ok := t.job.(consensus.Commit); ok {
			x.batch(&c)
		}
		out, err := x.machine.Do(t.job)
		if err != nil {
			x.fail(err)
			return
		}
		x.deliver(out)
	}
}

// next waits for a task. The engine is told to go on at the moment when there
// is room again, and not each time.
func (x *executor) next() (task, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.queue.len() == 0 && !x.closed {
		x.wake.Wait()
	}
	if x.closed {
		return task{}, false
	}
	t := x.queue.pop()
	switch t.job.(type) {
	case nil:
		x.reads--
	case consensus.Answer:
		x.answers--
	default:
		if x.jobs--; x.jobs == x.bounds.Jobs-1 {
			x.idle()
		}
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
	return x.jobs, x.answers, x.dropped
}

// reader reads parts of snapshots beside execution, for others that fetch the
// state: disk reads of megabytes that must not hold up a batch.
type reader struct {
	asks chan ask
	done chan struct{}
	told func(consensus.Chunk)
}

// ask is a read with the snapshot found for it.
type ask struct {
	read     consensus.ChunkRead
	snapshot *state.Snapshot
}

// newReader makes a reader that answers by told.
func newReader(b Bounds, told func(consensus.Chunk)) *reader {
	return &reader{asks: make(chan ask, b.Reads), done: make(chan struct{}), told: told}
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
// a failed read, and to the asker the same as gone.
func (r *reader) run() {
	for {
		select {
		case <-r.done:
			return
		case a := <-r.asks:
			parts, err := a.snapshot.Read(a.read.Items, consensus.ChunkBytes)
			r.told(consensus.Chunk{Read: a.read, Parts: parts, Gone: err != nil})
		}
	}
}

// close ends run after the read it is at.
func (r *reader) close() { close(r.done) }
