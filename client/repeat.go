package client

import (
	"context"
	"errors"

	"quorate.dev/quorate/client/session"
)

// Repeat returns an Invoker that invokes again, up to times more, what ended
// with session.ErrStale: another process began a session with the same key, and
// the outcome is unknown. Use it for operations that may be executed twice:
// reads, and puts and deletes whose key nobody else writes. It is no good for a
// CompareAndSwap or a transaction: the first may have been executed, and the
// second then finds what it wrote.
func Repeat(inner Invoker, times int) Invoker { return repeat{inner, times} }

type repeat struct {
	inner Invoker
	times int
}

// Invoke invokes op until its outcome is known, or often enough.
func (r repeat) Invoke(ctx context.Context, op []byte) (Result, error) {
	for i := 0; ; i++ {
		result, err := r.inner.Invoke(ctx, op)
		if err == nil || i >= r.times || ctx.Err() != nil || !errors.Is(err, session.ErrStale) {
			return result, err
		}
	}
}
