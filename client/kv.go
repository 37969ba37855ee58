package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/internal/noun"
)

// The errors of operations that were executed and failed; nothing of them was
// written. A ResultError carries the code and the text.
var (
	ErrFailed         = errors.New("operation failed")
	ErrPanic          = errors.New("the application panicked")
	ErrLimit          = errors.New("the operation exceeds its step or memory limit")
	ErrResultTooLarge = errors.New("the result is too large: ask for less at once")
)

// ResultError is a result whose code is not ResultOK. It matches the error of
// its code.
type ResultError struct {
	Code consensus.ResultCode
	Text string // the application's, with ResultFailed
}

// Error says what happened.
func (e *ResultError) Error() string {
	if e.Text == "" {
		return e.Unwrap().Error()
	}
	return e.Unwrap().Error() + ": " + e.Text
}

// Unwrap is the error of the code.
func (e *ResultError) Unwrap() error {
	switch e.Code {
	case consensus.ResultPanic:
		return ErrPanic
	case consensus.ResultLimit:
		return ErrLimit
	case consensus.ResultTooLarge:
		return ErrResultTooLarge
	}
	return ErrFailed
}

// Invoker executes operations; Client is one.
type Invoker interface {
	Invoke(ctx context.Context, op []byte) (Result, error)
}

// KV speaks the operations of the shipped key-value store. Its zero value is
// of no use: KV{Invoker: client}. Get, Range and Scan read without an order if the
// Invoker is a Reader; see Ordered. It is safe for concurrent use if the Invoker
// is. Errors are those of Invoke, ResultErrors, or wrap kv.ErrMalformed when
// the cluster runs another application. A key or value that no cluster can take
// is session.ErrTooLarge before anything is built of it.
type KV struct{ Invoker Invoker }

// fits holds a key and values (bytes that go with it) against what an operation
// can carry in any cluster at all; the limits of this one are judged by Invoke
// and by the store.
func fits(key []byte, values ...[]byte) error {
	if len(key) > kv.MaxKey {
		return fmt.Errorf("%w: a key of %d bytes; the limit of every cluster is %d", session.ErrTooLarge, len(key), kv.MaxKey)
	}
	room := consensus.MaxFrame - len(key)
	for _, v := range values {
		if len(v) > room {
			return fmt.Errorf("%w: an operation of %d bytes or more; the limit of every cluster is %d", session.ErrTooLarge, consensus.MaxFrame-room+len(v), consensus.MaxFrame)
		}
		room -= len(v)
	}
	return nil
}

// run executes the operation that build makes, if key and values fit, and says
// in its errors what was to be done with which key.
func (s KV) run(ctx context.Context, what string, build func() []byte, key []byte, values ...[]byte) ([]byte, error) {
	err := fits(key, values...)
	if err == nil {
		var data []byte
		if data, err = s.invoke(ctx, build()); err == nil {
			return data, nil
		}
	}
	return nil, fmt.Errorf("%s %s: %w", what, noun.Quote(key), err)
}

// invoke executes op and returns its data if it went well.
func (s KV) invoke(ctx context.Context, op []byte) ([]byte, error) {
	r, err := s.Invoker.Invoke(ctx, op)
	if err != nil {
		return nil, err
	}
	if r.Code != consensus.ResultOK {
		e := &ResultError{Code: r.Code}
		if r.Code == consensus.ResultFailed {
			e.Text = string(r.Data)
		}
		return nil, e
	}
	return r.Data, nil
}

// reading invokes operations that write nothing. Its errors match what they are
// made of, session.ErrUnknown too, but do not speak of execution: nobody has to
// look what became of a read.
type reading struct{ inner Invoker }

// Invoke reads op, without an order if inner can.
func (r reading) Invoke(ctx context.Context, op []byte) (Result, error) {
	read := r.inner.Invoke
	if reader, ok := r.inner.(Reader); ok {
		read = reader.Read
	}
	result, err := read(ctx, op)
	if errors.Is(err, session.ErrUnknown) {
		err = unread{err}
	}
	return result, err
}

// unread is the error of a read that was sent and got no answer.
type unread struct{ cause error }

// Unwrap is the error as it was.
func (e unread) Unwrap() error { return e.cause }

// Error says why there is no answer.
func (e unread) Error() string {
	var refused *session.RefusedError
	if errors.As(e.cause, &refused) {
		return refused.Reason()
	}
	text := "no answer"
	for _, reason := range []error{session.ErrNoLeader, session.ErrClosed, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(e.cause, reason) {
			text += ": " + reason.Error()
		}
	}
	return text
}

// Get reads key. found tells an absent key from one with an empty value.
func (s KV) Get(ctx context.Context, key []byte) (entry kv.Entry, found bool, err error) {
	data, err := KV{reading{s.Invoker}}.run(ctx, "get", func() []byte { return kv.Get(key) }, key)
	if err != nil {
		return kv.Entry{}, false, err
	}
	return kv.ParseGet(data)
}

// Put stores value under key and returns the revision of the change: the store
// counts its changes, and nothing else.
func (s KV) Put(ctx context.Context, key, value []byte) (revision uint64, err error) {
	data, err := s.run(ctx, "put", func() []byte { return kv.Put(key, value) }, key, value)
	if err != nil {
		return 0, err
	}
	return kv.ParsePut(data)
}

// Delete removes key and reports whether it was there.
func (s KV) Delete(ctx context.Context, key []byte) (existed bool, err error) {
	data, err := s.run(ctx, "delete", func() []byte { return kv.Delete(key) }, key)
	if err != nil {
		return false, err
	}
	return kv.ParseDelete(data)
}

// CompareAndSwap makes key hold next (kv.None: deletes it) if it holds exactly
// expect (kv.None: is absent). That it does not is no error: see Swapped.
func (s KV) CompareAndSwap(ctx context.Context, key []byte, expect, next kv.Maybe) (kv.Swapped, error) {
	data, err := s.run(ctx, "compare and swap", func() []byte { return kv.CompareAndSwap(key, expect, next) }, key, expect.Value, next.Value)
	if err != nil {
		return kv.Swapped{}, err
	}
	return kv.ParseSwap(data)
}

// Range reads one page of the entries with from <= key < to, at most limit of
// them (0 = as many as fit). An empty to is no upper bound.
func (s KV) Range(ctx context.Context, from, to []byte, limit uint32, keysOnly bool) (kv.Page, error) {
	data, err := KV{reading{s.Invoker}}.run(ctx, "range from", func() []byte { return kv.Range(from, to, limit, keysOnly) }, from, to)
	if err != nil {
		return kv.Page{}, err
	}
	return kv.ParseRange(data)
}

// Scan yields all entries whose keys begin with prefix, page by page: each page
// is read at one moment, the whole is not. It stops at the first error, which
// it yields with a zero entry.
func (s KV) Scan(ctx context.Context, prefix []byte, keysOnly bool) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		from, to := prefix, kv.PrefixEnd(prefix)
		for {
			page, err := s.Range(ctx, from, to, 0, keysOnly)
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			from = page.Next
		}
	}
}

// Txn executes then if all compares hold, else otherwise, atomically. The
// operations are built by package kv; Branch has the data of their results.
func (s KV) Txn(ctx context.Context, compares []kv.Compare, then, otherwise [][]byte) (kv.Branch, error) {
	parts := slices.Concat(then, otherwise)
	for _, c := range compares {
		parts = append(parts, c.Key, c.Value)
	}
	err := fits(nil, parts...)
	if err != nil {
		return kv.Branch{}, fmt.Errorf("transaction: %w", err)
	}
	data, err := s.invoke(ctx, kv.Txn(compares, then, otherwise))
	if err != nil {
		return kv.Branch{}, fmt.Errorf("transaction: %w", err)
	}
	return kv.ParseTxn(data)
}
