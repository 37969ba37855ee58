package node

import (
	"fmt"
	"sync"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
	"quorate.dev/quorate/storage"
)

// journal is the log writer: the only goroutine that touches the log. It
// drains everything that waits, appends it, syncs once, and says what is
// durable. Its queue needs no bound of its own: the driver's backlog is
// bounded, and the loop stops stepping when that is full.
type journal struct {
	log     *storage.Log
	metrics *metrics
	durable func(driver.Ticket)
	fail    func(error)

	doing  activity
	mu     sync.Mutex
	wake   sync.Cond
	queue  []entry
	closed bool
}

// entry is one append of the driver's, or a task for the disk.
type entry struct {
	ticket  driver.Ticket
	records []consensus.Record
	forget  consensus.Seq
	task    func() error // done once everything before it is synced
}

// newJournal makes the writer of log. durable and fail are called by run.
func newJournal(log *storage.Log, m *metrics, durable func(driver.Ticket), fail func(error)) *journal {
	j := &journal{log: log, metrics: m, durable: durable, fail: fail}
	j.wake.L = &j.mu
	return j
}

// append queues records; it never waits.
func (j *journal) append(e entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queue = append(j.queue, e)
	j.wake.Signal()
}

// run writes until close, and what is queued then too. A failed write or sync
// is the end of the process: what was written may or may not be there.
func (j *journal) run() {
	var group []entry
	for {
		j.mu.Lock()
		for len(j.queue) == 0 && !j.closed {
			j.wake.Wait()
		}
		if len(j.queue) == 0 {
			j.mu.Unlock()
			return
		}
		group, j.queue = j.queue, group[:0]
		j.mu.Unlock()
		if err := j.write(group); err != nil {
			j.fail(fmt.Errorf("the log cannot be written, so nothing more may be promised: %w: %s", err, remedy(err)))
			return
		}
		clear(group)
	}
}

// write makes one group durable. Lazy records alone force no sync: the driver
// waits for none, and the next sync covers them.
func (j *journal) write(group []entry) error {
	defer j.doing.does("")
	j.doing.does("an append to the log")
	var forget consensus.Seq
	count, must := 0, false
	for i := range group {
		e := &group[i]
		if err := j.log.Append(e.records); err != nil {
			return err
		}
		for k := range e.records {
			must = must || !e.records[k].Lazy
		}
		count += len(e.records)
		forget = max(forget, e.forget)
		must = must || e.task != nil
	}
	if must {
		begin := time.Now()
		j.doing.does("a sync of the log")
		if err := j.log.Sync(); err != nil {
			return err
		}
		j.metrics.sync.Observe(time.Since(begin).Seconds())
		j.metrics.records.Observe(float64(count))
	}
	if t := newest(group); t > 0 {
		j.durable(t)
	}
	return j.tidy(group, forget)
}

// newest is the last ticket of a group; 0 if it holds tasks only.
func newest(group []entry) (t driver.Ticket) {
	for i := range group {
		t = max(t, group[i].ticket)
	}
	return t
}

// tidy does what can wait until others were told.
func (j *journal) tidy(group []entry, forget consensus.Seq) error {
	j.doing.does("a cut of the log, or a file beside it")
	for i := range group {
		if group[i].task != nil {
			if err := group[i].task(); err != nil {
				return err
			}
		}
	}
	if forget > 0 {
		if err := j.log.Forget(forget); err != nil {
			return err
		}
	}
	s := j.log.Status()
	j.metrics.logBytes.Set(float64(s.Bytes))
	j.metrics.logSegments.Set(float64(s.Segments))
	return nil
}

// close ends run after what is queued.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.wake.Broadcast()
}

// depth is how many appends wait, for metrics.
func (j *journal) depth() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.queue)
}
