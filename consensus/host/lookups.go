package host

import (
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// lookups are the READs that wait for the height at which they may be executed,
// and then for their turn. Like answers they stand apart from the jobs and take
// turns with them. Nothing times them out: one whose height nobody reaches waits
// until others need its room, and its client has long asked elsewhere.
type lookups struct {
	queue   []lookup                 // by height, and by arrival among equals
	of      map[crypto.PublicKey]int // by client; none is zero
	bytes   int
	applied consensus.Seq
	next    bool // it is their turn
	last    bool // the last task that was no job was one of them
	dropped uint64
}

// lookup is a READ with its size in bytes.
type lookup struct {
	consensus.Lookup
	size int
}

// lookupShare divides the room for READs: one client gets one part of it.
const lookupShare = 4

// Ask queues a READ. Those that find no room any more are returned: of one
// client with more than its share, and then of all, those go first that wait
// for the greatest height. Their clients are told that the replica is busy.
func (q *Jobs) Ask(l consensus.Lookup) (refused []*consensus.Query) {
	s := &q.lookups
	size := 0
	for _, op := range l.Query.Operations {
		size += 3 + len(op)
	}
	at, _ := slices.BinarySearchFunc(s.queue, l.Due()+1, func(o lookup, due consensus.Seq) int { return cmp.Compare(o.Due(), due) })
	s.queue = slices.Insert(s.queue, at, lookup{l, size})
	s.of[l.Query.Client]++
	s.bytes += size
	for len(s.queue) > 1 {
		crowds := s.of[l.Query.Client] > max(1, q.bounds.Lookups/lookupShare)
		if !crowds && len(s.queue) <= q.bounds.Lookups && s.bytes <= q.bounds.LookupBytes {
			break
		}
		last := len(s.queue) - 1
		for crowds && s.queue[last].Query.Client != l.Query.Client {
			last--
		}
		refused = append(refused, s.remove(last).Query)
		s.dropped++
	}
	return refused
}

// remove takes one out.
func (s *lookups) remove(i int) consensus.Lookup {
	l := s.queue[i]
	s.queue = slices.Delete(s.queue, i, i+1)
	s.bytes -= l.size
	if s.of[l.Query.Client]--; s.of[l.Query.Client] == 0 {
		delete(s.of, l.Query.Client)
	}
	return l.Lookup
}

// Applied says up to where the machine has executed. It may have gone back.
func (q *Jobs) Applied(n consensus.Seq) { q.lookups.applied = n }

// due reports whether a READ can be executed.
func (s *lookups) due() bool { return len(s.queue) > 0 && s.queue[0].Due() <= s.applied }

// lookupNow says that a READ is due, and that it is the READs' turn or no job waits.
func (q *Jobs) lookupNow() bool {
	s := &q.lookups
	return s.due() && (s.next || q.tasks.len() == 0 && !(s.last && q.answers.queue.len() > 0))
}

// takeLookup takes the READ that waits for the lowest height.
func (q *Jobs) takeLookup() *consensus.Lookup {
	s := &q.lookups
	s.next, s.last = false, true
	l := s.remove(0)
	return &l
}

// Lookups is how many READs wait, and how many found no room.
func (q *Jobs) Lookups() (waiting int, dropped uint64) {
	return len(q.lookups.queue), q.lookups.dropped
}
