package client

import (
	"context"
	"fmt"

	"quorate.dev/quorate/client/session"
)

// Reader reads without an order; Client is one.
type Reader interface {
	Read(ctx context.Context, op []byte) (Result, error)
}

var _ Reader = (*Client)(nil)

// Read has op executed, which must write nothing, and returns its result: that of
// a state in which everything is that was answered, to anybody, before Read was
// called. Usually that takes one round trip to the replicas and neither an order
// nor a disk; if too few of them say the same, op is ordered as by Invoke.
//
// An op that writes is the caller's mistake. session.Config.Writes has it refused, with
// session.ErrWrites, before it is sent. Without that it changes nothing where it is
// read, and fails with ResultFailed and a text that says so; but where it comes to be
// ordered nothing tells it from a write, and it writes. Other errors are those of Invoke.
func (c *Client) Read(ctx context.Context, op []byte) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", session.ErrNotSent, err)
	}
	return c.make(ctx, op, true)
}

// Ordered hides that an Invoker can read: KV{Ordered{c}} has every read ordered.
type Ordered struct{ Invoker }

// Unordered is an Invoker of operations that write nothing, none of which is
// ordered unless it must be.
type Unordered struct{ Reader }

// Invoke reads.
func (u Unordered) Invoke(ctx context.Context, op []byte) (Result, error) { return u.Read(ctx, op) }
