package pbft

import (
	"testing"

	"pgregory.net/rapid"

	"quorate/consensus"
	"quorate/crypto"
)

func poolRequest(client byte, counter uint64, size int) *consensus.Request {
	return consensus.SignRequest(crypto.NewSigner([32]byte{client}), crypto.Digest{}, consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{make([]byte, size)})
}

// §3: lanes, and clients within them, are served in turn: neither a flood nor a
// forwarder starves the others.
func TestPoolServesInTurn(t *testing.T) {
	p := newPool(4, 100, 1<<20)
	for i := range uint64(50) {
		p.add(poolRequest(1, i+1, 10), 4, 0) // a client who floods
	}
	p.add(poolRequest(2, 1, 10), 4, 0) // another one, later
	p.add(poolRequest(3, 1, 10), 2, 0) // a third who talks to a backup only
	limits := consensus.DefaultLimits()
	limits.BatchRequests = 4
	clients := map[crypto.PublicKey]int{}
	for _, q := range p.take(&limits) {
		clients[q.Client]++
	}
	if len(clients) != 3 {
		t.Errorf("the first batch serves %d clients, want all three", len(clients))
	}
}

// A larger request travels alone; batches keep to their limits.
func TestPoolBatchLimits(t *testing.T) {
	p := newPool(4, 100, 1<<20)
	limits := consensus.DefaultLimits()
	limits.BatchBytes = 1000
	for i, size := range []int{300, 5000, 300, 300, 300, 300} {
		p.add(poolRequest(1, uint64(i+1), size), 4, 0)
	}
	var got []int
	for p.waiting() {
		b := consensus.Batch{Requests: p.take(&limits)}
		got = append(got, len(b.Requests))
		if len(b.Requests) > 1 && b.Size() > limits.BatchBytes {
			t.Errorf("batch of %d bytes", b.Size())
		}
	}
	if len(got) != 4 || got[0] != 1 || got[1] != 1 || got[2] != 2 || got[3] != 2 {
		t.Errorf("batches of %v requests", got)
	}
}

// Against a plain list: nothing is lost, nothing is taken twice in a view, and
// what is gone leaves no memory behind.
func TestPoolAgainstList(t *testing.T) {
	limits := consensus.DefaultLimits()
	limits.BatchRequests = 3
	rapid.Check(t, func(t *rapid.T) {
		p := newPool(4, 1000, 1<<30)
		waiting, proposed := map[requestKey]bool{}, map[requestKey]bool{}
		counter := uint64(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				counter++
				q := &consensus.Request{Client: crypto.PublicKey{byte(counter % 5)}, Sequence: consensus.Sequence{Counter: counter}}
				p.add(q, int(counter%5), 0)
				waiting[keyOf(q)] = true
			case 1:
				for _, q := range p.take(&limits) {
					if k := keyOf(q); !waiting[k] || proposed[k] {
						t.Fatalf("took %d, which is not waiting or was taken", q.Sequence.Counter)
					}
					proposed[keyOf(q)] = true
				}
			case 2: // executed, oldest first
				if e := p.oldest(); e != nil {
					k := keyOf(e.request)
					p.remove(k)
					delete(waiting, k)
					delete(proposed, k)
				}
			case 3:
				p.restart(1)
				clear(proposed)
			}
			if len(p.byKey) != len(waiting) {
				t.Fatalf("%d wait, want %d", len(p.byKey), len(waiting))
			}
			if p.dead > 65+len(p.byKey) || len(p.order) > 65+4*len(p.byKey) {
				t.Fatalf("%d dead and %d in order for %d waiting", p.dead, len(p.order), len(p.byKey))
			}
		}
		for p.waiting() {
			for _, q := range p.take(&limits) {
				proposed[keyOf(q)] = true
			}
		}
		if len(proposed) != len(waiting) {
			t.Fatalf("%d of %d were ever taken", len(proposed), len(waiting))
		}
	})
}
