package host

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Jobs is the one ordered queue of execution. Commits are bounded by holding the
// engine back (Full); answers from sessions are refused beyond their bound, since
// the client asks again; so are reads, and the asker is told to try again.
//
// Answers wait apart. One may read megabytes for a request of a few bytes, and
// a client may repeat its request as often as it likes: in one queue with the
// commits, four thousand of them would stand before every batch, at every
// replica. So they take turns, an answer never before a job that was queued
// before it, and one client has a share of the room.
//
// What a checkpoint costs is done beside execution, in tasks of the machine's. The
// queue counts them: a job of a restore waits until none is under way, for it drops
// what they work on, and a commit while too many are, or too much waits for them.
// Nothing overtakes a job that waits so.
type Jobs struct {
	bounds    Bounds
	tasks     fifo[Task]
	jobs      int // in tasks, without reads
	reads     int
	taken     uint64 // tasks that have been taken
	underWay  int    // tasks of checkpoints
	waitBytes int    // of state, for them
	answers   answers
	lookups   lookups
}

// answers are the questions that wait for the session table.
type answers struct {
	queue   fifo[question]
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

// Task is a job, the search for the snapshot that a read needs, which belongs
// to the machine's owner, or a READ.
type Task struct {
	Job    consensus.Job
	Read   *consensus.ChunkRead
	Lookup *consensus.Lookup
}

// NewJobs makes an empty queue.
func NewJobs(b Bounds) *Jobs {
	return &Jobs{
		bounds:  b,
		answers: answers{of: make(map[crypto.PublicKey]int)},
		lookups: lookups{room: consensus.QueryRoom{Queries: b.Lookups, Bytes: b.LookupBytes}},
	}
}

// Put queues a job. Only an answer can be refused, and nobody is told.
func (q *Jobs) Put(j consensus.Job) Verdict {
	if a, ok := j.(consensus.Answer); ok {
		return q.ask(a)
	}
	q.jobs++
	q.tasks.push(Task{Job: j})
	return Taken
}

// ask queues an answer, if there is room for it.
func (q *Jobs) ask(job consensus.Answer) Verdict {
	a, client := &q.answers, job.Request.Client
	if a.queue.len() >= q.bounds.Answers || a.of[client] >= max(1, q.bounds.Answers/answerShare) {
		a.dropped++
		return Refused
	}
	a.of[client]++
	a.queue.push(question{job: job, after: q.taken + uint64(q.tasks.len())})
	return Taken
}

// Read queues the search for a snapshot. A refused one is answered with a Chunk
// that has no parts and is not Gone.
func (q *Jobs) Read(r *consensus.ChunkRead) Verdict {
	if q.reads >= q.bounds.Reads {
		return Refused
	}
	q.reads++
	q.tasks.push(Task{Read: r})
	return Taken
}

// Full says that so much waits that the engine must not be stepped.
func (q *Jobs) Full() bool { return q.jobs >= q.bounds.Jobs }

// Begun says that a task of a checkpoint is under way, for which so many bytes of
// state wait.
func (q *Jobs) Begun(bytes int) {
	q.underWay++
	q.waitBytes += bytes
}

// Ended says that it is over.
func (q *Jobs) Ended(bytes int) {
	q.underWay--
	q.waitBytes -= bytes
}

// Ready reports whether Take may take something now.
func (q *Jobs) Ready() bool {
	if q.tasks.len() == 0 {
		return q.answers.queue.len() > 0 || q.lookups.due()
	}
	return !q.Held()
}

// Held reports whether what is next waits for tasks of checkpoints.
func (q *Jobs) Held() bool {
	if q.tasks.len() == 0 || q.underWay == 0 {
		return false
	}
	switch q.tasks.front().Job.(type) {
	case consensus.RestoreBegin, consensus.RestorePut, consensus.RestoreEnd, consensus.RestoreAbort:
		return true
	case consensus.Commit:
		return q.underWay >= q.bounds.Tasks || q.waitBytes >= q.bounds.TaskBytes
	}
	return false
}

// Take takes the next task; there must be one that is ready.
func (q *Jobs) Take() Task {
	switch {
	case q.lookupNow():
		return Task{Lookup: q.takeLookup()}
	case q.answerNow():
		return Task{Job: q.takeAnswer()}
	}
	q.answers.next, q.lookups.next = true, true
	q.taken++
	t := q.tasks.pop()
	if t.Read != nil {
		q.reads--
	} else {
		q.jobs--
	}
	return t
}

// answerNow says that an answer is due, and that it is the answers' turn or
// nothing else waits: then nothing was queued before it either.
func (q *Jobs) answerNow() bool {
	a := &q.answers
	return a.queue.len() > 0 && (q.tasks.len() == 0 || a.next && a.queue.front().after <= q.taken)
}

// takeAnswer takes the oldest question.
func (q *Jobs) takeAnswer() consensus.Answer {
	a := &q.answers
	a.next, q.lookups.last = false, false
	job := a.queue.pop().job
	if a.of[job.Request.Client]--; a.of[job.Request.Client] == 0 {
		delete(a.of, job.Request.Client)
	}
	return job
}

// Depth is what waits, and how many answers found no room.
func (q *Jobs) Depth() (jobs, answers int, dropped uint64) {
	return q.jobs, q.answers.queue.len(), q.answers.dropped
}
