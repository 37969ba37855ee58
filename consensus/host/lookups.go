package host

import (
	"slices"
	"sort"

	"quorate.dev/quorate/consensus"
)

// lookups are the READs that wait for the height at which they may be executed,
// and then for their turn. Like answers they stand apart from the jobs and take
// turns with them. Nothing times them out: one whose height is not reached waits
// for it until others need its room, and its client has long asked elsewhere. None
// waits for a height that is further ahead than any window.
type lookups struct {
	queue   []consensus.Lookup // by height, and by arrival among equals
	room    consensus.QueryRoom
	applied consensus.Seq
	next    bool // it is their turn
	last    bool // the last task that was no job was one of them
	dropped uint64
}

// Ask queues a READ. Those that find no room any more are returned: of one
// client with more than its share, and then of all, those go first that wait
// for the greatest height. So does at once what waits for a height beyond all that
// a correct replica can have helped to commit when this one has executed so much:
// nobody may ever come there. Their clients are told that the replica is busy.
func (q *Jobs) Ask(l consensus.Lookup) (refused []*consensus.Query) {
	s := &q.lookups
	due, client := l.Due(), l.Query.Client
	if due > s.applied && due-s.applied > consensus.MaxWindow {
		s.dropped++
		return []*consensus.Query{l.Query}
	}
	at := sort.Search(len(s.queue), func(i int) bool { return s.queue[i].Due() > due })
	s.queue = slices.Insert(s.queue, at, l)
	s.room.Add(l.Query)
	for {
		crowds := s.room.Crowds(client)
		if !crowds && !s.room.Full() {
			return refused
		}
		last := len(s.queue) - 1
		for crowds && s.queue[last].Query.Client != client {
			last--
		}
		refused = append(refused, s.remove(last).Query)
		s.dropped++
	}
}

// remove takes one out.
func (s *lookups) remove(i int) consensus.Lookup {
	l := s.queue[i]
	s.queue = slices.Delete(s.queue, i, i+1)
	s.room.Remove(l.Query)
	return l
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
