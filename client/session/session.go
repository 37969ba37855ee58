package session

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// Ticket names an operation to the caller, who chooses it: unique among those of its
// session that are not done.
type Ticket uint64

// Send is a frame for one replica.
type Send struct {
	To    consensus.ReplicaID
	Bytes []byte // read-only: sent to several, and kept
}

// Done is the end of one ticket.
type Done struct {
	Ticket Ticket
	Result consensus.Result // if Err is nil; the data belong to the caller
	Seq    consensus.Seq    // where it was executed, if Err is nil
	Err    error
	// Unordered: it was read without being ordered, from a state that is at Seq
	// or beyond.
	Unordered bool
	// Height is that of the very state that it was read from, where the replicas that
	// are believed name the same; else 0.
	Height consensus.Seq
}

// Output is everything to do about the events since the last Flush.
type Output struct {
	Sends    []Send
	Done     []Done
	Deadline consensus.Time // call Advance and Flush by then; 0 = nothing is due
}

// Stats counts what has happened, for people and tests.
type Stats struct {
	Requests   uint64 // signed and sent
	Operations uint64 // in them
	Again      uint64 // requests sent again
	Ignored    uint64 // frames that were no answer to anything in flight
	Refusals   uint64 // refusals received
	Renewals   uint64 // fresh epochs after the first

	Reads          uint64 // READs sent
	ReadOperations uint64 // ... operations in them
	ReadsAgain     uint64 // READs sent a second time
	ReadsOrdered   uint64 // operations of READs that had to be ordered
	ReadsLate      uint64 // ... because patience had ended
}

// Session is the state machine. It is not safe for concurrent use.
type Session struct {
	cfg     Config
	system  quorum.System
	cluster crypto.Digest
	now     consensus.Time
	queue   queue
	flight  flight
	reads   reads
	epochs  epochs
	tickets map[Ticket]*operation
	link    link
	tellAt  consensus.Time // before that no request goes to all for being the oldest
	out     Output
	stats   Stats
	closed  bool
}

// operation is one Invoke.
type operation struct {
	ticket   Ticket
	bytes    []byte
	request  *request // that carries it; nil while it waits
	query    *query   // ... or the READ
	alone    bool     // travels under its own signature
	reissued int      // how often it was sent again under a fresh epoch
}

// New begins a session with no replica connected.
func New(cfg Config) (*Session, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Session{
		cfg: cfg, system: cfg.System, cluster: cfg.Genesis.ID(), now: consensus.Time(cfg.Epoch),
		tickets: map[Ticket]*operation{}, link: newLink(cfg.System, cfg.Elected),
	}
	s.reads.counter, s.reads.owed = cfg.Reads, make([]int, cfg.System.Size())
	first := max(cfg.Epoch, after(cfg.After))
	s.flight.open(first, s.now)
	s.epochs.least, s.epochs.accepted = after(first), cfg.After
	return s, nil
}

// Advance sets the clock; it never goes back. Requests whose time has come are
// sent again, or given up if nobody waits for them.
func (s *Session) Advance(now consensus.Time) {
	s.now = max(s.now, now)
	s.advanceReads()
	for _, r := range s.flight.snapshot() {
		switch {
		case r.live == 0 && s.now >= r.orphaned+s.cfg.GiveUp:
			s.flight.remove(r)
		case s.now >= r.patienceAt && s.outdated():
			s.endOutdated(r)
		case s.now >= r.patienceAt:
			s.insist(r)
		case r == s.flight.oldest() && s.tells(r) != 0 && s.now >= s.tells(r):
			s.tell(r)
		case r.pauseAt != 0 && s.now >= r.pauseAt:
			r.pauseAt = 0
			s.stats.Again++
			s.send(r)
		}
	}
}

// Invoke hands in an operation under a ticket. The bytes must not change until
// the ticket is done. Whatever is wrong with it comes as a Done: ErrTooLarge,
// ErrBusy, ErrClosed.
func (s *Session) Invoke(t Ticket, op []byte) { s.take(t, op, &s.queue) }

// take lets an operation into a queue.
func (s *Session) take(t Ticket, op []byte, q *queue) {
	o := &operation{ticket: t, bytes: op}
	switch {
	case s.closed:
		s.reject(o, ErrClosed)
	case s.tickets[t] != nil:
		panic(fmt.Sprintf("session: ticket %d is in use", t))
	case len(op) > s.cfg.Genesis.Limits.OperationBytes:
		s.reject(o, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(op), s.cfg.Genesis.Limits.OperationBytes))
	case s.waiting() >= s.cfg.Queue || s.queue.bytes+s.reads.queue.bytes+len(op) > s.cfg.QueueBytes && s.waiting() > 0:
		s.reject(o, ErrBusy)
	default:
		s.tickets[t] = o
		q.push(o)
	}
}

// waiting is how many operations wait to be sent.
func (s *Session) waiting() int { return s.queue.len() + s.reads.queue.len() }

// Cancel says that nobody waits for the ticket any more. It is done at once:
// with ErrNotSent if it was not sent, else with ErrUnknown; the request is
// retried for a while, so that its outcome does not hang in the air.
func (s *Session) Cancel(t Ticket) {
	o := s.tickets[t]
	if o == nil {
		return
	}
	if o.query != nil {
		s.forgetRead(o)
		s.finish(o, Done{Err: ErrUnknown})
		return
	}
	if o.request == nil {
		s.queue.remove(o)
		s.reads.queue.remove(o)
		s.finish(o, Done{Err: ErrNotSent})
		return
	}
	s.abandon(o)
	err := ErrUnknown
	if s.link.elected && s.allAdrift(o.request) {
		err = fmt.Errorf("%w: %w", ErrNoLeader, ErrUnknown)
	} else if code := s.refusedSoFar(o.request); code != 0 {
		err = &RefusedError{Code: code, unknown: true}
	}
	s.finish(o, Done{Err: err})
}

// refusedSoFar is why f+1 replicas do not execute a request for now; 0 if they
// do not say.
func (s *Session) refusedSoFar(r *request) consensus.RefusalCode {
	for _, code := range r.refusals {
		if code != 0 && !leaderless(code) && count(r.refusals, code) >= s.system.Replies() {
			return code
		}
	}
	return 0
}

// abandon notes that one caller less waits for the operation's request.
func (s *Session) abandon(o *operation) {
	if o.request.live--; o.request.live == 0 {
		o.request.orphaned = s.now
	}
}

// Close ends the session: every ticket is done, nothing is sent any more.
func (s *Session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	for _, o := range s.queue.take(s.queue.len()) {
		s.finish(o, Done{Err: fmt.Errorf("%w: %w", ErrClosed, ErrNotSent)})
	}
	for _, o := range s.reads.queue.take(s.reads.queue.len()) {
		s.finish(o, Done{Err: fmt.Errorf("%w: %w", ErrClosed, ErrNotSent)})
	}
	for _, r := range s.flight.snapshot() {
		s.fail(r.operations, fmt.Errorf("%w: %w", ErrClosed, ErrUnknown))
		s.flight.remove(r)
	}
	for _, a := range slices.Clone(s.reads.flight) {
		s.fail(a.unfinished(), fmt.Errorf("%w: %w", ErrClosed, ErrUnknown))
		s.settleQuery(a)
	}
}

// Flush closes requests as far as the bounds allow and returns everything to
// do since the last call.
func (s *Session) Flush() Output {
	for !s.closed && s.mayAsk() {
		s.ask()
	}
	for !s.closed && s.queue.len() > 0 && s.mayClose() {
		s.open(s.gather(&s.queue))
	}
	out := s.out
	s.out = Output{}
	out.Deadline = s.deadline()
	return out
}

func (s *Session) deadline() consensus.Time {
	var least consensus.Time
	sooner := func(t consensus.Time) {
		if t != 0 && (least == 0 || t < least) {
			least = t
		}
	}
	for _, a := range s.reads.flight {
		sooner(a.due())
	}
	for _, r := range s.flight.requests {
		sooner(r.patienceAt)
		if r == s.flight.oldest() {
			sooner(s.tells(r))
		}
		sooner(r.pauseAt)
		if r.live == 0 {
			sooner(r.orphaned + s.cfg.GiveUp)
		}
	}
	return least
}

// Stats copies the counters.
func (s *Session) Stats() Stats { return s.stats }

// Shift is by how much the cluster's time is ahead of this session's clock, if
// its replicas have said that this is too much to go by the clock; 0 otherwise.
func (s *Session) Shift() consensus.Time { return s.epochs.shift }

// Accepted is the last epoch in which something of this key was executed, as far as
// is known: f+1 replicas answered it, or Config.After said so. A later session that
// is told of it has a higher epoch, whatever its clock says. 0 = none. It falls only if
// the replicas say that what After said cannot be.
func (s *Session) Accepted() uint64 { return s.epochs.accepted }

// InFlight is the number of requests and READs that are sent and not answered.
func (s *Session) InFlight() int { return len(s.flight.requests) + len(s.reads.flight) }

// finish ends a ticket, unless its caller has left.
func (s *Session) finish(o *operation, d Done) {
	if s.tickets[o.ticket] != o {
		return
	}
	delete(s.tickets, o.ticket)
	d.Ticket = o.ticket
	s.out.Done = append(s.out.Done, d)
}

// reject ends an operation that never became a ticket.
func (s *Session) reject(o *operation, err error) {
	s.out.Done = append(s.out.Done, Done{Ticket: o.ticket, Err: err})
}
