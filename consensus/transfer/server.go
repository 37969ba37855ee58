package transfer

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Throttle is an allowance of bytes per peer that refills with time. An engine
// asks it before it answers a peer's claim of being behind, so that such a
// claim, which costs nothing to make, is no amplifier (PROTOCOL §7, [B50]).
type Throttle struct {
	perTick int
	burst   int
	peers   []debt
}

type debt struct {
	peer  consensus.Peer
	bytes int
}

// maxPeers bounds the peers with a debt: members and observers. A peer beyond
// it waits until others have paid.
const maxPeers = 2 * consensus.MaxReplicas

// NewThrottle returns a Throttle that lets each peer have burst bytes at once
// and perTick bytes a tick in the long run. Both are at least 1.
func NewThrottle(perTick, burst int) *Throttle {
	return &Throttle{perTick: max(perTick, 1), burst: max(burst, 1)}
}

// Ready reports whether the peer may have anything now.
func (t *Throttle) Ready(p consensus.Peer) bool {
	if d := t.find(p); d != nil {
		return d.bytes < t.burst
	}
	return len(t.peers) < maxPeers
}

// Charge adds the bytes of an answer to the peer's debt, without asking. One
// larger than what is left of the burst is allowed as long as anything is left:
// the debt is paid off before the next one.
func (t *Throttle) Charge(p consensus.Peer, bytes int) {
	if d := t.find(p); d != nil {
		d.bytes += max(bytes, 0)
		return
	}
	if bytes > 0 && len(t.peers) < maxPeers {
		t.peers = append(t.peers, debt{peer: p, bytes: bytes})
	}
}

// Tick pays off what one tick pays off.
func (t *Throttle) Tick() {
	kept := t.peers[:0]
	for _, d := range t.peers {
		if d.bytes -= t.perTick; d.bytes > 0 {
			kept = append(kept, d)
		}
	}
	t.peers = kept
}

func (t *Throttle) find(p consensus.Peer) *debt {
	for i := range t.peers {
		if t.peers[i].peer == p {
			return &t.peers[i]
		}
	}
	return nil
}

// serverConfig bounds what is served. Zero fields take the value of
// defaultServerConfig.
type serverConfig struct {
	Reads        int // reads in flight, over all peers
	ReadsPerPeer int // reads in flight for one peer
	Waiting      int // asks of one peer that wait for their turn; more are dropped
	BytesPerTick int // served to one peer in the long run
	BurstBytes   int // served to one peer at once
}

// defaultServerConfig suits ticks of 10 ms: 50 MiB/s for each peer.
func defaultServerConfig() serverConfig {
	return serverConfig{Reads: 8, ReadsPerPeer: 2, Waiting: 2, BytesPerTick: 512 << 10, BurstBytes: 8 << 20}
}

func (c serverConfig) withDefaults() serverConfig {
	d := defaultServerConfig()
	for _, f := range []struct{ have, want *int }{
		{&c.Reads, &d.Reads}, {&c.ReadsPerPeer, &d.ReadsPerPeer}, {&c.Waiting, &d.Waiting},
		{&c.BytesPerTick, &d.BytesPerTick}, {&c.BurstBytes, &d.BurstBytes},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	return c
}

// server decides which parts are read for whom and when. An ask within the
// bounds is read at once, one a little beyond them waits, others are dropped:
// the asker's fetcher asks again. It is pure and not safe for concurrent use.
type server struct {
	cfg      serverConfig
	throttle *Throttle
	peers    []served
	reads    int // in flight, over all peers
}

type served struct {
	peer    consensus.Peer
	reads   int
	waiting []consensus.ChunkRead
}

// newServer returns a server that serves nobody yet.
func newServer(cfg serverConfig) *server {
	cfg = cfg.withDefaults()
	return &server{cfg: cfg, throttle: NewThrottle(cfg.BytesPerTick, cfg.BurstBytes)}
}

// OnFetch takes a peer's ask and returns the reads to do now.
func (s *server) OnFetch(from consensus.Peer, seq consensus.Seq, root crypto.Digest, items []consensus.Item) []consensus.ChunkRead {
	p := s.find(from)
	if p == nil {
		if len(s.peers) >= maxPeers {
			return nil
		}
		s.peers = append(s.peers, served{peer: from})
		p = &s.peers[len(s.peers)-1]
	}
	if len(p.waiting) < s.cfg.Waiting {
		p.waiting = append(p.waiting, consensus.ChunkRead{To: from, Seq: seq, Root: root, Items: items})
	}
	return s.release()
}

// OnChunk takes note that a read has come back and is about to be sent to its
// asker, and returns the reads to do next. A chunk that answers no read of this
// server (one made before a restart) is only charged.
func (s *server) OnChunk(c consensus.Chunk) []consensus.ChunkRead {
	if p := s.find(c.Read.To); p != nil && p.reads > 0 {
		p.reads--
		s.reads--
	}
	s.throttle.Charge(c.Read.To, partsSize(c.Parts))
	return s.release()
}

// Tick lets one tick go by and returns the reads whose time has come.
func (s *server) Tick() []consensus.ChunkRead {
	s.throttle.Tick()
	return s.release()
}

// release starts what the bounds allow, one ask per peer at a time in turn,
// and forgets peers that want nothing.
func (s *server) release() []consensus.ChunkRead {
	var out []consensus.ChunkRead
	for started := true; started; {
		started = false
		for i := range s.peers {
			p := &s.peers[i]
			if len(p.waiting) == 0 || p.reads >= s.cfg.ReadsPerPeer || s.reads >= s.cfg.Reads || !s.throttle.Ready(p.peer) {
				continue
			}
			out = append(out, p.waiting[0])
			p.waiting = append([]consensus.ChunkRead(nil), p.waiting[1:]...)
			p.reads++
			s.reads++
			started = true
		}
	}
	s.tidy()
	return out
}

// tidy also moves the first peer to the end, so that nobody is always first.
func (s *server) tidy() {
	kept := s.peers[:0]
	for _, p := range s.peers {
		if p.reads > 0 || len(p.waiting) > 0 {
			kept = append(kept, p)
		}
	}
	if len(kept) > 1 {
		first := kept[0]
		copy(kept, kept[1:])
		kept[len(kept)-1] = first
	}
	clear(s.peers[len(kept):])
	s.peers = kept
}

func (s *server) find(p consensus.Peer) *served {
	for i := range s.peers {
		if s.peers[i].peer == p {
			return &s.peers[i]
		}
	}
	return nil
}
