package transfer

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// fetcher schedules one fetch at a time. It is pure and not safe for
// concurrent use.
type fetcher struct {
	cfg      config
	target   Target
	active   bool
	turn     uint64     // counts targets: answers of the host to jobs of an earlier turn are told apart by it
	expected []expected // the host's answers that are still to come, in order
	pool     sources
	asks     []ask
	wanted   stack
	known    map[string]bool // ids wanted, in flight or handed in; looked up only, never ranged over
	handed   int             // bytes handed in and not yet staged, of all turns
	again    bool            // the list of missing items was cut short: begin again when all else is done
	fruit    fruit
	progress progress
}

// fruit counts what decides that the host cannot complete a target.
type fruit struct {
	ends     int // fruitless RestoreEnds in a row
	listless int // RestoreBegins in a row that promised more and listed nothing
}

type ask struct {
	to    consensus.ReplicaID
	items []consensus.Item
}

type jobKind uint8

const (
	begun jobKind = iota
	put
	ended
)

// expected is an answer that the host owes. The host's queue is ordered, so
// its answers are, too.
type expected struct {
	kind  jobKind
	turn  uint64
	from  consensus.ReplicaID
	items []consensus.Item
	bytes int
}

// newFetcher returns an idle fetcher.
func newFetcher(cfg config) *fetcher { return &fetcher{cfg: cfg.withDefaults()} }

// Active reports whether a fetch is under way.
func (f *fetcher) Active() bool { return f.active }

// Begun reports whether the host has answered the RestoreBegin of the fetch that
// is under way: what it had executed before, it has said by then. Answers to
// earlier fetches, which may be late, do not count.
func (f *fetcher) Begun() bool { return f.active && !f.owes(begun) }

// Ending reports whether the host is putting the state together: nothing turns
// that back.
func (f *fetcher) Ending() bool { return f.active && f.owes(ended) }

// Target is the current target, or the last one if none is.
func (f *fetcher) Target() Target { return f.target }

// Progress copies the current figures.
func (f *fetcher) Progress() progress {
	p := f.progress
	p.Seq, p.Wanted, p.Handed, p.Sources, p.Rounds = f.target.Seq, f.wanted.len(), f.handed, f.pool.usable(), f.pool.rounds
	for _, a := range f.asks {
		p.InFlight += len(a.items)
	}
	return p
}

// Start begins a fetch. sources are replicas that may have the target, in any
// order, without the caller itself. If a fetch is under way, it is a Retarget.
func (f *fetcher) Start(t Target, from []consensus.ReplicaID) Decision {
	if f.active {
		return f.Retarget(t, from)
	}
	f.progress = progress{}
	f.pool = sources{}
	return f.aim(t, from)
}

// Retarget turns a fetch to a newer certified state and keeps every part that
// is staged: the host's RestoreBegin with the newer root lists only what
// differs. The sources' scores are kept. While RestoreEnd is under way it does
// nothing: the fetch ends with the old target and the caller starts the next.
func (f *fetcher) Retarget(t Target, from []consensus.ReplicaID) Decision {
	if !f.active || f.owes(ended) {
		return Decision{}
	}
	return f.aim(t, from)
}

// Abort ends the fetch. What is staged stays for a later Start.
func (f *fetcher) Abort() Decision {
	if !f.active {
		return Decision{}
	}
	f.stop()
	return Decision{Jobs: []consensus.Job{consensus.RestoreAbort{}}}
}

func (f *fetcher) stop() {
	f.active = false
	f.turn++
	f.clear()
}

// clear forgets everything that belongs to one target's list of items.
func (f *fetcher) clear() {
	f.asks, f.wanted, f.known, f.again, f.fruit = nil, stack{}, map[string]bool{}, false, fruit{}
	f.pool.idle()
}

func (f *fetcher) aim(t Target, from []consensus.ReplicaID) Decision {
	f.active, f.target = true, t
	f.turn++
	f.clear()
	f.pool.set(from)
	var d Decision
	f.begin(&d)
	return d
}

func (f *fetcher) begin(d *Decision) {
	f.again = false
	f.expected = append(f.expected, expected{kind: begun, turn: f.turn})
	d.Jobs = append(d.Jobs, consensus.RestoreBegin{Seq: f.target.Seq, Root: f.target.Root, Certificate: f.target.Certificate})
}

// OnParts takes what a source has given: some of the items of one ask, or the
// word that it does not have the target any more.
func (f *fetcher) OnParts(from consensus.ReplicaID, seq consensus.Seq, root crypto.Digest, parts []consensus.Part, gone bool) Decision {
	var d Decision
	src := f.pool.find(from)
	if !f.active || src == nil || seq != f.target.Seq || root != f.target.Root {
		return d
	}
	if len(parts) == 0 {
		if gone && !src.left {
			f.leave(src, scoreGone)
			f.pump(&d)
		}
		return d
	}
	if a, ok := f.answered(from, parts); ok {
		f.hand(&d, src, a, parts)
		f.pump(&d)
	}
	return d
}

// answered finds and removes the ask that parts answer: one that holds any of them.
func (f *fetcher) answered(from consensus.ReplicaID, parts []consensus.Part) (ask, bool) {
	given := make(map[string]bool, len(parts))
	for _, p := range parts {
		given[p.ID] = true
	}
	for i, a := range f.asks {
		if a.to != from {
			continue
		}
		for _, it := range a.items {
			if given[it.ID] {
				f.asks = append(f.asks[:i:i], f.asks[i+1:]...)
				return a, true
			}
		}
	}
	return ask{}, false
}

// hand passes the parts of one answered ask to the host. What the source left
// out is wanted again.
func (f *fetcher) hand(d *Decision, src *source, a ask, parts []consensus.Part) {
	of := make(map[string]consensus.Part, len(parts))
	for _, p := range parts {
		if _, twice := of[p.ID]; !twice {
			of[p.ID] = p
		}
	}
	job := consensus.RestorePut{From: src.id}
	size := 0
	for _, it := range a.items {
		p, ok := of[it.ID]
		if !ok {
			f.wanted.push(it)
			continue
		}
		job.Items, job.Parts = append(job.Items, it), append(job.Parts, p)
		size += partCost(p)
	}
	f.handed += size
	f.expected = append(f.expected, expected{kind: put, turn: f.turn, from: src.id, items: job.Items, bytes: size})
	d.Jobs = append(d.Jobs, job)
	src.asks--
	src.silent = 0
	f.judgeSize(src, len(job.Items) < len(a.items) && size < consensus.ChunkBytes/2)
}

// partCost is what a part in hand is counted as, in bytes, overhead included:
// many empty parts must not slip under the bound.
func partCost(p consensus.Part) int { return len(p.ID) + len(p.Bytes) + 64 }

// judgeSize leaves a source that keeps giving a crumb at a time. An honest
// source fills a chunk unless the next part is large, and then that one follows.
func (f *fetcher) judgeSize(src *source, short bool) {
	if !short {
		src.short = 0
		return
	}
	if src.short++; src.short >= f.cfg.ShortAnswers {
		f.leave(src, scoreStall)
	}
}

// OnStaged takes the host's answer to RestoreBegin or RestorePut.
func (f *fetcher) OnStaged(s consensus.Staged) Decision {
	var d Decision
	kind := begun
	if s.Put {
		kind = put
	}
	e, ok := f.settle(kind)
	if !ok || !f.active || e.turn != f.turn {
		return d
	}
	if s.Put {
		f.onPut(&d, e, s)
	} else {
		f.onBegun(s)
	}
	if s.More {
		f.again = true
	}
	for _, it := range s.Missing {
		f.want(it)
	}
	f.pump(&d)
	return d
}

// settle removes the first owed answer of kind, and whatever the host skipped before it.
func (f *fetcher) settle(kind jobKind) (expected, bool) {
	for i, e := range f.expected {
		if e.kind != kind {
			continue
		}
		for _, skipped := range f.expected[:i+1] {
			f.handed -= skipped.bytes
		}
		f.expected = append([]expected(nil), f.expected[i+1:]...)
		return e, true
	}
	return expected{}, false
}

// onBegun notices a host that says "more" for ever and lists nothing.
func (f *fetcher) onBegun(s consensus.Staged) {
	if len(s.Missing) > 0 || !s.More {
		f.fruit.listless = 0
		return
	}
	f.fruit.listless++
}

// onPut settles the items of one RestorePut: staged, bad, or neither, in which
// case the host lists them again if it still needs them.
func (f *fetcher) onPut(d *Decision, e expected, s consensus.Staged) {
	bad := make(map[string]bool, len(s.Bad))
	for _, it := range s.Bad {
		bad[it.ID] = true
	}
	settled := len(s.Done)
	for _, it := range e.items {
		if bad[it.ID] {
			f.wanted.push(it)
			settled++
			continue
		}
		delete(f.known, it.ID)
	}
	if settled < len(e.items) {
		f.again = true
	}
	if len(s.Done) > 0 {
		f.progress.Staged += len(s.Done)
		f.progress.Bytes += e.bytes
		f.fruit = fruit{}
		if len(s.Bad) == 0 {
			f.pool.rounds = 0
		}
	}
	if len(bad) == 0 {
		return
	}
	d.Bad = append(d.Bad, e.from)
	if src := f.pool.find(e.from); src != nil {
		f.leave(src, scoreBad)
	}
}

// want notes a missing item. If there is no room, the host lists it again later.
func (f *fetcher) want(it consensus.Item) {
	if f.known[it.ID] {
		return
	}
	if f.wanted.len() >= f.cfg.WantedItems || f.wanted.bytes >= f.cfg.WantedBytes {
		f.again = true
		return
	}
	f.known[it.ID] = true
	f.wanted.push(it)
}

// OnRestored takes the host's answer to RestoreEnd.
func (f *fetcher) OnRestored(r consensus.Restored) Decision {
	var d Decision
	e, ok := f.settle(ended)
	if !ok || !f.active || e.turn != f.turn {
		return d
	}
	if r.OK && r.Seq == f.target.Seq && r.Root == f.target.Root {
		f.stop()
		d.Finished = true
		return d
	}
	if f.fruit.ends++; f.fruit.ends >= f.cfg.EndFailures {
		f.stop()
		d.Failed = true
		d.Jobs = append(d.Jobs, consensus.RestoreAbort{})
		return d
	}
	f.begin(&d)
	return d
}

// owes reports whether an answer of kind for the current target is to come.
func (f *fetcher) owes(kind jobKind) bool {
	for _, e := range f.expected {
		if e.kind == kind && e.turn == f.turn {
			return true
		}
	}
	return false
}
