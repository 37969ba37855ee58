package transcript

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// History is what one client key's callers ask and believe, written down for
// judges: every call before it is made, every result when it is believed. Safe
// for concurrent use.
type History struct {
	inner   client.Invoker
	genesis *consensus.Genesis
	key     crypto.PublicKey

	// Of a history that nobody depends on; see Beside.
	dir  string
	lost func(error)

	mu      sync.Mutex
	file    *os.File
	writer  *check.Writer
	calls   uint64
	written int64 // bytes
	failed  bool
}

// NewHistory begins a history, in a new file, of the calls that are made by it and
// go to inner. The file's name is best HistoryName's: Files finds it then.
func NewHistory(path string, g *consensus.Genesis, key crypto.PublicKey, inner client.Invoker) (*History, error) {
	h := &History{inner: inner, genesis: g, key: key}
	return h, h.open(path)
}

// Beside is a history for those whose work does not depend on it: bounded, in a file
// of its own in a bounded directory, which the first call makes. Calls are made
// although they cannot be written down; lost hears of the first reason.
func Beside(dir string, g *consensus.Genesis, key crypto.PublicKey, inner client.Invoker, lost func(error)) *History {
	return &History{inner: inner, genesis: g, key: key, dir: dir, lost: lost}
}

// What a history that nobody depends on takes at most, in bytes: of one call, and
// of all. Calls beyond that are not written down, and judges count them as untold.
const (
	maxCallBytes    = 64 << 10
	maxHistoryBytes = 8 << 20
)

// open begins the file.
func (h *History) open(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // values stand in it
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	w, err := check.NewWriter(f, check.Header{Cluster: h.genesis.ID(), Client: true, Key: h.key, Life: uint64(now())})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	h.file, h.writer = f, w
	return nil
}

// HistoryName names the file of a client's history that begins now.
func HistoryName(key crypto.PublicKey) string {
	return fmt.Sprintf("%s-%d%s", key.Short(), now(), suffix)
}

// Invoke implements client.Invoker. A call whose beginning cannot be written
// down is not made, unless nobody depends on the history: a judge would take its
// effect for nobody's.
func (h *History) Invoke(ctx context.Context, op []byte) (client.Result, error) {
	return h.call(ctx, op, h.inner.Invoke)
}

// Read implements client.Reader: it reads by inner, or invokes if inner does not read.
func (h *History) Read(ctx context.Context, op []byte) (client.Result, error) {
	if r, ok := h.inner.(client.Reader); ok {
		return h.call(ctx, op, r.Read)
	}
	return h.call(ctx, op, h.inner.Invoke)
}

// call makes a call between writing down its beginning and its end.
func (h *History) call(ctx context.Context, op []byte, make func(context.Context, []byte) (client.Result, error)) (client.Result, error) {
	number, err := h.begin(op)
	if err != nil {
		return client.Result{}, err
	}
	r, err := make(ctx, op)
	if err != nil {
		return r, err
	}
	return r, h.end(number, &r)
}

// InvokeAll is the same for operations that belong together, see client.Client.
func (h *History) InvokeAll(ctx context.Context, ops [][]byte) ([]client.Result, error) {
	numbers := make([]uint64, len(ops))
	for i, op := range ops {
		var err error
		if numbers[i], err = h.begin(op); err != nil {
			return nil, err
		}
	}
	results, err := h.invokeAll(ctx, ops)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if err := h.end(numbers[i], &results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// invokeAll asks for all at once if inner can.
func (h *History) invokeAll(ctx context.Context, ops [][]byte) ([]client.Result, error) {
	if c, ok := h.inner.(interface {
		InvokeAll(ctx context.Context, ops [][]byte) ([]client.Result, error)
	}); ok {
		return c.InvokeAll(ctx, ops)
	}
	results := make([]client.Result, len(ops))
	for i, op := range ops {
		var err error
		if results[i], err = h.inner.Invoke(ctx, op); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// begin writes a call down and numbers it; 0 is a call that is not written down.
func (h *History) begin(op []byte) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil && (h.failed || len(op) > maxCallBytes || h.written > maxHistoryBytes) {
		return 0, nil
	}
	if h.file == nil && h.lost != nil {
		if err := h.beside(); err != nil {
			return 0, h.fails(err)
		}
	}
	h.calls++
	return h.calls, h.write(&check.Entry{Kind: check.EntryInvoked, At: now(), Number: h.calls, Bytes: op})
}

// beside makes room, and a file.
func (h *History) beside() error {
	if err := makeRoom(h.dir); err != nil {
		return err
	}
	return h.open(filepath.Join(h.dir, HistoryName(h.key)))
}

// end writes down what its caller believes.
func (h *History) end(number uint64, r *client.Result) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil && (number == 0 || h.failed || len(r.Data) > maxCallBytes) {
		return nil
	}
	kind := check.EntryReturned
	if r.Unordered {
		kind = check.EntryFound
	}
	return h.write(&check.Entry{Kind: kind, At: now(), Number: number, Seq: r.Seq, Result: r.Result})
}

// write writes an entry, or takes note that it cannot.
func (h *History) write(e *check.Entry) error {
	if h.failed {
		return nil
	}
	h.written += int64(len(e.Bytes) + len(e.Result.Data))
	return h.fails(h.writer.Write(e))
}

// fails is the error for the caller, which is nobody's if nobody depends on it.
func (h *History) fails(err error) error {
	if err == nil || h.lost == nil {
		return err
	}
	h.failed = true
	h.lost(err)
	return nil
}

// Close ends the history.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return nil
	}
	err := h.file.Close()
	if h.lost == nil {
		err = errors.Join(h.writer.Err(), err)
	}
	return err
}
