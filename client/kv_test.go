package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
)

// unreached is an Invoker that nothing oversized may reach.
type unreached struct{ t *testing.T }

func (u unreached) Invoke(context.Context, []byte) (Result, error) {
	u.t.Error("an oversized operation was built and handed on")
	return Result{}, nil
}

// TestOversizedIsRefusedBeforeItIsBuilt: keys and values come from outside, so
// a long one is a typed error and never a panic, and errors do not echo it.
func TestOversizedIsRefusedBeforeItIsBuilt(t *testing.T) {
	s, ctx := KV{unreached{t}}, t.Context()
	huge, k := make([]byte, consensus.MaxBytes+1), []byte("k")
	longKey := bytes.Repeat(k, kv.MaxKey+1)
	for name, do := range map[string]func() error{
		"put":         func() error { _, err := s.Put(ctx, k, huge); return err },
		"put key":     func() error { _, err := s.Put(ctx, longKey, nil); return err },
		"get":         func() error { _, _, err := s.Get(ctx, longKey); return err },
		"delete":      func() error { _, err := s.Delete(ctx, longKey); return err },
		"expect":      func() error { _, err := s.CompareAndSwap(ctx, k, kv.Some(huge), kv.None); return err },
		"swap":        func() error { _, err := s.CompareAndSwap(ctx, k, kv.None, kv.Some(huge)); return err },
		"range":       func() error { _, err := s.Range(ctx, longKey, nil, 0, false); return err },
		"transaction": func() error { _, err := s.Txn(ctx, nil, [][]byte{kv.Put(k, huge)}, nil); return err },
		"condition": func() error {
			_, err := s.Txn(ctx, []kv.Compare{kv.CompareValue(k, kv.Equal, huge)}, nil, nil)
			return err
		},
	} {
		err := do()
		if !errors.Is(err, session.ErrTooLarge) {
			t.Errorf("%s: got %v, want %v", name, err, session.ErrTooLarge)
		} else if len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

// failing is an Invoker whose operations all end with one error.
type failing struct{ err error }

func (f failing) Invoke(context.Context, []byte) (Result, error) { return Result{}, f.err }

// TestReadsDoNotSpeakOfExecution: a read that got no answer says why, and only
// a write says that it may have been executed. Both match the same errors.
func TestReadsDoNotSpeakOfExecution(t *testing.T) {
	k, ctx := []byte("k"), t.Context()
	for _, cause := range []error{
		fmt.Errorf("%w: %w", session.ErrUnknown, context.DeadlineExceeded),
		fmt.Errorf("%w: %w: %w", session.ErrNoLeader, session.ErrUnknown, context.DeadlineExceeded),
		fmt.Errorf("%w: %w", session.ErrClosed, session.ErrUnknown),
	} {
		s := KV{failing{cause}}
		_, _, get := s.Get(ctx, k)
		_, scan := s.Range(ctx, k, nil, 0, false)
		_, put := s.Put(ctx, k, nil)
		for _, err := range []error{get, scan} {
			if strings.Contains(err.Error(), "executed") || !strings.Contains(err.Error(), "no answer: ") {
				t.Errorf("a read says %q", err)
			}
		}
		if !strings.Contains(put.Error(), "may have been executed") {
			t.Errorf("a write says %q", put)
		}
		for _, kind := range []error{session.ErrUnknown, session.ErrNoLeader, session.ErrClosed, context.DeadlineExceeded} {
			if errors.Is(get, kind) != errors.Is(cause, kind) {
				t.Errorf("%q matches %q: %v", get, kind, errors.Is(get, kind))
			}
		}
	}
}
