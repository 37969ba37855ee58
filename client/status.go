package client

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
)

// statusAgain is how long to wait before a status query is sent again.
const statusAgain = time.Second

// Status asks one replica to describe itself. It is that replica's own word,
// which no other vouches for. Without an answer it asks until ctx ends.
func (c *Client) Status(ctx context.Context, replica consensus.ReplicaID) (consensus.Status, error) {
	var s consensus.Status
	text, err := c.ask(ctx, replica)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("status of R%d: %w", replica, err)
	}
	return s, nil
}

// ask returns the answer as the replica wrote it.
func (c *Client) ask(ctx context.Context, replica consensus.ReplicaID) ([]byte, error) {
	answer := make(chan []byte, 1)
	done := c.status.wait(replica, answer)
	defer done()
	again := time.NewTicker(statusAgain)
	defer again.Stop()
	for {
		c.network.Send(replica, statusQuery)
		select {
		case text := <-answer:
			return text, nil
		case <-again.C:
		case <-c.stop:
			return nil, session.ErrClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("status of R%d: no answer, is it running? %w", replica, ctx.Err())
		}
	}
}

var statusQuery = []byte{consensus.KindStatusQuery}

// board is where callers wait for the status of a replica. One answer serves
// all who wait.
type board struct {
	mu      sync.Mutex
	waiting map[consensus.ReplicaID]map[chan []byte]bool
}

func newBoard() board { return board{waiting: map[consensus.ReplicaID]map[chan []byte]bool{}} }

// wait enters a caller and returns what takes it off again.
func (b *board) wait(id consensus.ReplicaID, answer chan []byte) (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[id] == nil {
		b.waiting[id] = map[chan []byte]bool{}
	}
	b.waiting[id][answer] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting[id], answer)
		if len(b.waiting[id]) == 0 {
			delete(b.waiting, id)
		}
	}
}

// post hands an answer to all who wait for it.
func (b *board) post(id consensus.ReplicaID, text []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for answer := range b.waiting[id] {
		select {
		case answer <- text:
		default: // it already has one
		}
	}
}

// resend asks again on a fresh channel, if anybody waits.
func (b *board) resend(id consensus.ReplicaID, n Network) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting[id]) > 0 {
		n.Send(id, statusQuery)
	}
}
