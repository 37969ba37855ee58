package client

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// call is one Invoke on its way.
type call struct {
	op   []byte
	read bool              // it writes nothing, and need not be ordered
	done chan session.Done // room for the one answer, so that run never waits for a caller

	ticket session.Ticket // run's alone: of the session, while it has one
}

func newCall() *call { return &call{done: make(chan session.Done, 1)} }

// maxInbox bounds the calls that wait for run to wake up. It is never the bound
// that callers meet, unless they are as many: the session has its own.
const maxInbox = 1 << 16

// inbox is what callers leave for run. A slice under a lock costs a fraction
// of a channel operation each, and run takes it whole: what came together is
// gathered together.
type inbox struct {
	mu      sync.Mutex
	calls   []*call
	cancels []*call
	ups     []consensus.ReplicaID
	closed  bool
	wake    chan struct{} // room for one
}

func newInbox() inbox { return inbox{wake: make(chan struct{}, 1)} }

func (i *inbox) ring() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// invoke lets calls in together, or none of them.
func (i *inbox) invoke(calls ...*call) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
		return fmt.Errorf("%w: %w", session.ErrClosed, session.ErrNotSent)
	case len(i.calls)+len(calls) > maxInbox:
		return session.ErrBusy
	}
	i.calls = append(i.calls, calls...)
	i.ring()
	return nil
}

func (i *inbox) cancel(c *call) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancels = append(i.cancels, c)
	i.ring()
}

func (i *inbox) connected(id consensus.ReplicaID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ups = append(i.ups, id)
	i.ring()
}

// shut lets nothing more in and reports whether this call did it.
func (i *inbox) shut() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	first := !i.closed
	i.closed = true
	return first
}

// take empties the inbox.
func (i *inbox) take() (calls, cancels []*call, ups []consensus.ReplicaID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	calls, cancels, ups = i.calls, i.cancels, i.ups
	i.calls, i.cancels, i.ups = nil, nil, nil
	return calls, cancels, ups
}

// maxGroups bounds the groups of frames taken in one turn, so that callers
// have theirs.
const maxGroups = 64

// loop is what run knows.
type loop struct {
	client *Client
	calls  calls
	timer  *time.Timer
	looked time.Time
	shift  consensus.Time // of the clock, that was told last
}

// calls holds those that the session has, by ticket. Tickets are small numbers, from
// 1, and used again: there are as many as calls at a time.
type calls struct {
	of   []*call // nil: free
	free []session.Ticket
}

func (l *calls) add(c *call) {
	if n := len(l.free); n > 0 {
		c.ticket, l.free = l.free[n-1], l.free[:n-1]
		l.of[c.ticket-1] = c
		return
	}
	l.of = append(l.of, c)
	c.ticket = session.Ticket(len(l.of))
}

// remove returns the call of a ticket, which is free from now on.
func (l *calls) remove(t session.Ticket) *call {
	c := l.of[t-1]
	l.of[t-1], c.ticket = nil, 0
	l.free = append(l.free, t)
	return c
}

// run owns the session until Close.
func (c *Client) run() {
	defer close(c.ended)
	l := &loop{client: c, timer: time.NewTimer(time.Hour)}
	defer l.timer.Stop()
	for l.turn() {
	}
	// Callers that came before the door was shut are still answered.
	l.admit()
	c.session.Close()
	l.perform(c.session.Flush())
	c.tellAccepted()
}

// turn waits for something to do, takes everything there is, and does it. It
// reports false when the client closes.
func (l *loop) turn() bool {
	c := l.client
	var first arrival
	select {
	case <-c.stop:
		return false
	case first = <-c.frames:
	case <-c.inbox.wake:
		if len(l.calls.of) > 1 { // a lone caller has nobody to wait for
			runtime.Gosched() // whom the same answer has woken ask first, and travel together
		}
	case <-l.timer.C:
	}
	l.look()
	c.session.Advance(c.now())
	if first.frames != nil {
		l.receive(first)
	}
	l.tellShift()
	l.admit()
	l.perform(c.session.Flush())
	c.tellAccepted()
	return true
}

// glance is how often, with requests in flight, to look whether the channels
// they went by still stand: a primary that was killed is noticed long before
// patience with it is over.
const glance = 100 * time.Millisecond

// look tells the session which replicas cannot be reached.
func (l *loop) look() {
	if l.client.session.InFlight() == 0 || time.Since(l.looked) < glance {
		return
	}
	l.looked = time.Now()
	for id := range l.client.size {
		if !l.client.network.Connected(id) {
			l.client.session.Disconnected(id)
		}
	}
}

// receive feeds a group of frames and those that wait behind it.
func (l *loop) receive(a arrival) {
	for n := 0; ; n++ {
		for _, f := range a.frames {
			l.client.session.Receive(a.from, f)
		}
		if n == maxGroups {
			return
		}
		select {
		case a = <-l.client.frames:
		default:
			return
		}
	}
}

// tellShift says, once, that the clock of this machine and the cluster's differ.
func (l *loop) tellShift() {
	shift := l.client.session.Shift()
	if shift == l.shift {
		return
	}
	l.shift = shift
	l.client.log.Warn("this machine's clock and the time of the cluster differ: going by the cluster's", "cluster_ahead_by", time.Duration(shift).Round(time.Millisecond))
}

// tellAccepted says which epoch was accepted, after its answers have gone out: they
// do not wait for the disk on which it is kept.
func (c *Client) tellAccepted() {
	if e := c.session.Accepted(); e != c.told && c.accepted != nil {
		c.told = e
		c.accepted(e)
	}
}

// admit feeds what callers and connections have left.
func (l *loop) admit() {
	calls, cancels, ups := l.client.inbox.take()
	for _, id := range ups {
		l.client.session.Connected(id)
		l.client.status.resend(id, l.client.network)
	}
	for _, c := range calls {
		l.calls.add(c)
		if c.read {
			l.client.session.Read(c.ticket, c.op)
		} else {
			l.client.session.Invoke(c.ticket, c.op)
		}
	}
	for _, c := range cancels {
		if c.ticket != 0 {
			l.client.session.Cancel(c.ticket)
		}
	}
}

// perform does what the session says. A replica that cannot be reached is
// reported to it, which may make it send elsewhere.
func (l *loop) perform(out session.Output) {
	for {
		for _, d := range out.Done {
			l.calls.remove(d.Ticket).done <- d
		}
		var lost quorum.Set
		for _, send := range out.Sends {
			if lost.Has(send.To) {
				continue
			}
			if !l.client.network.Connected(send.To) || !l.client.network.Send(send.To, send.Bytes) {
				lost.Add(send.To)
				l.client.session.Disconnected(send.To)
			}
		}
		if lost == 0 {
			break
		}
		out = l.client.session.Flush()
	}
	if out.Deadline == 0 {
		l.timer.Reset(time.Hour)
		return
	}
	l.timer.Reset(min(glance, time.Duration(out.Deadline-l.client.now())))
}
