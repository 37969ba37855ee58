package transfer

import (
	"testing"

	"pgregory.net/rapid"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func replica(i int) consensus.Peer { return consensus.ReplicaPeer(consensus.ReplicaID(i)) }

// However many peers ask, however often, reads and bytes stay within bounds,
// and whoever waits within them is served in the end.
func TestServerBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := serverConfig{
			Reads: rapid.IntRange(1, 4).Draw(t, "reads"), ReadsPerPeer: rapid.IntRange(1, 3).Draw(t, "per peer"),
			Waiting: rapid.IntRange(1, 3).Draw(t, "waiting"), BytesPerTick: 100, BurstBytes: 1000,
		}
		s := newServer(cfg)
		inFlight := map[consensus.Peer]int{}
		sent := map[consensus.Peer]int{}
		var reads []consensus.ChunkRead
		ticks, total := 0, 0
		take := func(out []consensus.ChunkRead) {
			for _, r := range out {
				reads, total = append(reads, r), total+1
				if inFlight[r.To]++; inFlight[r.To] > cfg.ReadsPerPeer {
					t.Fatalf("%d reads in flight for %v", inFlight[r.To], r.To)
				}
			}
			if len(reads) > cfg.Reads {
				t.Fatalf("%d reads in flight", len(reads))
			}
		}
		finish := func() {
			r := reads[0]
			reads = reads[1:]
			inFlight[r.To]--
			parts := []consensus.Part{{Bytes: make([]byte, rapid.IntRange(0, 900).Draw(t, "size"))}}
			sent[r.To] += partsSize(parts)
			take(s.OnChunk(consensus.Chunk{Read: r, Parts: parts}))
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				take(s.Tick())
				ticks++
			case 1:
				if len(reads) > 0 {
					finish()
				}
			default:
				take(s.OnFetch(replica(rapid.IntRange(0, 5).Draw(t, "who")), 1, crypto.Digest{}, nil))
			}
			for p, n := range sent {
				if limit := cfg.BurstBytes + ticks*cfg.BytesPerTick + cfg.ReadsPerPeer*1000; n > limit {
					t.Fatalf("%v was served %d bytes in %d ticks, limit %d", p, n, ticks, limit)
				}
			}
		}
		for range 500 {
			for len(reads) > 0 {
				finish()
			}
			take(s.Tick())
		}
		if len(reads) > 0 || len(s.peers) > 0 || s.reads != 0 || len(s.throttle.peers) != 0 {
			t.Fatalf("left over: %d reads, %+v", len(reads), s)
		}
	})
}

// Thousands of peers do not grow the server.
func TestServerPeersBounded(t *testing.T) {
	s := newServer(serverConfig{})
	for i := range 10_000 {
		s.OnFetch(consensus.Peer{Kind: consensus.PeerObserver, Key: crypto.PublicKey{byte(i), byte(i >> 8)}}, 1, crypto.Digest{}, nil)
	}
	if len(s.peers) > maxPeers {
		t.Fatalf("%d peers are remembered", len(s.peers))
	}
}

// [B50]: a peer that claims to be behind, over and over, gets its allowance
// and no more; others are not affected.
func TestThrottle(t *testing.T) {
	th := NewThrottle(10, 100)
	got := 0
	for range 50 {
		for th.Ready(replica(1)) {
			th.Charge(replica(1), 30)
			got += 30
		}
		th.Tick()
	}
	if got > 100+50*10+30 || got < 50*10 {
		t.Fatalf("%d bytes in 50 ticks", got)
	}
	if !th.Ready(replica(2)) {
		t.Fatal("another peer has to pay for it")
	}
	for range 100 {
		th.Tick()
	}
	if len(th.peers) != 0 {
		t.Fatalf("paid debts are remembered: %v", th.peers)
	}
}
