package transfer

import "quorate.dev/quorate/consensus"

// Tick lets one tick go by: silent sources are left, and after a pause the
// least bad of the left ones are tried again.
func (f *fetcher) Tick() Decision {
	var d Decision
	if !f.active {
		return d
	}
	patience := f.cfg.StallTicks << min(f.pool.rounds, 4)
	for i := range f.pool.all {
		src := &f.pool.all[i]
		if src.asks == 0 {
			continue
		}
		if src.silent++; src.silent >= patience {
			f.leave(src, scoreStall)
		}
	}
	if f.pool.pause > 0 {
		if f.pool.pause--; f.pool.pause == 0 {
			f.pool.revive()
		}
	}
	f.pump(&d)
	return d
}

// leave takes everything back from a source and does not use it again until
// all others have failed, too.
func (f *fetcher) leave(src *source, score int) {
	src.left, src.short, src.silent, src.asks = true, 0, 0, 0
	src.score += score
	kept := f.asks[:0:0]
	for _, a := range f.asks {
		if a.to != src.id {
			kept = append(kept, a)
			continue
		}
		for _, it := range a.items {
			f.wanted.push(it)
		}
	}
	f.asks = kept
}

// pump asks for as much as the bounds allow, and goes to the next phase when
// there is nothing left to ask for.
func (f *fetcher) pump(d *Decision) {
	if !f.active || f.owes(begun) || f.owes(ended) {
		return
	}
	if f.wanted.len() == 0 && len(f.asks) == 0 && !f.owes(put) {
		f.conclude(d)
		return
	}
	for f.wanted.len() > 0 && f.room() {
		src := f.pool.pick(f.cfg.AsksPerSource)
		if src == nil {
			break
		}
		d.Asks = append(d.Asks, f.ask(src))
	}
	if f.pool.usable() == 0 && f.pool.pause == 0 {
		f.pool.rounds++
		f.pool.pause = f.cfg.PauseTicks
		d.NeedTarget = true
	}
}

// room keeps what may have to be held at once within HandedBytes: each ask in
// flight counts as one chunk. A single larger part may exceed it, by a frame
// for each ask.
func (f *fetcher) room() bool {
	return len(f.asks) < f.cfg.Asks && f.handed+len(f.asks)*consensus.ChunkBytes < f.cfg.HandedBytes
}

func (f *fetcher) ask(src *source) Ask {
	// Few items are spread over the sources: they may be large values.
	share := (f.wanted.len() + f.pool.usable() - 1) / f.pool.usable()
	items := f.wanted.pop(min(share, f.cfg.ItemsPerAsk))
	f.asks = append(f.asks, ask{to: src.id, items: items})
	src.asks++
	return Ask{To: src.id, Seq: f.target.Seq, Root: f.target.Root, Items: items}
}

// conclude is reached when everything listed is in place. A host that promises
// more without listing any is taken at its word only so often.
func (f *fetcher) conclude(d *Decision) {
	if f.again && f.fruit.listless < f.cfg.EndFailures {
		f.begin(d)
		return
	}
	f.expected = append(f.expected, expected{kind: ended, turn: f.turn})
	d.Jobs = append(d.Jobs, consensus.RestoreEnd{})
}

// Scores of failures. Silence weighs as much as a lie, and more than no longer
// having what was asked for: by the time a silent source is left, the others no
// longer have it either, and were they all even, the same source would be the
// first in turn for the next target, too. But none is for ever: when
// all others fail, the source with the lowest score is next.
const (
	scoreGone  = 1
	scoreStall = 4
	scoreBad   = 4
)

type source struct {
	id     consensus.ReplicaID
	score  int  // failures, weighed
	asks   int  // in flight
	silent int  // ticks without an answer while something is in flight
	short  int  // crumbs in a row
	left   bool // not in use
}

// sources is the pool of replicas to ask, ordered by id.
type sources struct {
	all    []source
	next   int // where the search for the next source begins, so that equals take turns
	rounds int // times in a row that all had been left
	pause  int // ticks until the least bad are tried again; 0 = no pause
}

// set replaces the sources; those that stay keep their score and get another chance.
func (p *sources) set(ids []consensus.ReplicaID) {
	old := p.all
	p.all, p.pause, p.rounds = nil, 0, 0
	for _, id := range ids {
		if p.find(id) != nil {
			continue
		}
		s := source{id: id}
		for _, o := range old {
			if o.id == id {
				s.score = o.score
			}
		}
		at := 0
		for at < len(p.all) && p.all[at].id < id {
			at++
		}
		p.all = append(p.all[:at:at], append([]source{s}, p.all[at:]...)...)
	}
}

// idle forgets what is in flight.
func (p *sources) idle() {
	for i := range p.all {
		p.all[i].asks, p.all[i].silent, p.all[i].short = 0, 0, 0
	}
}

func (p *sources) find(id consensus.ReplicaID) *source {
	for i := range p.all {
		if p.all[i].id == id {
			return &p.all[i]
		}
	}
	return nil
}

func (p *sources) usable() int {
	n := 0
	for _, s := range p.all {
		if !s.left {
			n++
		}
	}
	return n
}

// pick chooses the usable source with the fewest asks in flight, then the
// lowest score, then the next in turn; nil if all are busy or left.
func (p *sources) pick(limit int) *source {
	var best *source
	for i := range p.all {
		s := &p.all[(p.next+i)%len(p.all)]
		if s.left || s.asks >= limit {
			continue
		}
		if best == nil || s.asks < best.asks || s.asks == best.asks && s.score < best.score {
			best = s
		}
	}
	if best != nil {
		p.next++
	}
	return best
}

// revive gives the sources with the lowest score another chance. Every failure
// raises a score, so each source has its turn sooner or later.
func (p *sources) revive() {
	least := -1
	for _, s := range p.all {
		if s.left && (least < 0 || s.score < least) {
			least = s.score
		}
	}
	for i := range p.all {
		if p.all[i].score == least {
			p.all[i].left = false
		}
	}
}

// stack holds wanted items, last in, first out: a tree is walked depth first,
// which keeps the list short.
type stack struct {
	items []consensus.Item
	bytes int
}

func (s *stack) len() int { return len(s.items) }

func (s *stack) push(it consensus.Item) {
	s.items = append(s.items, it)
	s.bytes += len(it.ID)
}

// pop removes up to n items from the top.
func (s *stack) pop(n int) []consensus.Item {
	cut := len(s.items) - min(n, len(s.items))
	out := append([]consensus.Item(nil), s.items[cut:]...)
	clear(s.items[cut:])
	s.items = s.items[:cut]
	for _, it := range out {
		s.bytes -= len(it.ID)
	}
	return out
}
