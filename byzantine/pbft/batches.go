package pbft

import (
	"bytes"
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// badBatches are the ways in which a batch can be wrong, in the order in which
// "any" goes through them.
var badBatches = []string{"signature", "altered", "malformed", "duplicate", "digest", "twice", "stranger", "replay", "empty"}

// badProposal is the proposal p with something wrong in it; nil if that cannot
// be done with what is known.
func (s *seen) badProposal(p *message.PrePrepare, how string) []byte {
	b := &consensus.Batch{Stamp: p.Batch.Stamp, Requests: slices.Clone(p.Batch.Requests)}
	if len(b.Requests) == 0 {
		return nil
	}
	last := len(b.Requests) - 1
	switch how {
	case "signature":
		b.Requests[last] = tamper(b.Requests[last], len(b.Requests[last].Raw)-1)
	case "altered":
		b.Requests[last] = tamper(b.Requests[last], len(b.Requests[last].Raw)-crypto.SignatureSize-1)
	case "malformed":
		return append(bytes.Clone(p.Frame), 0)
	case "duplicate":
		b.Requests = append(b.Requests, b.Requests[0])
	case "digest":
		return message.Reframe(p.Vote, byzantine.RivalBatch(p.Batch, "stamp")).Frame
	case "twice":
		before := s.proposals[p.Seq-1]
		if before == nil || before.View != p.View || len(before.batch.Requests) == 0 {
			return nil
		}
		b.Requests = append(b.Requests, before.batch.Requests[0])
	case "stranger":
		seq := consensus.Sequence{Epoch: uint64(s.now), Counter: uint64(p.Seq)}
		b.Requests = append(b.Requests, consensus.SignRequest(s.signer(s.self), s.Rules.Cluster, seq, b.Requests[0].Operations))
	case "replay":
		if len(s.decided) == 0 || s.decided[0].batch == nil || len(s.decided[0].batch.Requests) == 0 {
			return nil
		}
		b.Requests = append(b.Requests, s.decided[0].batch.Requests[0])
	case "empty":
		b.Requests = nil
	}
	if b.Digest() == p.Digest || b.Size() > consensus.MaxFrame-message.VoteSize {
		return nil
	}
	return s.proposal(p.View, p.Seq, b).Frame
}

// tamper flips a bit of a request. Where it does not decode any more it is
// handed back as it was.
func tamper(q *consensus.Request, at int) *consensus.Request {
	raw := bytes.Clone(q.Raw)
	raw[at] ^= 1
	bad, err := consensus.DecodeRequest(raw)
	if err != nil {
		return q
	}
	return bad
}
