package client

import (
	"context"
	"errors"
	"fmt"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
)

// The errors of Whole.
var (
	// ErrChanged says that others decided something each time that a range was read.
	ErrChanged = errors.New("the store changed each time while it was read")
	// ErrTooMuch says that a range does not fit memory as it must.
	ErrTooMuch = errors.New("the range is too large to be read whole")
)

// The bounds of Whole.
const (
	wholeTries = 16
	wholeBytes = 256 << 20 // keys and values
)

// Whole reads the entries with from <= key < to, at most limit of them (0 = all), as
// they were together in one state. That one holds all that was answered before Whole
// was called. No replica keeps a state for a reader: a range of several pages is read
// over when anything was decided between two of them, several times, and then Whole
// fails with ErrChanged.
func (s KV) Whole(ctx context.Context, from, to []byte, limit uint64, keysOnly bool) ([]kv.Entry, error) {
	for range wholeTries {
		entries, one, err := s.whole(ctx, from, to, limit, keysOnly)
		if err != nil || one {
			return entries, err
		}
	}
	return nil, fmt.Errorf("%w, %d times: ask for less at once", ErrChanged, wholeTries)
}

// whole reads the pages of a range once, up to the first that is not known to be of the
// state that the first page was read from.
func (s KV) whole(ctx context.Context, from, to []byte, limit uint64, keysOnly bool) (entries []kv.Entry, one bool, err error) {
	var height, first consensus.Seq
	pages := KV{noting{reading{s.Invoker}, &height}}
	bytes := 0
	for left := limit; ; {
		page, err := pages.Range(ctx, from, to, uint32(min(left, 1<<20)), keysOnly)
		if err != nil {
			return nil, false, err
		}
		done := !page.More || limit > 0 && left <= uint64(len(page.Entries))
		switch {
		case len(entries) == 0 && done: // one page is of one state
			return page.Entries, true, nil
		case len(entries) == 0:
			first = height
		}
		if height == 0 || height != first {
			return nil, false, nil
		}
		for i := range page.Entries {
			bytes += len(page.Entries[i].Key) + len(page.Entries[i].Value)
		}
		if bytes > wholeBytes {
			return nil, false, fmt.Errorf("%w: more than %d MiB", ErrTooMuch, wholeBytes>>20)
		}
		entries = append(entries, page.Entries...)
		if done {
			return entries, true, nil
		}
		left -= min(left, uint64(len(page.Entries)))
		from = page.Next
	}
}

// noting notes of which state the last result was.
type noting struct {
	Invoker
	height *consensus.Seq
}

// Invoke implements Invoker.
func (n noting) Invoke(ctx context.Context, op []byte) (Result, error) {
	r, err := n.Invoker.Invoke(ctx, op)
	*n.height = r.Height
	return r, err
}
