package session

import (
	"slices"

	"quorate.dev/quorate/consensus"
)

// queue holds the operations that wait, first in, first out.
type queue struct {
	operations []*operation
	bytes      int
}

func (q *queue) len() int { return len(q.operations) }

func (q *queue) push(o *operation) {
	q.operations = append(q.operations, o)
	q.bytes += len(o.bytes)
}

// front puts operations back before all others.
func (q *queue) front(list []*operation) {
	q.operations = slices.Insert(q.operations, 0, list...)
	for _, o := range list {
		q.bytes += len(o.bytes)
	}
}

func (q *queue) take(n int) []*operation {
	out := append([]*operation(nil), q.operations[:n]...)
	clear(q.operations[:n])
	q.operations = q.operations[n:]
	for _, o := range out {
		q.bytes -= len(o.bytes)
	}
	return out
}

func (q *queue) remove(o *operation) {
	if i := slices.Index(q.operations, o); i >= 0 {
		q.operations = slices.Delete(q.operations, i, i+1)
		q.bytes -= len(o.bytes)
	}
}

// flight holds the requests that are sent and not answered, in the order of
// their counters, all of one epoch.
type flight struct {
	epoch    uint64
	counter  uint64 // last used
	answered uint64 // highest that is known to be executed
	used     consensus.Time
	stale    bool // this epoch is used up: open another when nothing is in flight

	requests   []*request
	of         map[uint64]*request
	operations int
	bytes      int
}

// open begins a fresh window.
func (f *flight) open(epoch uint64, now consensus.Time) {
	*f = flight{epoch: epoch, used: now, of: map[uint64]*request{}}
}

// oldest is the request that has been in flight for the longest; nil if none is.
func (f *flight) oldest() *request {
	if len(f.requests) == 0 {
		return nil
	}
	return f.requests[0]
}

// snapshot lists the requests while the list may change.
func (f *flight) snapshot() []*request { return slices.Clone(f.requests) }

func (f *flight) add(r *request) {
	f.requests = append(f.requests, r)
	f.of[r.signed.Sequence.Counter] = r
	f.operations += len(r.operations)
	f.bytes += len(r.signed.Raw)
}

func (f *flight) remove(r *request) {
	if i := slices.Index(f.requests, r); i >= 0 {
		f.requests = slices.Delete(f.requests, i, i+1)
	}
	delete(f.of, r.signed.Sequence.Counter)
	f.operations -= len(r.operations)
	f.bytes -= len(r.signed.Raw)
}

// room reports whether the next counter is surely within the replicas' window,
// which reaches from SessionWindow below to SessionWindow above the highest
// executed counter: nothing in flight may fall out at its lower end, and the
// new one must not lie beyond its upper end.
func (f *flight) room() bool {
	if f.counter+1 > f.answered+consensus.SessionWindow {
		return false
	}
	return len(f.requests) == 0 || f.counter+1-f.requests[0].signed.Sequence.Counter < consensus.SessionWindow
}
