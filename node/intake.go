package node

import (
	"sync"

	"quorate.dev/quorate/consensus"
)

// rank is how urgent frames are before anybody has decoded them. Node does not
// know the protocol, so it goes by who sent them and by their size: votes are
// small, whatever they are called.
type rank uint8

const (
	urgent rank = iota // small frames of replicas
	heavy              // larger frames of replicas
	asked              // frames of clients, observers and the topic
	ranks
)

// smallFrame divides votes from batches and parts of a state.
const smallFrame = 2 << 10 // bytes

// fairness: every so many takes the least urgent rank is served first, so that
// a replica that floods us with votes cannot starve clients.
const fairness = 4

// intake holds the frames that wait for a verifying worker. Frames of one
// replica and rank stay in order: their lane is with one worker at a time.
// Requests of a client need no order (PROTOCOL.md §3), and several workers may
// share one client's.
//
// What happens when it is full: small frames of a replica push out that
// replica's oldest; for a larger one the stream is held back; a client is told
// that we are busy; the topic is lossy by design. A lane's bound is its own:
// one peer's flood costs no other peer a frame.
type intake struct {
	bounds Bounds

	mu          sync.Mutex
	work        sync.Cond // a lane became ready, or closed
	room        sync.Cond // a heavy lane has room, or closed
	lanes       map[laneKey]*lane
	ready       [ranks]queue[*lane]
	frames      int
	clientBytes int
	takes       int
	dropped     [ranks]uint64
	closed      bool
}

// clientShare divides the room for the bytes of all clients: one client gets
// one part of it, or a single larger frame, so that nobody alone can fill it.
const clientShare = 4

// laneKey names a lane. A peer's small and large frames go separate ways, so
// that a batch of a megabyte does not stand before a vote.
type laneKey struct {
	peer consensus.Peer
	rank rank
}

// lane is what waits from one peer in one rank.
type lane struct {
	key    laneKey
	frames queue[consensus.Frame]
	bytes  int
	busy   bool // with a worker
	queued bool // in ready
}

// newIntake makes an empty intake.
func newIntake(b Bounds) *intake {
	q := &intake{bounds: b, lanes: make(map[laneKey]*lane)}
	q.work.L, q.room.L = &q.mu, &q.mu
	return q
}

// rankOf guesses by the size: a wrong guess costs time and nothing else.
func rankOf(f *consensus.Frame) rank {
	switch {
	case f.From.Kind != consensus.PeerReplica:
		return asked
	case len(f.Bytes) <= smallFrame:
		return urgent
	}
	return heavy
}

// offer takes in the frames of one stream and answers those that it has no
// room for. It may wait while a replica's larger frames find no room, until
// close.
func (q *intake) offer(group []consensus.Frame) (refused []consensus.Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range group {
		f := &group[i]
		l := q.lane(laneKey{peer: f.From, rank: rankOf(f)})
		if !q.admit(&l, f) {
			refused = append(refused, *f)
			continue
		}
		l.frames.push(*f)
		l.bytes += len(f.Bytes)
		q.frames++
		if l.key.rank == asked {
			q.clientBytes += len(f.Bytes)
		}
		q.offerLane(l)
	}
	return refused
}

// lane is the lane with key k, made if need be.
func (q *intake) lane(k laneKey) *lane {
	l := q.lanes[k]
	if l == nil {
		l = &lane{key: k}
		q.lanes[k] = l
	}
	return l
}

// admit makes room for f in the lane, or says that there is none. While it
// waits the lane may end and begin again, so it looks anew.
func (q *intake) admit(l **lane, f *consensus.Frame) bool {
	switch k := (*l).key; k.rank {
	case urgent:
		if (*l).frames.len() >= q.bounds.PeerFrames {
			q.remove(*l)
			q.dropped[urgent]++
		}
	case heavy:
		for (*l).frames.len() > 0 && (*l).bytes+len(f.Bytes) > q.bounds.PeerBytes && !q.closed {
			q.room.Wait()
			*l = q.lane(k)
		}
	default:
		if (*l).frames.len() >= q.bounds.ClientFrames || (*l).bytes > 0 && (*l).bytes+len(f.Bytes) > q.bounds.ClientBytes/clientShare ||
			q.clientBytes > 0 && q.clientBytes+len(f.Bytes) > q.bounds.ClientBytes {
			q.dropped[asked]++
			q.release(*l)
			return false
		}
	}
	return !q.closed
}

// remove takes the oldest frame out of a lane.
func (q *intake) remove(l *lane) consensus.Frame {
	f := l.frames.pop()
	l.bytes -= len(f.Bytes)
	q.frames--
	if l.key.rank == asked {
		q.clientBytes -= len(f.Bytes)
	}
	return f
}

// offerLane lets a worker have the lane, unless one has it and order matters.
func (q *intake) offerLane(l *lane) {
	if l.queued || l.busy && l.key.rank != asked {
		return
	}
	l.queued = true
	q.ready[l.key.rank].push(l)
	q.work.Signal()
}

// take waits for work and moves a group of one rank to dst, lane after lane.
// The lanes belong to the caller until it gives them back with done. False
// after close.
func (q *intake) take(dst []consensus.Frame, lanes []*lane) ([]consensus.Frame, []*lane, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && !q.waiting() {
		q.work.Wait()
	}
	if q.closed {
		return nil, nil, false
	}
	r := q.next()
	bytes := 0
	for q.ready[r].len() > 0 && len(dst) < q.bounds.GroupFrames && bytes < groupBytes {
		l := q.ready[r].pop()
		l.queued, l.busy = false, true
		lanes = append(lanes, l)
		for l.frames.len() > 0 && len(dst) < q.bounds.GroupFrames && bytes < groupBytes {
			f := q.remove(l)
			bytes += len(f.Bytes)
			dst = append(dst, f)
		}
		if r == asked && l.frames.len() > 0 {
			q.offerLane(l)
		}
	}
	if r == heavy {
		q.room.Broadcast()
	}
	return dst, lanes, true
}

// groupBytes bounds the frames of one group, but for a single larger one.
const groupBytes = 1 << 20

// waiting reports whether any lane is ready.
func (q *intake) waiting() bool {
	for r := range q.ready {
		if q.ready[r].len() > 0 {
			return true
		}
	}
	return false
}

// next is the rank to serve now; one of them has work.
func (q *intake) next() rank {
	q.takes++
	if q.takes%fairness == 0 && q.ready[asked].len() > 0 {
		return asked
	}
	for r := range ranks {
		if q.ready[r].len() > 0 {
			return r
		}
	}
	return asked
}

// done gives lanes back after their frames were passed on.
func (q *intake) done(lanes []*lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range lanes {
		l.busy = false
		if l.frames.len() > 0 {
			q.offerLane(l)
		} else {
			q.release(l)
		}
	}
}

// release forgets an empty lane, so that clients that left cost nothing.
func (q *intake) release(l *lane) {
	if l.frames.len() == 0 && !l.busy && !l.queued && q.lanes[l.key] == l {
		delete(q.lanes, l.key)
	}
}

// close wakes everybody who waits; nothing goes in or out any more.
func (q *intake) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.work.Broadcast()
	q.room.Broadcast()
}

// depth is the number of frames that wait, for metrics.
func (q *intake) depth() (frames int, dropped [ranks]uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.frames, q.dropped
}
