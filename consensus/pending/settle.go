package pending

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ordered holds the batches that were handed to the host and that it has not
// executed yet: what they ask for is decided, and nobody knows yet whether it
// will be executed or refused. Engines hand out no more than a window of them.
type ordered struct {
	batches []orderedBatch // by slot
	of      map[Key]int    // in how many of them a request stands
}

type orderedBatch struct {
	seq      consensus.Seq
	requests []*consensus.Request
}

func newOrdered() ordered { return ordered{of: map[Key]int{}} }

// cut drops the batches in slots for which gone holds, and returns the
// requests of the slot seq.
func (o *ordered) cut(seq consensus.Seq, gone func(consensus.Seq) bool) (requests []*consensus.Request) {
	kept := o.batches[:0]
	for _, b := range o.batches {
		if !gone(b.seq) {
			kept = append(kept, b)
			continue
		}
		if b.seq == seq {
			requests = b.requests
		}
		for _, q := range b.requests {
			if k := KeyOf(q); o.of[k] > 1 {
				o.of[k]--
			} else {
				delete(o.of, k)
			}
		}
	}
	clear(o.batches[len(kept):])
	o.batches = kept
	return requests
}

// verdict is how execution refused a request, and when.
type verdict struct {
	refusal consensus.Refusal
	tick    int
}

// maxRefused bounds the refusals that are remembered.
const maxRefused = 4096

// times is what execution said together with a refusal that is repeated.
func (p *Pool) times(q *consensus.Request, code consensus.RefusalCode) (t consensus.Times) {
	if v, known := p.refused[q.Digest]; known && v.refusal.Code == code {
		t = v.refusal.Times
	}
	return t
}

// standingOf says whether a request is to be ordered, as far as is known here.
func (p *Pool) standingOf(q *consensus.Request) standing {
	if p.ordered.of[KeyOf(q)] > 0 {
		return done
	}
	return p.recent.standing(q)
}

// Ordered settles what was handed to the host as slot seq: it waits no longer,
// whatever its digest was. It answers how long one of them had waited here at
// most. After a restore that came to nothing slots are handed out again.
func (p *Pool) Ordered(seq consensus.Seq, b *consensus.Batch) (longest int) {
	p.ordered.cut(seq, func(n consensus.Seq) bool { return n >= seq })
	if b == nil {
		return 0
	}
	longest = p.account(b)
	for _, q := range b.Requests {
		k := KeyOf(q)
		delete(p.standing, k)
		p.Remove(k)
		p.ordered.of[k]++
	}
	p.ordered.batches = append(p.ordered.batches, orderedBatch{seq, b.Requests})
	return longest
}

// Executed remembers what was executed of the batch at a slot, and nothing of
// what was refused but the answer, for as long as answers are not repeated.
func (p *Pool) Executed(e consensus.Executed, tick int) {
	requests := p.ordered.cut(e.Seq, func(n consensus.Seq) bool { return n <= e.Seq })
	refused := map[crypto.Digest]bool{}
	if e.Refused != nil {
		for _, r := range *e.Refused {
			refused[r.Request] = true
			p.refuse(r, tick)
		}
	}
	for _, q := range requests {
		if !refused[q.Digest] {
			p.recent.executed(q)
		}
	}
}

// refuse remembers a refusal, to repeat it.
func (p *Pool) refuse(r consensus.Refusal, tick int) {
	if p.refused == nil || len(p.refused) >= maxRefused {
		p.refused = map[crypto.Digest]verdict{}
	}
	p.refused[r.Request] = verdict{r, tick}
}

// Unsettled: the session table knows nothing of a request that seemed to be
// done, because the session was dropped since. What is remembered of its client
// is out of date, and the request is to be ordered.
func (p *Pool) Unsettled(q *consensus.Request, tick int) {
	if p.ordered.of[KeyOf(q)] > 0 || p.recent.standing(q) != done {
		return
	}
	p.recent.drop(q.Client)
	if lane := p.ClientLane(); p.find(KeyOf(q)) == nil && !p.full(lane, q) {
		p.add(q, lane, tick)
	}
}

// Restored: the state is another now, and has gone past executions that nobody
// tells here. What was remembered of them is out of date, and what waits may be
// executed: the session table is to be asked again.
func (p *Pool) Restored() {
	p.recent, p.ordered, p.refused = newRecent(), newOrdered(), nil
	for e := range p.byAge() {
		e.Asked = -1
	}
}
