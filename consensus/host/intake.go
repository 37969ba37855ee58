package host

import "quorate.dev/quorate/consensus"

// Priority is how urgent frames are before anybody has decoded them. The host
// does not know the protocol, so it goes by who sent them and by their size:
// votes are small, whatever they are called. Requests wait apart, also those
// that a replica forwards: a client that floods must not stand before the votes
// of those who forward for it.
type Priority uint8

// The priorities, most urgent first.
const (
	Small      Priority = iota // small frames of replicas
	Large                      // larger frames of replicas
	Clients                    // requests, and all frames of clients, observers and the topic
	Priorities                 // their number
)

// smallFrame divides votes from batches and parts of a state.
const smallFrame = 2 << 10 // bytes

// PriorityOf guesses by the size: a wrong guess costs time and nothing else.
func PriorityOf(f *consensus.Frame) Priority {
	switch {
	case f.From.Kind != consensus.PeerReplica, consensus.IsRequest(f.Bytes):
		return Clients
	case len(f.Bytes) <= smallFrame:
		return Small
	}
	return Large
}

// fairness: of so many takes in a row, one serves clients first and another one
// larger frames, so that whoever floods us with votes starves neither clients
// nor batches and VIEW-CHANGEs.
const fairness = 4

// clientShare divides the room for the bytes of all clients: one client gets
// one part of it, or a single larger frame, so that nobody alone can fill it.
const clientShare = 4

// groupBytes bounds the frames of one group, but for a single larger one.
const groupBytes = 1 << 20

// Intake holds the frames that wait for a verifying worker, in a queue for each
// source. Frames of one replica and priority stay in order: their queue is with
// one worker at a time. Requests of a client need no order (PROTOCOL.md §3), and
// several workers may share one client's.
//
// When a queue is full, a small frame of a replica pushes out that replica's
// oldest; a larger one is held; a client's is refused. A queue's bound is its
// own: one peer's flood costs no other peer a frame.
type Intake struct {
	bounds      Bounds
	sources     map[sourceKey]*source
	ready       [Priorities]fifo[*source]
	frames      int
	clientBytes int
	takes       int
	dropped     [Priorities]uint64
}

// sourceKey names a queue. A peer's small and large frames wait apart, so that
// a batch of a megabyte does not stand before a vote.
type sourceKey struct {
	peer     consensus.Peer
	priority Priority
}

// source is what waits from one peer in one priority.
type source struct {
	key    sourceKey
	frames fifo[consensus.Frame]
	bytes  int
	busy   bool // with a worker
	queued bool // in ready
}

// Group is what a worker verifies together. The queues it came from are the
// worker's until Done. It is used again and again.
type Group struct {
	Frames   []consensus.Frame
	Priority Priority
	sources  []*source
}

// NewIntake makes an empty intake.
func NewIntake(b Bounds) *Intake {
	return &Intake{bounds: b, sources: make(map[sourceKey]*source)}
}

// Offer takes in a frame if there is room for it.
func (q *Intake) Offer(f *consensus.Frame) Verdict {
	k := sourceKey{peer: f.From, priority: PriorityOf(f)}
	s := q.sources[k]
	if s == nil {
		s = &source{key: k}
		q.sources[k] = s
	}
	if v := q.admit(s, len(f.Bytes)); v != Taken {
		q.release(s)
		return v
	}
	s.frames.push(*f)
	s.bytes += len(f.Bytes)
	q.frames++
	if k.priority == Clients {
		q.clientBytes += len(f.Bytes)
	}
	q.offerSource(s)
	return Taken
}

// admit makes room for a frame in its queue, or says that there is none.
func (q *Intake) admit(s *source, bytes int) Verdict {
	switch s.key.priority {
	case Small:
		if s.frames.len() >= q.bounds.PeerFrames {
			q.remove(s)
			q.dropped[Small]++
		}
	case Large:
		if s.frames.len() > 0 && s.bytes+bytes > q.bounds.PeerBytes {
			return Held
		}
	default:
		if s.frames.len() >= q.bounds.ClientFrames || s.bytes > 0 && s.bytes+bytes > q.bounds.ClientBytes/clientShare ||
			q.clientBytes > 0 && q.clientBytes+bytes > q.bounds.ClientBytes {
			q.dropped[Clients]++
			return Refused
		}
	}
	return Taken
}

// remove takes the oldest frame out of a queue.
func (q *Intake) remove(s *source) consensus.Frame {
	f := s.frames.pop()
	s.bytes -= len(f.Bytes)
	q.frames--
	if s.key.priority == Clients {
		q.clientBytes -= len(f.Bytes)
	}
	return f
}

// offerSource lets a worker have the queue, unless one has it and order matters.
func (q *Intake) offerSource(s *source) {
	if s.queued || s.busy && s.key.priority != Clients {
		return
	}
	s.queued = true
	q.ready[s.key.priority].push(s)
}

// Ready reports whether Take finds something.
func (q *Intake) Ready() bool {
	for p := range q.ready {
		if q.ready[p].len() > 0 {
			return true
		}
	}
	return false
}

// Take moves frames of one priority to g, source after source, in turn. The
// intake must be ready. After a group of large frames, what was held may find
// room.
func (q *Intake) Take(g *Group) {
	p, bytes := q.next(), 0
	g.Priority = p
	for q.ready[p].len() > 0 && len(g.Frames) < q.bounds.GroupFrames && bytes < groupBytes {
		s := q.ready[p].pop()
		s.queued, s.busy = false, true
		g.sources = append(g.sources, s)
		for s.frames.len() > 0 && len(g.Frames) < q.bounds.GroupFrames && bytes < groupBytes {
			f := q.remove(s)
			bytes += len(f.Bytes)
			g.Frames = append(g.Frames, f)
		}
		if p == Clients && s.frames.len() > 0 {
			q.offerSource(s)
		}
	}
}

// next is the priority to serve now; one of them has work.
func (q *Intake) next() Priority {
	first := Small
	switch q.takes++; q.takes % fairness {
	case 0:
		first = Clients
	case fairness / 2:
		first = Large
	}
	for _, p := range [...]Priority{first, Small, Large} {
		if q.ready[p].len() > 0 {
			return p
		}
	}
	return Clients
}

// Done gives the queues of a group back after its frames were passed on, and
// empties it.
func (q *Intake) Done(g *Group) {
	for _, s := range g.sources {
		s.busy = false
		if s.frames.len() > 0 {
			q.offerSource(s)
		} else {
			q.release(s)
		}
	}
	clear(g.sources)
	clear(g.Frames)
	g.sources, g.Frames = g.sources[:0], g.Frames[:0]
}

// release forgets an empty queue, so that clients that left cost nothing.
func (q *Intake) release(s *source) {
	if s.frames.len() == 0 && !s.busy && !s.queued && q.sources[s.key] == s {
		delete(q.sources, s.key)
	}
}

// Depth is the number of frames that wait, and of those that found no room.
func (q *Intake) Depth() (frames int, dropped [Priorities]uint64) { return q.frames, q.dropped }
