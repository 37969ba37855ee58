package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/testnet"
)

// Session is one client of a cluster, which callers share.
type Session struct {
	client.Invoker
	// Reads are how operations that only read are asked for; nil = as all others, in
	// their order.
	Reads client.Invoker
}

// Target is a cluster that can be measured.
type Target struct {
	Sessions []Session        // callers share them in turn
	Told     client.Invoker   // the first of them with a history for judges; nil = no judge is interested
	Local    *testnet.Cluster // nil: elsewhere, and nothing is known of its processes
}

// toldCallers is of how many callers judges hear: a history of all would cost what is
// measured.
const toldCallers = 4

// load is what the callers of a measurement do and count.
type load struct {
	Measurement
	target   Target
	fail     context.CancelCauseFunc // ends the measurement
	begun    time.Time
	meter    *meter
	callers  []caller
	answered chan struct{} // holds one: an operation was answered after the warm-up
}

// caller is one of them. Its fields belong to its goroutine until the load ends.
type caller struct {
	answered bool // once, be it while it warmed up
	reading  bool // its operation under way only reads
	number   int  // of its operations, in an open loop
	inVain   int  // operations that it waited for until the end, without any answer before
	value    []byte
}

// newLoad is not begun yet.
func newLoad(m Measurement, target Target, fail context.CancelCauseFunc) *load {
	return &load{
		Measurement: m, target: target, fail: fail, callers: make([]caller, m.Clients), answered: make(chan struct{}, 1),
		meter: newMeter(m.Warmup, m.Warmup+m.Duration),
	}
}

// by is the client that a caller calls.
func (l *load) by(caller int) Session {
	s := l.target.Sessions[caller%len(l.target.Sessions)]
	if l.target.Told != nil && caller%len(l.target.Sessions) == 0 && caller/len(l.target.Sessions) < toldCallers {
		s.Invoker = l.target.Told
		if told, reads := l.target.Told.(client.Reader); reads && s.Reads != nil {
			s.Reads = client.Unordered{Reader: told}
		}
	}
	if s.Reads == nil {
		s.Reads = s.Invoker
	}
	return s
}

// asker is a caller's way to its session: what only reads goes its own way.
type asker struct {
	Session
	caller *caller
}

// Invoke asks for the operation that next has made for the caller.
func (a *asker) Invoke(ctx context.Context, op []byte) (client.Result, error) {
	if a.caller.reading {
		return a.Reads.Invoke(ctx, op)
	}
	return a.Invoker.Invoke(ctx, op)
}

// run loads until ctx ends.
func (l *load) run(ctx context.Context) error {
	if l.Rate > 0 {
		return l.open(ctx)
	}
	loop := live.Load{Begun: l.begun, Next: l.next, Heard: l.heard}
	for i := range l.callers {
		loop.Callers = append(loop.Callers, &asker{l.by(i), &l.callers[i]})
	}
	return loop.Run(ctx)
}

// due is when an open loop asks for its n-th operation, from 0, since it began.
func due(n, rate int) time.Duration {
	return time.Duration(n/rate)*time.Second + time.Duration(n%rate)*time.Second/time.Duration(rate)
}

// open asks at a fixed rate, whether answers come or not, with at most so many
// operations under way as there are callers. An operation without room waits, and its
// latency counts from the moment when it was due: what a stall keeps from being asked
// is not left out.
func (l *load) open(ctx context.Context) error {
	idle := make(chan int, len(l.callers))
	for i := range l.callers {
		idle <- i
	}
	var all sync.WaitGroup
	defer all.Wait()
	for n := 0; ; n++ {
		at := due(n, l.Rate)
		if wait := at - time.Since(l.begun); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		select {
		case i := <-idle:
			all.Go(func() {
				l.one(ctx, i, at)
				idle <- i
			})
		case <-ctx.Done():
			l.meter.late(n, l.Rate, time.Since(l.begun))
			return nil
		}
	}
}

// one asks for an operation of an open loop that was due at a moment.
func (l *load) one(ctx context.Context, caller int, at time.Duration) {
	// A panic here would end the process past all that is deferred elsewhere, and
	// leave a cluster running.
	defer func() {
		if p := recover(); p != nil {
			l.fail(fmt.Errorf("caller %d panicked: %v", caller, p))
		}
	}()
	me := &l.callers[caller]
	me.number++
	c := live.Call{Caller: caller, Number: me.number, Operation: l.next(caller, me.number), Asked: at}
	c.Result, c.Err = (&asker{l.by(caller), me}).Invoke(ctx, c.Operation)
	c.Ended, c.Over = time.Since(l.begun), c.Err != nil && ctx.Err() != nil
	l.heard(&c)
}

// next is a caller's n-th operation, from 1. Values differ, if they have the room.
func (l *load) next(caller, n int) []byte {
	me := &l.callers[caller]
	if me.reading = l.reads(caller, n); me.reading {
		return kv.Get(l.keyToRead(caller, n))
	}
	if l.Operation != nil {
		return l.Operation
	}
	return kv.Put(l.key(caller, n), l.value(caller, n))
}

// afterRefusal keeps callers that are turned away at once from asking a thousand times
// a second.
const afterRefusal = 10 * time.Millisecond

// heard counts how an operation ended.
func (l *load) heard(c *live.Call) (pause time.Duration) {
	me, how := &l.callers[c.Caller], answered
	if c.Err == nil {
		me.answered = true
		if c.Ended >= l.Warmup {
			select {
			case l.answered <- struct{}{}:
			default:
			}
		}
	}
	switch {
	case c.Over:
		how = cut
		if !me.answered && l.Rate == 0 {
			me.inVain++
		}
	case errors.Is(c.Err, session.ErrUnknown) && !errors.Is(c.Err, session.ErrOlder):
		how = unknown
	case errors.Is(c.Err, session.ErrBusy):
		how, pause = refused, afterRefusal
	case c.Err != nil:
		l.fail(c.Err)
		return 0
	case c.Result.Code != consensus.ResultOK:
		l.fail(&client.ResultError{Code: c.Result.Code, Text: strconv.Quote(string(c.Result.Data))})
		return 0
	}
	l.meter.ended(c.Asked, c.Ended, how, me.reading)
	return pause
}
