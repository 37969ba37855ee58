package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// askBodies asks for the batches without which slots cannot go on. A first
// look only marks the slot: the body is probably on its way.
func (r *replica) askBodies() {
	const most = 16 // slots asked for at a time
	asked := 0
	for _, n := range r.log.numbers() {
		s := r.log.slots[n]
		d, lacks := s.needs()
		if !lacks || asked == most {
			continue
		}
		s.asked++
		if s.asked > 1 {
			r.askBody(s, d, r.peers.other(r.id, s.asked))
			asked++
		}
	}
	opening{r}.ask()
	r.collect()
}

func (r *replica) askBody(s *slot, d crypto.Digest, whom consensus.ReplicaID) {
	if whom == r.id {
		return
	}
	f := message.Fetch{What: message.WhatBatch, Seq: s.seq, Digest: d}
	r.out.SendEarly(consensus.ReplicaPeer(whom), consensus.Votes, f.Encode())
}

// askFrom asks for the body of a chosen batch: the primary, which if correct had
// it on disk before it opened the view, and some who prepared it.
func (r *replica) askFrom(s *slot, prepared *message.Certificate) {
	s.asked = 1
	r.askBody(s, prepared.Digest, r.view.primary())
	for i, sg := range prepared.Signed {
		if i <= r.rules.System.Faults() && sg.Replica != r.view.primary() {
			r.askBody(s, prepared.Digest, sg.Replica)
		}
	}
}

// onFetch answers what proves itself, to members and admitted observers, as
// far as the asker's allowance goes.
func (r *replica) onFetch(from consensus.Peer, f *message.Fetch) {
	if f.What == message.WhatParts {
		r.state.OnFetch(from, f.Seq, f.Digest, f.Items)
		return
	}
	h := helping{r, from}
	if !h.ready() {
		r.ignoredFrom(reasonBudget, from.Replica)
		return
	}
	switch f.What {
	case message.WhatBatch:
		if b := r.log.body(f.Seq, f.Digest); b != nil {
			g := message.FetchReply{What: f.What, Seq: f.Seq, Digest: f.Digest, Batch: b}
			h.give(consensus.Bodies, g.Encode())
		}
	case message.WhatCommitted:
		if c, b, ok := r.log.decided(f.Seq); ok {
			g := message.FetchReply{What: f.What, Seq: f.Seq, Digest: c.Digest, Batch: b, Certificate: c}
			h.give(consensus.Bodies, g.Encode())
		}
	case message.WhatCheckpoint:
		if c := r.checkpoints.Known(f.Seq); c != nil {
			g := message.FetchReply{What: f.What, Seq: c.Seq, Digest: c.Digest, Certificate: c}
			h.give(consensus.Votes, g.Encode())
		}
	case message.WhatView:
		if nv := r.view.newView; nv != nil && uint64(nv.View) >= uint64(f.Seq) {
			h.give(consensus.Bodies, nv.Frame)
		}
	}
}

// onFetchReply takes an answer. It proved itself in Open; whether it is wanted is
// decided here.
func (r *replica) onFetchReply(from consensus.Peer, g *message.FetchReply) {
	switch g.What {
	case message.WhatBatch:
		r.onBody(from, g)
	case message.WhatCommitted:
		r.onCommitted(from, g)
	case message.WhatCheckpoint:
		r.adopt(g.Certificate)
	case message.WhatParts:
		r.moved(r.state.OnParts(from.Replica, g.Seq, g.Digest, g.Parts, g.Gone))
	}
}

// onBody takes the batch that a slot lacks.
func (r *replica) onBody(from consensus.Peer, g *message.FetchReply) {
	if (opening{r}).take(g) {
		return
	}
	s := r.log.slots[g.Seq]
	if s == nil {
		r.ignoredFrom(reasonUnasked, from.Replica)
		return
	}
	if d, lacks := s.needs(); !lacks || d != g.Digest {
		r.ignoredFrom(reasonUnasked, from.Replica)
		return
	}
	s.keep(g.Digest, g.Batch)
	if p := s.proposal; p != nil && p.Digest == g.Digest && !r.view.changing {
		r.requests.Stands(g.Batch)
		r.accept(s, message.Reframe(*p, g.Batch).Frame)
		return
	}
	switch {
	case s.committed != nil:
		r.recordCommitted(s, g.Batch)
	case s.proposal != nil:
		// Between views: the next one may choose it again and find it here, so
		// it goes to disk before a vote for it does.
		r.out.RecordLazy(s.seq, message.Reframe(*s.proposal, g.Batch).Frame)
	}
	r.advance(s)
}

// recordCommitted keeps a slot's certificate and batch together in the log.
func (r *replica) recordCommitted(s *slot, b *consensus.Batch) {
	g := message.FetchReply{What: message.WhatCommitted, Seq: s.seq, Digest: s.committed.Digest, Batch: b, Certificate: s.committed}
	r.out.RecordLazy(s.seq, g.Encode())
}

// onCommitted takes a slot with its proof. One that contradicts what was
// executed here is a fork.
func (r *replica) onCommitted(from consensus.Peer, g *message.FetchReply) {
	if r.forked(g.Certificate) {
		return
	}
	if g.Seq <= r.exec.handed || !r.inReach(g.Seq) {
		r.ignoredFrom(reasonUnasked, from.Replica)
		return
	}
	s := r.log.slot(g.Seq)
	if s.committed != nil {
		if _, here := s.body(g.Digest); here {
			r.ignoredFrom(reasonRepeated, from.Replica)
			return
		}
	} else {
		r.log.commits(s, g.Certificate)
		r.out.Note(consensus.Note{Kind: consensus.Committed, View: g.Certificate.View, Seq: g.Seq, Digest: g.Digest})
	}
	if g.Batch != nil {
		s.keep(g.Digest, g.Batch)
	}
	r.recordCommitted(s, g.Batch)
	r.execute()
}
