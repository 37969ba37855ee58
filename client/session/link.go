package session

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
)

// link is what is known about the replicas: hints, none of them believed
// further than that a wrong one costs a delay.
type link struct {
	system    quorum.System
	elected   bool
	up        []bool
	connected int
	views     []consensus.View // by replica: the highest view it has named
	primary   consensus.ReplicaID
	first     consensus.ReplicaID // if elected: who has answered first of late, though not the primary
	firsts    int                 // ... how often in a row
	older     []bool              // by replica: it cannot read this session's requests, its program is of before them
	suspect   bool                // a request is overdue and nothing was answered since
	trip      consensus.Time      // how long an answer takes, smoothed
}

func newLink(system quorum.System, elected bool) link {
	n := system.Size()
	return link{system: system, elected: elected, up: make([]bool, n), older: make([]bool, n), views: make([]consensus.View, n)}
}

// allOlder reports whether none that can be reached can read this session's requests.
func (l *link) allOlder() bool {
	for id, up := range l.up {
		if up && !l.older[id] {
			return false
		}
	}
	return l.connected > 0
}

// hear notes the view that a replica is in. The view to go by is one that f+1
// replicas have reached, so that f liars cannot send the client after a
// primary that nobody else follows.
func (l *link) hear(from consensus.ReplicaID, v consensus.View) {
	if l.elected || v <= l.views[from] {
		return
	}
	l.views[from] = v
	sorted := slices.Clone(l.views)
	slices.Sort(sorted)
	l.primary = l.system.Primary(sorted[len(sorted)-l.system.Replies()])
}

// follow takes a replica for the leader where leaders are elected, so that a view
// does not name its own.
func (l *link) follow(id consensus.ReplicaID) {
	if l.elected {
		l.primary = id
	}
}

// firstsAreLeaders is how many requests in a row another replica must answer
// first to be taken for the leader: a leader executes one message sooner than
// those who follow it, but now and then it is late.
const firstsAreLeaders = 8

// answered notes who answered a request first. Where leaders are elected, an
// answer does not say who leads; a client that goes by a follower would have each request
// passed on for ever.
func (l *link) answered(first consensus.ReplicaID) {
	switch {
	case !l.elected || first == l.primary:
		l.firsts = 0
		return
	case first == l.first:
		l.firsts++
	default:
		l.first, l.firsts = first, 1
	}
	if l.firsts >= firstsAreLeaders {
		l.primary, l.firsts = first, 0
	}
}

// learn takes in how long an answer took.
func (l *link) learn(trip consensus.Time) {
	if l.trip == 0 {
		l.trip = trip
	}
	l.trip += (trip - l.trip) / 8
}

// patience is how long to rely on the primary: under load answers take longer,
// and sending everything to everyone would only add to it.
func (l *link) patience(least, most consensus.Time) consensus.Time {
	return min(max(least, 4*l.trip), most)
}
