package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"quorate.dev/quorate/client"
	"quorate.dev/quorate/client/session"
)

// Load is a closed loop: every caller has one call under way at a time.
type Load struct {
	Begun   time.Time
	Callers []client.Invoker
	Calls   int                                  // of each; 0 = until the load is stopped
	Within  time.Duration                        // how long an answer is waited for; 0 = as long as the load lasts
	Next    func(caller, number int) (op []byte) // numbers are from 1
	Heard   func(c *Call) (pause time.Duration)  // how a call ended; on the caller's goroutine, which then pauses
}

// Call is one call of a load. Times are since the load began.
type Call struct {
	Caller, Number int
	Operation      []byte
	Asked, Ended   time.Duration
	Result         client.Result
	Err            error // it was not executed, or its outcome is not known
	Over           bool  // ... for the load ended before the answer came
}

// Run calls until all calls were made, or ctx ends. It fails if a caller can go on
// no more.
func (l *Load) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(l.Callers))
	var all sync.WaitGroup
	for i := range l.Callers {
		all.Go(func() {
			if errs[i] = l.call(ctx, i); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// call is one caller.
func (l *Load) call(ctx context.Context, caller int) (err error) {
	// A panic here would end the process past all that is deferred elsewhere, and
	// leave a cluster running.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("caller %d panicked: %v", caller, p)
		}
	}()
	for n := 1; (l.Calls == 0 || n <= l.Calls) && ctx.Err() == nil; n++ {
		c := Call{Caller: caller, Number: n, Operation: l.Next(caller, n), Asked: time.Since(l.Begun)}
		c.Result, c.Err = l.invoke(ctx, &c)
		c.Ended, c.Over = time.Since(l.Begun), c.Err != nil && ctx.Err() != nil
		if errors.Is(c.Err, session.ErrClosed) && !c.Over {
			return fmt.Errorf("caller %d: %w", caller, c.Err)
		}
		if pause := l.Heard(&c); pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
	return nil
}

func (l *Load) invoke(ctx context.Context, c *Call) (client.Result, error) {
	if l.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.Within)
		defer cancel()
	}
	return l.Callers[c.Caller].Invoke(ctx, c.Operation)
}
