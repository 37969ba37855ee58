package client

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/p2p"
)

// statusAgain is how long to wait before a status query is sent again.
const statusAgain = time.Second

// Status asks one replica to describe itself. It is that replica's own word,
// which no other vouches for. Without an answer it asks until ctx ends.
// If the replica cannot be reached, and waiting is of no use, it ends at once: the
// error wraps a *p2p.Unreachable, as it does at the end of ctx if that is why.
func (c *Client) Status(ctx context.Context, replica consensus.ReplicaID) (consensus.Report, error) {
	var s consensus.Report
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
	var why *p2p.Unreachable // the last attempt
	answer := make(chan said, 1)
	done := c.status.wait(replica, answer)
	defer done()
	again := time.NewTicker(statusAgain)
	defer again.Stop()
	for {
		c.network.Send(replica, statusQuery)
		select {
		case a := <-answer:
			if a.away == nil {
				return a.text, nil
			}
			if why = a.away; why.Final {
				return nil, why
			}
		case <-again.C:
		case <-c.stop:
			return nil, session.ErrClosed
		case <-ctx.Done():
			if why != nil {
				return nil, fmt.Errorf("%w: %w", why, ctx.Err())
			}
			return nil, fmt.Errorf("status of R%d: no answer, is it running? %w", replica, ctx.Err())
		}
	}
}

var statusQuery = []byte{consensus.KindStatusQuery}

// said is what a replica says, or why it is not reached.
type said struct {
	text []byte
	away *p2p.Unreachable
}

// board is where callers wait for the status of a replica. One answer serves
// all who wait.
type board struct {
	mu      sync.Mutex
	waiting map[consensus.ReplicaID]map[chan said]bool
}

func newBoard() board { return board{waiting: map[consensus.ReplicaID]map[chan said]bool{}} }

// wait enters a caller and returns what takes it off again.
func (b *board) wait(id consensus.ReplicaID, told chan said) (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[id] == nil {
		b.waiting[id] = map[chan said]bool{}
	}
	b.waiting[id][told] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting[id], told)
		if len(b.waiting[id]) == 0 {
			delete(b.waiting, id)
		}
	}
}

// post hands an answer to all who wait for it.
func (b *board) post(id consensus.ReplicaID, a said) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for told := range b.waiting[id] {
		select {
		case told <- a:
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
