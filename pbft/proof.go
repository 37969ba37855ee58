package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// proof is the part that verifies votes. One that its author's own channel brings
// counts at once, and is verified when it is needed: those that complete a quorum
// together, as one batch, and what is more than a quorum never. Nobody is shown a
// certificate, and no COMMIT is cast, but on verified signatures (PROTOCOL.md §2).
type proof struct{ *replica }

// preparedCertificate is complete with the proposal, q-1 matching PREPAREs and
// the body (§4.2); nil if something lacks.
func (r proof) preparedCertificate(s *slot) *message.Certificate {
	p, q := s.proposal, r.rules.System.Quorum()
	if p == nil {
		return nil
	}
	if _, here := s.body(p.Digest); !here || !r.proven(&s.prepares, p.Digest, q-1) {
		return nil
	}
	return &message.Certificate{
		Kind: message.PreparedCertificate, View: p.View, Seq: s.seq, Digest: p.Digest,
		Signed: s.prepares.signed(p.Digest, q, p),
	}
}

// committedCertificate is complete with q matching COMMITs, whether or not the
// slot prepared here: the COMMITs prove it.
func (r proof) committedCertificate(s *slot) *message.Certificate {
	q := r.rules.System.Quorum()
	d, ok := s.commits.majority(q)
	if !ok || !r.proven(&s.commits, d, q) {
		return nil
	}
	return &message.Certificate{
		Kind: message.CommittedCertificate, View: r.view.number, Seq: s.seq, Digest: d,
		Signed: s.commits.signed(d, q, nil),
	}
}

// proven reports whether need votes for d are here whose signatures hold. It
// verifies as many as lack to that, together.
func (r proof) proven(b *ballot, d crypto.Digest, need int) bool {
	for b.count(d) >= need {
		open := b.open(d, need)
		if len(open) == 0 {
			return true
		}
		r.verify(b, open)
	}
	return false
}

// open lists the first votes for d whose signatures are to be verified before
// need of them are proven.
func (b *ballot) open(d crypto.Digest, need int) (open []*message.Vote) {
	for id, v := range b.votes {
		switch {
		case v == nil || v.Digest != d:
		case b.said[id]:
			open = append(open, v)
		default:
			need--
		}
	}
	return open[:min(len(open), max(need, 0))]
}

// verify verifies votes of b as one batch. Who signed badly has not voted.
func (r proof) verify(b *ballot, votes []*message.Vote) {
	claims := make([]crypto.Claim, len(votes))
	for i, v := range votes {
		claims[i] = r.rules.Claim(v)
	}
	for i, holds := range r.cfg.Verify.Verify(claims) {
		id := votes[i].Replica
		b.said[id] = false
		if !holds {
			b.votes[id] = nil
			r.distrust(votes[i])
		}
	}
}

// holds verifies one vote, before it is held against its author.
func (r proof) holds(v *message.Vote) bool {
	if r.cfg.Verify.Verify([]crypto.Claim{r.rules.Claim(v)})[0] {
		return true
	}
	r.distrust(v)
	return false
}

// distrust charges a bad signature to its author, whose channel brought it.
// Nothing of that replica counts unverified any more, so that it spoils one
// batch and no second one.
func (r proof) distrust(v *message.Vote) {
	r.ignored(message.ReasonSignature, v)
	r.peers[v.Replica].liar = true
	for _, s := range r.log.slots {
		for _, b := range []*ballot{&s.prepares, &s.commits} {
			if b.said[v.Replica] {
				b.votes[v.Replica], b.said[v.Replica] = nil, false
			}
		}
	}
}

// onSaid counts a vote before its signature is verified.
func (r proof) onSaid(e consensus.Receive, m *message.Said) {
	if r.peers[m.Replica].liar {
		r.ignored(message.ReasonSignature, &m.Vote)
		return
	}
	r.vote(e, &m.Vote, true)
}
