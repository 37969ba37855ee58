package host

import "quorate.dev/quorate/consensus"

// Class is a kind of events that wait for the engine.
type Class uint8

// The classes, in the order in which a burst takes them.
const (
	Own      Class = iota // what this replica's executor and reader report
	Votes                 // opened small frames of replicas
	Bodies                // opened larger frames of replicas
	Requests              // requests, whoever brought them, and READs
	Classes               // their number
)

// String names the class, as a metric's label does.
func (c Class) String() string { return [...]string{"own", "votes", "bodies", "requests"}[c] }

// classOf is the class of what a frame was opened as.
func classOf(f *consensus.Frame, e consensus.Event) Class {
	switch e.(type) {
	case consensus.Submit, consensus.Ask:
		return Requests
	}
	if PriorityOf(f) == Small {
		return Votes
	}
	return Bodies
}

// Inbox holds what waits for the engine. Own events always find room: their
// number is bounded by the jobs and reads that are under way. When votes or
// bodies are at their bound, the worker that brings more is held, and with it
// the streams behind it; requests are refused.
type Inbox struct {
	events  int // bounds of one class
	bytes   int
	classes [Classes]fifo[waiting]
	held    [Classes]int // bytes
}

// waiting is an event and the bytes of the frame that it aliases.
type waiting struct {
	event consensus.Event
	bytes int
}

// NewInbox makes an empty inbox.
func NewInbox(b Bounds) *Inbox { return &Inbox{events: b.InboxEvents, bytes: b.InboxBytes} }

// Own queues an event of this replica's.
func (q *Inbox) Own(e consensus.Event) { q.classes[Own].push(waiting{event: e}) }

// Offer queues what f was opened as, if there is room for it.
func (q *Inbox) Offer(f *consensus.Frame, e consensus.Event) Verdict {
	c := classOf(f, e)
	switch {
	case !q.full(c, len(f.Bytes)):
		q.classes[c].push(waiting{event: e, bytes: len(f.Bytes)})
		q.held[c] += len(f.Bytes)
		return Taken
	case c == Requests:
		return Refused
	}
	return Held
}

// full reports whether a class has no room for one more. One larger event than
// the bound travels alone.
func (q *Inbox) full(c Class, bytes int) bool {
	n := q.classes[c].len()
	return n >= q.events || n > 0 && q.held[c]+bytes > q.bytes
}

// classShare divides a burst: each class that has something to say gets at least
// one part of it. Without, a replica that sends votes, or STATUS, faster than
// the engine takes them would keep every batch and every request out.
const classShare = 8

// Burst takes what the engine is to be stepped with: own events first, then
// votes, bodies and requests, and a tick last. It is empty if nothing waits.
// More says that something is left. Afterwards what was held may find room.
func (q *Inbox) Burst(tick bool) (events []consensus.Event, more bool) {
	room := consensus.MaxBurst
	if tick {
		room--
	}
	events, more = q.take(room)
	if tick {
		events = append(events, consensus.Tick{})
	}
	return events, more
}

// take takes at most room events.
func (q *Inbox) take(room int) (events []consensus.Event, more bool) {
	share := room / classShare
	for c := range Classes {
		later := 0
		for k := c + 1; k < Classes; k++ {
			later += min(q.classes[k].len(), share)
		}
		for q.classes[c].len() > 0 && room > later {
			w := q.classes[c].pop()
			q.held[c] -= w.bytes
			events = append(events, w.event)
			room--
		}
		more = more || q.classes[c].len() > 0
	}
	return events, more
}

// Depth is how many events wait.
func (q *Inbox) Depth() (n [Classes]int) {
	for c := range Classes {
		n[c] = q.classes[c].len()
	}
	return n
}
