package session

import (
	"bytes"
	"slices"

	"quorate.dev/quorate/consensus"
)

// reads are the operations that write nothing and are not ordered (PROTOCOL.md
// §11): those that wait, and the READs in flight that carry the others. What
// comes to nothing in one round and a second is ordered, as if Invoke had been
// called: the state that it then finds is one that the READ might have found.
type reads struct {
	queue   queue
	flight  []*query       // oldest first
	counter uint64         // last used
	trip    consensus.Time // how long an answer takes, smoothed
	owed    []int          // by replica: READs that its channel carried and that it has not answered
}

// query is one READ in flight.
type query struct {
	name       consensus.Sequence
	frame      []byte
	floor      consensus.Seq
	operations []*operation // nil where one is done
	left       int          // operations that are not done
	said       []finding    // by replica
	answered   int          // replicas that have answered
	sent       consensus.Time
	againAt    consensus.Time // then it is sent again, with a floor; 0 = it was, or too few have answered
	endsAt     consensus.Time // then what is left is ordered
	toAll      bool
	settled    bool // it is out of flight
}

// finding is what one replica has said: the lowest index of its answers, which
// any of them may stand for, and the results of the highest.
type finding struct {
	answers int
	refused bool
	index   consensus.Seq
	height  consensus.Seq
	results []consensus.Result
}

// The bounds of READs.
const (
	readsInFlight = 4
	// readAnswers bounds how many answers of a replica to one READ are looked at:
	// one for each time that it can have been asked.
	readAnswers = 4
	// leastPause is how long at least a READ waits for more than a quorum's answers
	// before it is sent again.
	leastPause = millisecond
)

// Read hands in an operation that writes nothing. It is Invoke but for how the
// result is found: without an order, unless that fails. Replicas let no READ
// write, but nothing tells them that an operation that is ordered was one: it is
// refused here, with ErrWrites, if it is known to write.
func (s *Session) Read(t Ticket, op []byte) {
	if s.cfg.Writes != nil && s.cfg.Writes(op) {
		s.reject(&operation{ticket: t}, ErrWrites)
		return
	}
	s.take(t, op, &s.reads.queue)
}

// mayAsk decides whether the next READ may leave now, like mayClose.
func (s *Session) mayAsk() bool {
	q, inFlight := &s.reads.queue, 0
	for _, a := range s.reads.flight {
		inFlight += a.left
	}
	switch {
	case q.len() == 0 || s.link.connected == 0 || len(s.reads.flight) >= readsInFlight:
		return false
	case s.cfg.OneEach || q.operations[0].alone:
		return true
	}
	return q.len()*gatherShare >= inFlight || q.len() >= s.cfg.GatherOps || q.bytes >= s.cfg.GatherBytes
}

// ask sends a READ for what waits.
func (s *Session) ask() {
	r := &s.reads
	r.counter++
	a := &query{
		name: consensus.Sequence{Epoch: s.cfg.Epoch, Counter: r.counter}, operations: s.gather(&r.queue),
		said: make([]finding, s.system.Size()), sent: s.now, endsAt: s.now + min(max(s.cfg.Patience, 4*r.trip), s.cfg.MaxPatience),
	}
	a.left = len(a.operations)
	for _, o := range a.operations {
		o.query = a
	}
	s.encode(a)
	r.flight = append(r.flight, a)
	s.stats.Reads++
	s.stats.ReadOperations += uint64(a.left)
	s.sendQuery(a)
}

// encode makes the frame of a READ. What is done already stays in it: answers to
// both rounds say the same of the same places.
func (s *Session) encode(a *query) {
	q := consensus.Query{Name: a.name, Floor: a.floor, Operations: make([][]byte, len(a.operations))}
	for i, o := range a.operations {
		if o != nil {
			q.Operations[i] = o.bytes
		}
	}
	a.frame = q.Encode()
}

// sendQuery sends a READ to all, or to the leader if one replica's answer is
// enough: the others would only ask it.
func (s *Session) sendQuery(a *query) {
	for id, up := range s.link.up {
		to := consensus.ReplicaID(id)
		if up && (a.toAll || !s.cfg.Elected || to == s.link.primary || !s.link.up[s.link.primary]) {
			s.sendQueryTo(to, a)
		}
	}
}

func (s *Session) sendQueryTo(to consensus.ReplicaID, a *query) {
	s.reads.owed[to]++
	s.out.Sends = append(s.out.Sends, Send{To: to, Bytes: a.frame})
}

// answers notes that a replica has answered a READ, whichever.
func (r *reads) answers(from consensus.ReplicaID) { r.owed[from] = max(0, r.owed[from]-1) }

// onFinding takes an answer to a READ.
func (s *Session) onFinding(from consensus.ReplicaID, f *consensus.Finding) bool {
	s.reads.answers(from)
	a := s.findQuery(f.Name)
	if a == nil || f.Era != 0 || len(f.Results) != len(a.operations) || f.Height < f.Index || a.said[from].answers >= readAnswers {
		return false
	}
	said := &a.said[from]
	if said.answers == 0 {
		a.answered++
		said.index = f.Index
	}
	said.answers, said.refused = said.answers+1, false
	said.index = min(said.index, f.Index)
	if said.results == nil || f.Height >= said.height {
		said.height, said.results = f.Height, f.Results
	}
	s.believeFindings(a)
	s.pressOn(a)
	return true
}

// findQuery is the READ in flight with a name.
func (s *Session) findQuery(name consensus.Sequence) *query {
	for _, a := range s.reads.flight {
		if a.name == name {
			return a
		}
	}
	return nil
}

// index is the largest index of a quorum of answers, those with the lowest:
// any quorum's will do, so whoever invents a great one is left out. False if
// too few have answered.
func (s *Session) index(a *query) (consensus.Seq, bool) {
	q := s.system.Readers()
	if a.answered < q {
		return 0, false
	}
	list := make([]consensus.Seq, 0, len(a.said))
	for i := range a.said {
		if a.said[i].answers > 0 {
			list = append(list, a.said[i].index)
		}
	}
	slices.Sort(list)
	return list[q-1], true
}

// believeFindings ends the operations of which f+1 replicas say the same from
// states that are not older than the index.
func (s *Session) believeFindings(a *query) {
	index, ok := s.index(a)
	if !ok {
		return
	}
	var alone []*operation
	for i, o := range a.operations {
		if o == nil {
			continue
		}
		r, height := s.agreedResult(a, i, index)
		if r == nil {
			continue
		}
		a.operations[i] = nil
		a.left--
		if r.Code == consensus.ResultTooLarge && len(a.operations) > 1 {
			alone = append(alone, o)
			continue
		}
		s.finish(o, Done{Result: consensus.Result{Code: r.Code, Data: bytes.Clone(r.Data)}, Seq: index, Unordered: true, Height: height})
	}
	s.reread(alone)
	if a.left == 0 {
		s.reads.trip += (s.now - a.sent - s.reads.trip) / 8
		s.settleQuery(a)
	}
}

// agreedResult is what f+1 replicas say of operation i at or above a height; nil
// if they do not. Where f+1 of them say it of one height, that is returned, too: one of
// them is correct and was there.
func (s *Session) agreedResult(a *query, i int, least consensus.Seq) (believed *consensus.Result, height consensus.Seq) {
	for x := range a.said {
		if a.said[x].results == nil || a.said[x].height < least {
			continue
		}
		r, equal, there := &a.said[x].results[i], 0, 0
		for y := range a.said {
			if o := &a.said[y]; o.results != nil && o.height >= least && o.results[i].Code == r.Code && bytes.Equal(o.results[i].Data, r.Data) {
				equal++
				if o.height == a.said[x].height {
					there++
				}
			}
		}
		if there >= s.system.Replies() {
			return r, a.said[x].height
		}
		if believed == nil && equal >= s.system.Replies() {
			believed = r
		}
	}
	return believed, 0
}

// pressOn decides what comes next for a READ that is not done: wait for more
// answers, ask once again for those of the index or above, or order it.
func (s *Session) pressOn(a *query) {
	if a.settled {
		return
	}
	silent, twice, refused := 0, 0, 0
	for i := range a.said {
		switch f := &a.said[i]; {
		case f.refused:
			refused++
		case f.answers == 0:
			silent++
		case f.answers > 1:
			twice++
		}
	}
	n, q := s.system.Size(), s.system.Readers()
	switch {
	case refused > n-q, a.floor > 0 && twice+refused == n:
		s.order(a)
	case a.floor > 0 || a.answered < q:
	case silent == 0:
		s.askAgain(a)
	case a.againAt == 0:
		a.againAt = s.now + max(leastPause, s.now-a.sent)
	}
}

// askAgain sends a READ for the second time: whoever answers now has executed
// everything up to the index.
func (s *Session) askAgain(a *query) {
	a.againAt = 0
	index, ok := s.index(a)
	if !ok {
		return
	}
	a.floor = max(index, 1)
	for i := range a.said {
		a.said[i].refused = false
	}
	s.encode(a)
	s.stats.ReadsAgain++
	s.sendQuery(a)
}

// order has what is left of a READ ordered.
func (s *Session) order(a *query) {
	left := a.unfinished()
	s.settleQuery(a)
	s.stats.ReadsOrdered += uint64(len(left))
	s.queue.front(left)
}

// reread has operations read again, each by a READ of its own: their results did
// not fit beside the others'.
func (s *Session) reread(list []*operation) {
	for _, o := range list {
		o.alone, o.query = true, nil
	}
	s.reads.queue.front(slices.DeleteFunc(list, func(o *operation) bool { return s.tickets[o.ticket] != o }))
}

// unfinished takes the operations out that somebody waits for.
func (a *query) unfinished() []*operation {
	var left []*operation
	for i, o := range a.operations {
		if o != nil {
			o.query, a.operations[i] = nil, nil
			left = append(left, o)
		}
	}
	a.left = 0
	return left
}

// settleQuery takes a READ out of flight.
func (s *Session) settleQuery(a *query) {
	a.settled = true
	s.reads.flight = slices.DeleteFunc(s.reads.flight, func(b *query) bool { return a == b })
}

// forgetRead takes an operation out of its READ: nobody waits for it any more.
func (s *Session) forgetRead(o *operation) {
	a := o.query
	a.operations[slices.Index(a.operations, o)] = nil
	if a.left--; a.left == 0 {
		s.settleQuery(a)
	}
}

// refuseQueries hears that a replica does not answer a READ, or any, if it
// does not say which: it cannot read it. That means that one answer less is to
// come, and no more.
func (s *Session) refuseQueries(from consensus.ReplicaID, name consensus.Sequence) (known bool) {
	s.reads.answers(from)
	for _, a := range slices.Clone(s.reads.flight) {
		if name == (consensus.Sequence{}) || a.name == name {
			s.refuseQuery(from, a)
			known = true
		}
	}
	return known
}

func (s *Session) refuseQuery(from consensus.ReplicaID, a *query) {
	a.said[from].refused = true
	if s.cfg.Elected && !a.toAll {
		a.toAll = true
		s.sendQuery(a)
		return
	}
	s.pressOn(a)
}

// advanceReads does what is due.
func (s *Session) advanceReads() {
	for _, a := range slices.Clone(s.reads.flight) {
		switch {
		case s.now >= a.endsAt:
			s.stats.ReadsLate += uint64(a.left)
			s.order(a)
		case a.againAt != 0 && s.now >= a.againAt:
			s.askAgain(a)
		}
	}
}

// due is when a READ wants something to be done.
func (a *query) due() consensus.Time {
	if a.againAt != 0 {
		return min(a.againAt, a.endsAt)
	}
	return a.endsAt
}
