package leaderless

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Config is what a replica is made from.
type Config struct {
	Self, Replicas int
	Read, Write    int // R and W: how many replicas answer a get, and store a put
	Sloppy         bool
	Versions       Versions
	Atomic         bool // of LastWriter: reads write back, and writes read their stamp first
	Off            Off
	Forget         consensus.Time // how long it is remembered that a key was deleted; 0 = for ever
	Cluster        crypto.Digest  // what requests are signed for
	Verifier       crypto.Verifier
}

// Off are the ways by which replicas become equal that are switched off.
type Off struct {
	Repair  bool // of what a get has found lacking
	Handing bool // of hints
	Trees   bool // their comparison
}

// Output is what a replica wants to be done: records become durable before what is
// sent with them, or later, leaves.
type Output struct {
	Records [][]byte
	Sends   []Send
}

// Send is a frame for a replica, or from Config.Replicas on for a client.
type Send struct {
	To    int
	Frame []byte
}

// Durations, by the replica's own clock.
const (
	second      = consensus.Time(1e9)
	beatEvery   = second / 10
	awayAfter   = second * 4 / 10 // unheard for so long, another counts as out of reach
	patience    = second * 3 / 10 // how long a call waits for others
	treeEvery   = second / 2
	handEvery   = second / 5
	maxCalls    = 1024 // under way
	maxRecent   = 1024 // answers that are remembered
	maxHints    = 4096
	maxKeyBytes = 4096
	maxValue    = 1 << 20 // bytes
)

// Replica is one replica in one life. It is not for concurrent use.
type Replica struct {
	cfg    Config
	life   uint64
	now    consensus.Time
	keep   keep
	heard  []consensus.Time // when each was, last
	beat   consensus.Time   // when the next one is due
	trees  consensus.Time
	hands  consensus.Time
	rounds int    // of comparisons
	ids    uint64 // given out
	clock  uint64 // the last stamp given out
	calls  map[uint64]*call
	open   map[crypto.Digest]*call
	recent recent
	hints  map[uint64]handing // under way
	out    Output
}

// recent are the last answers, for clients that ask again.
type recent struct {
	answers map[crypto.Digest][]byte
	order   []crypto.Digest
}

// New makes a replica before its start.
func New(c Config) *Replica {
	return &Replica{
		cfg: c, keep: newKeep(c.Versions), heard: make([]consensus.Time, c.Replicas), calls: map[uint64]*call{}, open: map[crypto.Digest]*call{},
		recent: recent{answers: map[crypto.Digest][]byte{}}, hints: map[uint64]handing{},
	}
}

// Start begins a life from what is durable. The nonce is one that no other life of
// any replica has. The error wraps consensus.ErrMalformed.
func (r *Replica) Start(now consensus.Time, nonce uint64, records [][]byte) (Output, error) {
	r.now, r.life = now, nonce
	for i, b := range records {
		if err := r.keep.replay(now, b); err != nil {
			return Output{}, fmt.Errorf("record %d of %d: %w", i+1, len(records), err)
		}
	}
	r.keep.records = nil // they are written
	for i := range r.heard {
		r.heard[i] = now // until it is known better
	}
	return r.take(), nil
}

// Cell is what the replica holds of a key.
func (r *Replica) Cell(key string) Cell { return r.keep.cells[key] }

// Arrive takes a frame. What is malformed, or of no call any more, is ignored.
func (r *Replica) Arrive(now consensus.Time, from int, frame []byte) Output {
	r.now = now
	if from >= r.cfg.Replicas {
		r.request(from, frame)
		return r.take()
	}
	m, err := decode(frame)
	if err != nil || from < 0 || from == r.cfg.Self {
		return Output{}
	}
	r.heard[from] = now
	switch m.kind {
	case kindStore:
		r.keep.merge(now, m.cells[0].key, m.cells[0].cell)
		if m.id != 0 {
			r.send(from, &message{kind: kindStored, id: m.id})
		}
	case kindFetch:
		key := m.cells[0].key
		r.send(from, &message{kind: kindFetched, id: m.id, cells: []keyed{{key, r.keep.cells[key]}}})
	case kindStored:
		r.stored(from, m.id)
	case kindFetched:
		r.fetched(from, m)
	case kindTree:
		r.compare(from, m.hashes)
	case kindCells:
		r.exchange(from, m)
	}
	return r.take()
}

// Tick hears that time has passed.
func (r *Replica) Tick(now consensus.Time) Output {
	r.now = now
	r.expire()
	r.bury()
	if now >= r.beat {
		r.beat = now + beatEvery
		for i := range r.cfg.Replicas {
			r.send(i, &message{kind: kindBeat})
		}
	}
	if now >= r.hands && !r.cfg.Off.Handing {
		r.hands = now + handEvery
		r.hand()
	}
	if now >= r.trees && !r.cfg.Off.Trees && r.cfg.Replicas > 1 {
		r.trees = now + treeEvery
		r.rounds++
		peer := (r.cfg.Self + 1 + r.rounds%(r.cfg.Replicas-1)) % r.cfg.Replicas
		root, _ := r.keep.tree()
		r.send(peer, &message{kind: kindTree, hashes: []crypto.Digest{root}})
	}
	return r.take()
}

// take hands over what is to be done, and begins anew.
func (r *Replica) take() Output {
	out := r.out
	out.Records, r.keep.records = r.keep.records, nil
	r.out = Output{}
	return out
}

// send sends to another replica; to itself nothing is said.
func (r *Replica) send(to int, m *message) {
	if to != r.cfg.Self {
		r.out.Sends = append(r.out.Sends, Send{To: to, Frame: m.encode()})
	}
}

// near reports whether a replica was heard of late.
func (r *Replica) near(peer int) bool { return peer == r.cfg.Self || r.now-r.heard[peer] <= awayAfter }

// reachable counts the replicas that were.
func (r *Replica) reachable() (n int) {
	for i := range r.heard {
		if r.near(i) {
			n++
		}
	}
	return n
}
