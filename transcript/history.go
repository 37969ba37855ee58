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
	inner  client.Invoker
	mu     sync.Mutex
	file   *os.File
	writer *check.Writer
	calls  uint64
}

// NewHistory begins a history, in a new file, of the calls that are made by it and
// go to inner. The file's name is best HistoryName's: Files finds it then.
func NewHistory(path string, g *consensus.Genesis, key crypto.PublicKey, inner client.Invoker) (*History, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	w, err := check.NewWriter(f, check.Header{Cluster: g.ID(), Client: true, Key: key, Life: uint64(now())})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &History{inner: inner, file: f, writer: w}, nil
}

// HistoryName names the file of a client's history that begins now.
func HistoryName(key crypto.PublicKey) string {
	return fmt.Sprintf("%s-%d%s", key.Short(), now(), suffix)
}

// Invoke implements client.Invoker. A call whose beginning cannot be written
// down is not made: a judge would take its effect for nobody's.
func (h *History) Invoke(ctx context.Context, op []byte) (client.Result, error) {
	number, err := h.begin(op)
	if err != nil {
		return client.Result{}, err
	}
	r, err := h.inner.Invoke(ctx, op)
	if err != nil {
		return r, err
	}
	return r, h.end(number, &r)
}

// begin writes a call down and numbers it.
func (h *History) begin(op []byte) (uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	return h.calls, h.writer.Write(&check.Entry{Kind: check.EntryInvoked, At: now(), Number: h.calls, Bytes: op})
}

// end writes down what its caller believes.
func (h *History) end(number uint64, r *client.Result) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writer.Write(&check.Entry{Kind: check.EntryReturned, At: now(), Number: number, Seq: r.Seq, Result: r.Result})
}

// Close ends the history.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.writer.Err(), h.file.Close())
}
