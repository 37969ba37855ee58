package node

import (
	"errors"
	"sync"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// executor performs the one ordered queue of jobs: it is the only goroutine
// that touches the machine. Commits are bounded by holding the engine back
// (behind); answers from sessions are dropped beyond their bound, since the
// client asks again; so are reads, and the asker is told to try again.
//
// Answers wait apart. One may read megabytes for a request of a few bytes, and
// a client may repeat its request as often as it likes: in one queue with the
// commits, four thousand of them would stand before every batch, at every
// replica. So they take turns, an answer never before a job that was queued
// before it, and one client has a share of the room.
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
	jobs    int // in queue, without reads
	reads   int
	taken   uint64 // tasks that have left queue
	answers answers
	closed  bool
}

// answers are the questions that wait for the session table.
type answers struct {
	queue   queue[question]
	of      map[crypto.PublicKey]int // by client; none is zero
	next    bool                     // it is their turn
	dropped uint64
}

// question is an Answer job, due once so many tasks were taken.
type question struct {
	job   consensus.Answer
	after uint64
}

// answerShare divides the room for answers: one client gets one part of it.
const answerShare = 16

// task is a job, or the search for the snapshot that a read needs, which
// belongs to the machine's owner.
type task struct {
	job  consensus.Job
	read *consensus.ChunkRead
}

// newExecutor makes an executor; its callbacks are set before it runs.
func newExecutor(m *app.Machine, b Bounds) *executor {
	x := &executor{machine: m, bounds: b, answers: answers{of: make(map[crypto.PublicKey]int)}}
	x.wake.L = &x.mu
	return x
}

// execute queues jobs. It never waits.
func (x *executor) execute(jobs []consensus.Job) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, j := range jobs {
		if a, ok := j.(consensus.Answer); ok {
			x.ask(a)
			continue
		}
		x.jobs++
		x.queue.push(task{job: j})
	}
	x.wake.Signal()
}

// ask queues an answer, if there is room for it. Called with mu held.
func (x *executor) ask(a consensus.Answer) {
	q, client := &x.answers, a.Request.Client
	if q.queue.len() >= x.bounds.Answers || q.of[client] >= max(1, x.bounds.Answers/answerShare) {
		q.dropped++
		return
	}
	q.of[client]++
	q.queue.push(question{job: a, after: x.taken + uint64(x.queue.len())})
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
	for x.queue.len()+x.answers.queue.len() == 0 && !x.closed {
		x.wake.Wait()
	}
	if x.closed {
		return task{}, false
	}
	if x.answerNow() {
		return task{job: x.takeAnswer()}, true
	}
	x.answers.next = true
	x.taken++
	t := x.queue.pop()
	if t.read != nil {
		x.reads--
	} else if x.jobs--; x.jobs == x.bounds.Jobs-1 {
		x.idle()
	}
	return t, true
}

// answerNow says that an answer is due, and that it is the answers' turn or
// nothing else waits: then nothing was queued before it either.
func (x *executor) answerNow() bool {
	q := &x.answers
	return q.queue.len() > 0 && (x.queue.len() == 0 || q.next && q.queue.front().after <= x.taken)
}

// takeAnswer takes the oldest question.
func (x *executor) takeAnswer() consensus.Answer {
	q := &x.answers
	q.next = false
	a := q.queue.pop().job
	if q.of[a.Request.Client]--; q.of[a.Request.Client] == 0 {
		delete(q.of, a.Request.Client)
	}
	return a
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
	return x.jobs, x.answers.queue.len(), x.answers.dropped
}

// reader reads parts of snapshots beside execution, for others that fetch the
// state: disk reads of megabytes that must not hold up a batch.
type reader struct {
	asks chan ask
	done chan struct{}
	told func(consensus.Chunk)
	warn func([]consensus.Note)
}

// ask is a read with the snapshot found for it.
type ask struct {
	read     consensus.ChunkRead
	snapshot *state.Snapshot
}

// newReader makes a reader that answers by told.
func newReader(b Bounds, told func(consensus.Chunk), warn func([]consensus.Note)) *reader {
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
			parts, err := a.snapshot.Read(a.read.Items, consensus.ChunkBytes)
			if err != nil && !errors.Is(err, state.ErrGone) {
				r.warn([]consensus.Note{{Kind: consensus.Alarm, Seq: a.read.Seq, Digest: a.read.Root, Text: err.Error()}})
			}
			r.told(consensus.Chunk{Read: a.read, Parts: parts, Gone: err != nil})
		}
	}
}

// close ends run after the read it is at.
func (r *reader) close() { close(r.done) }
