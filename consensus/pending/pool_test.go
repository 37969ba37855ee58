package pending

import (
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func poolRequest(client byte, counter uint64, size int) *consensus.Request {
	return consensus.SignRequest(crypto.NewSigner([32]byte{client}), crypto.Digest{}, consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{make([]byte, size)})
}

// §3: lanes, and clients within them, are served in turn: neither a flood nor a
// forwarder starves the others.
func TestPoolServesInTurn(t *testing.T) {
	p := New(Config{Replicas: 4, Count: 100, Bytes: 1 << 20, Retell: 5, Ask: 10})
	for i := range uint64(50) {
		p.add(poolRequest(1, i+1, 10), 4, 0) // a client who floods
	}
	p.add(poolRequest(2, 1, 10), 4, 0) // another one, later
	p.add(poolRequest(3, 1, 10), 2, 0) // a third who talks to a backup only
	limits := consensus.DefaultLimits()
	limits.BatchRequests = 4
	clients := map[crypto.PublicKey]int{}
	for _, q := range p.Take(&limits) {
		clients[q.Client]++
	}
	if len(clients) != 3 {
		t.Errorf("the first batch serves %d clients, want all three", len(clients))
	}
}

// §3: a client who floods has a part of the room and no more, in requests and
// in bytes, and gets back what was executed.
func TestPoolLeavesRoomForOthers(t *testing.T) {
	for _, c := range []struct{ size, most int }{{10, 25}, {2000, 2}, {1 << 20, 1}} {
		p := New(Config{Replicas: 4, Count: 100, Bytes: 20 << 10, Retell: 5, Ask: 10})
		flood := func() (taken []*consensus.Request) {
			for counter := range uint64(200) {
				if q := poolRequest(1, counter+1, c.size); p.find(KeyOf(q)) == nil && !p.full(4, q) {
					p.add(q, 4, 0)
					taken = append(taken, q)
				}
			}
			return taken
		}
		taken := flood()
		if len(taken) != c.most {
			t.Errorf("%d requests of %d bytes of one client wait, want %d", len(taken), c.size, c.most)
		}
		if q := poolRequest(2, 1, 10); c.size < 1<<20 && p.full(4, q) {
			t.Errorf("after %d requests of %d bytes there is no room for another client", len(taken), c.size)
		}
		execute(p, taken...)
		if n := len(p.lanes[4].loads); n != 0 || p.lanes[4].load != (load{}) {
			t.Errorf("%d clients weigh on an empty lane, %+v", n, p.lanes[4].load)
		}
	}
}

// A larger request travels alone; batches keep to their limits.
func TestPoolBatchLimits(t *testing.T) {
	p := New(Config{Replicas: 4, Count: 100, Bytes: 1 << 20, Retell: 5, Ask: 10})
	limits := consensus.DefaultLimits()
	limits.BatchBytes = 1000
	for i, size := range []int{300, 5000, 300, 300, 300, 300} {
		p.add(poolRequest(1, uint64(i+1), size), 4, 0)
	}
	var got []int
	for p.Waiting() {
		b := consensus.Batch{Requests: p.Take(&limits)}
		got = append(got, len(b.Requests))
		if len(b.Requests) > 1 && b.Size() > limits.BatchBytes {
			t.Errorf("batch of %d bytes", b.Size())
		}
	}
	if len(got) != 4 || got[0] != 1 || got[1] != 1 || got[2] != 2 || got[3] != 2 {
		t.Errorf("batches of %v requests", got)
	}
}

// §4: with others under way, what waits is proposed once it is half of what they
// carry, or fills a batch.
func TestLittleWaits(t *testing.T) {
	limits := consensus.DefaultLimits()
	p := New(Config{Replicas: 4, Count: 1000, Bytes: 1 << 30, Retell: 5, Ask: 10})
	counter := uint64(0)
	add := func(requests, size int) {
		for range requests {
			counter++
			p.add(poolRequest(1, counter, size), 4, 0)
		}
	}
	expect := func(when string, little bool) {
		t.Helper()
		if p.Little(&limits) != little {
			t.Errorf("%s: little waits %v, want %v", when, !little, little)
		}
	}
	add(1, 10)
	expect("nothing is under way", false)
	add(7, 10)
	under := p.Take(&limits)
	add(3, 10)
	expect("three beside eight", true)
	add(1, 10)
	expect("four beside eight", false)
	under = append(under, p.Take(&limits)...)
	add(1, 10)
	expect("one beside twelve", true)
	p.Restart(1)
	expect("a new view, nothing is under way", false)
	p.Take(&limits)
	add(1, 10)
	expect("one beside thirteen", true)
	execute(p, under...)
	expect("one beside one, the others are executed", false)

	add(8, limits.BatchBytes)
	for len(p.Take(&limits)) > 0 {
	}
	add(1, limits.BatchBytes)
	expect("a batch's worth beside eight", false)
}

// Against a plain list: nothing is lost, nothing is taken twice in a view, and
// what is gone leaves no memory behind.
func TestPoolAgainstList(t *testing.T) {
	limits := consensus.DefaultLimits()
	limits.BatchRequests = 3
	rapid.Check(t, func(t *rapid.T) {
		p := New(Config{Replicas: 4, Count: 1000, Bytes: 1 << 30, Retell: 5, Ask: 10})
		waiting, proposed := map[Key]bool{}, map[Key]bool{}
		counter := uint64(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				counter++
				q := &consensus.Request{Client: crypto.PublicKey{byte(counter % 5)}, Sequence: consensus.Sequence{Counter: counter}}
				p.add(q, int(counter%5), 0)
				waiting[KeyOf(q)] = true
			case 1:
				for _, q := range p.Take(&limits) {
					if k := KeyOf(q); !waiting[k] || proposed[k] {
						t.Fatalf("took %d, which is not waiting or was taken", q.Sequence.Counter)
					}
					proposed[KeyOf(q)] = true
				}
			case 2: // executed, oldest first
				if e := p.Oldest(); e != nil {
					k := KeyOf(e.Request)
					p.Remove(k)
					delete(waiting, k)
					delete(proposed, k)
				}
			case 3:
				p.Restart(1)
				clear(proposed)
			}
			if len(p.byKey) != len(waiting) {
				t.Fatalf("%d wait, want %d", len(p.byKey), len(waiting))
			}
			under := 0
			for k := range proposed {
				under += cost(p.byKey[k].Request)
			}
			if p.work.under != under {
				t.Fatalf("%d bytes stand in slots, want %d", p.work.under, under)
			}
			if p.dead > 65+len(p.byKey) || len(p.order) > 65+4*len(p.byKey) {
				t.Fatalf("%d dead and %d in order for %d waiting", p.dead, len(p.order), len(p.byKey))
			}
		}
		for p.Waiting() {
			for _, q := range p.Take(&limits) {
				proposed[KeyOf(q)] = true
			}
		}
		if len(proposed) != len(waiting) {
			t.Fatalf("%d of %d were ever taken", len(proposed), len(waiting))
		}
	})
}
