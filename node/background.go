package node

import (
	"sync"
	"time"

	"quorate.dev/quorate/app"
)

// background does the tasks of checkpoints beside execution, one after the other in
// their order. Every replica has as much to do at the same moment, and some share a
// machine: so it rests between steps, in proportion to what they took, unless
// another task waits already, or execution does.
type background struct {
	ended func(*app.Task)
	urged func() bool // execution waits
	doing activity

	mu     sync.Mutex
	wake   sync.Cond
	queue  []*app.Task
	closed bool
	done   chan struct{} // closed with it
}

const (
	restShare = 3                     // it rests so many times as long as a step took
	restMost  = 50 * time.Millisecond // ... and no longer: a step that hung says nothing of the next
)

// newBackground makes the background of an executor.
func newBackground(x *executor) *background {
	b := &background{ended: x.end, urged: x.held, done: make(chan struct{})}
	b.wake.L = &b.mu
	return b
}

// add queues a task. It never waits: the executor bounds what it gives out.
func (b *background) add(t *app.Task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, t)
	b.wake.Signal()
}

// run works until close. A task that is not done then is left: the log has what it
// was for.
func (b *background) run() {
	for {
		t, ok := b.next()
		if !ok {
			return
		}
		if !b.perform(t) {
			return
		}
		b.ended(t)
	}
}

// perform does a task, unless it is closed.
func (b *background) perform(t *app.Task) bool {
	begin := time.Now()
	rest := func() (open bool) {
		b.doing.does("")
		open = b.rest(time.Since(begin))
		begin = time.Now()
		b.doing.does(t.String())
		return open
	}
	t.Pausing(func() { rest() }) // closed or not, that step is done to its end
	b.doing.does(t.String())
	defer b.doing.does("")
	for t.Step() {
		if !rest() {
			return false
		}
	}
	return true
}

// next waits for a task.
func (b *background) next() (*app.Task, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.closed {
		b.wake.Wait()
	}
	if b.closed {
		return nil, false
	}
	t := b.queue[0]
	b.queue = b.queue[1:]
	return t, true
}

// rest pauses after a step that took so long. False if there is an end to all.
func (b *background) rest(took time.Duration) bool {
	b.mu.Lock()
	late := len(b.queue) > 0
	b.mu.Unlock()
	if late || b.urged() {
		took = 0
	}
	select {
	case <-b.done:
		return false
	case <-time.After(min(restShare*took, restMost)):
		return true
	}
}

// depth is what waits, for metrics.
func (b *background) depth() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// close ends run after the step it is at.
func (b *background) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	close(b.done)
	b.wake.Broadcast()
}
