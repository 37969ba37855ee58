package pbft

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// primaryProfiles are told by the primary of a view.
func primaryProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "equivocate", Aliases: []string{"equivocation"}, Group: "P-EQUIV", AtF: byzantine.SafeLive, AtF1: byzantine.MayFork,
			Sentence: "as primary, proposes another batch for the same slot to the second half of the others, or to those in to=",
			Params:   byzantine.How("stamp, order, subset, empty, body (the same digest over another body), any", "stamp", "what differs"),
			Needs:    byzantine.Primary, Drawn: []string{"", "order", "subset", "empty", "body", "any"}, Intercept: stateful(equivocate),
		},
		{
			Name: "select", Group: "P-SELECT", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "as primary, sends its proposals to all but the last of the others, or to all but those in to=",
			Params:   []byzantine.Param{{Name: "out", Default: "1", Help: "how many replicas get none"}},
			Needs:    byzantine.Primary, Drawn: []string{"", "2"}, Intercept: stateful(selectSome),
		},
		{
			Name: "slow-primary", Group: "P-SLOW", AtF: byzantine.SafeLive, AtF1: byzantine.SafeSlow,
			Sentence: "as primary, holds each proposal back for a little less than the honest replicas wait, until they leave it",
			Params:   []byzantine.Param{{Name: "wait", Default: "80%", Help: "a duration, or a share of the honest replicas' patience"}},
			Needs:    byzantine.Primary, Drawn: []string{"", "50%", "99%"}, Intercept: stateful(slowPrimary),
		},
		{
			Name: "starve", Group: "P-CENSOR", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "proposes no request of a client, and votes for no batch that contains one",
			Params: []byzantine.Param{
				{Name: "client", Default: "first", Help: "numbers in the genesis, digits of keys, all, or first: the client of the first request"},
				{Name: "votes", Default: "no", Help: "yes: still votes for batches with the client's requests"},
			},
			Needs: byzantine.Primary, Drawn: []string{"", "first votes=yes", "all"}, Intercept: stateful(starve),
		},
		{
			Name: "bad-batch", Group: "P-BADBATCH", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "as primary, proposes batches that no honest replica may accept, or that contain nothing new",
			Params:   byzantine.How("signature, altered, malformed, duplicate, digest, twice, stranger, replay, empty, any", "any", "what is wrong"),
			Needs:    byzantine.Primary, Drawn: []string{""}, Intercept: eachStepHow(append([]string{"any"}, badBatches...), badBatch),
		},
		{
			Name: "seq-jump", Group: "P-SEQ-JUMP", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "as primary, gives its batches the wrong sequence numbers",
			Params:   byzantine.How("gap, far (beyond the window), huge (2^63), reuse, any", "gap", "which"),
			Needs:    byzantine.Primary, Drawn: []string{"", "far", "huge", "reuse", "any"}, Intercept: eachStepHow(append([]string{"any"}, jumps...), seqJump),
		},
		{
			Name: "old-view", Group: "P-OLDVIEW", AtF: byzantine.SafeLive, AtF1: byzantine.SafeLive,
			Sentence: "proposes in past views, in future ones, and in another replica's",
			Needs:    byzantine.Primary, Intercept: eachStep(oldView),
		},
		{
			Name: "false-stamp", Group: "P-TIME", AtF: byzantine.SafeLive, AtF1: byzantine.MayStop,
			Sentence: "as primary, puts a wrong timestamp on its batches",
			Params:   append(byzantine.How("ahead, behind, still (the same each time)", "ahead", "which"), byzantine.Param{Name: "by", Default: "1h", Help: "how far"}),
			Needs:    byzantine.Primary, Drawn: []string{"", "behind", "still", "ahead by=3s"}, Intercept: stateful(falseStamp),
		},
		{
			Name: "unfair-order", Group: "P-REORDER", AtF: byzantine.SafeLive, AtF1: byzantine.SafeLive,
			Sentence: "as primary, proposes the latest request first",
			Needs:    byzantine.Primary, Intercept: stateful(unfairOrder),
		},
	}
}

var rivals = []string{"stamp", "order", "subset", "empty", "body"}

// equivocate proposes to half of the victims, or to all that are named, another
// batch for the same slot. With "body" both get the same signature, over a
// digest that only the first batch has.
func equivocate(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", append([]string{"any"}, rivals...)...)
	named := s.To != nil
	l.act = func(t *step) {
		alterOwn(t, func(to consensus.ReplicaID, p *message.PrePrepare) ([][]byte, bool) {
			if !named && !t.misled(to) {
				return nil, false
			}
			if how := byzantine.InTurn(how, rivals, uint64(p.Seq)); how != "body" {
				return [][]byte{t.proposal(p.View, p.Seq, byzantine.RivalBatch(p.Batch, how)).Frame}, true
			}
			return [][]byte{message.Reframe(p.Vote, byzantine.RivalBatch(p.Batch, "stamp")).Frame}, true
		}, message.PrePrepareKind)
	}
	return err
}

// selectSome proposes to a subset: the others learn of it from their peers.
func selectSome(l *lie, s *byzantine.Spec) error {
	out, err := s.Number("", 1, consensus.MaxReplicas)
	named := s.To != nil
	l.act = func(t *step) {
		t.drop(func(to consensus.ReplicaID, frame []byte) bool {
			left := named || slices.Index(t.Victims, to) >= len(t.Victims)-out
			return left && own[message.PrePrepare](t, frame) != nil
		}, message.PrePrepareKind)
	}
	return err
}

// slowPrimary holds each proposal back for a while.
func slowPrimary(l *lie, s *byzantine.Spec) error {
	wait, err := s.Wait(l.env, "")
	var held byzantine.Holdback
	l.act = func(t *step) {
		var proposals, rest []byzantine.Outbound
		for _, m := range t.Messages {
			if own[message.PrePrepare](t, m.Bytes) != nil {
				proposals = append(proposals, m)
			} else {
				rest = append(rest, m)
			}
		}
		t.lies += len(proposals)
		t.Messages = append(rest, held.Hold(t.burst, proposals, wait)...)
	}
	l.release = held.Release
	return err
}

// starve never hears the requests of some clients, so that it proposes none of
// them, and keeps its votes from batches that hold one.
func starve(l *lie, s *byzantine.Spec) error {
	whom, err := censored(l, s)
	if err != nil {
		return err
	}
	votes, err := s.Word("votes", "yes", "no")
	l.incoming = func(b *consensus.Burst, _ int) int {
		before := len(b.Events)
		b.Events = slices.DeleteFunc(slices.Clone(b.Events), func(e consensus.Event) bool {
			q, submits := e.(consensus.Submit)
			return submits && whom(q.Request.Client)
		})
		return before - len(b.Events)
	}
	l.act = func(t *step) {
		if votes == "yes" {
			return
		}
		t.drop(func(_ consensus.ReplicaID, frame []byte) bool {
			v := own[message.Vote](t, frame)
			if v == nil {
				return false
			}
			p := t.proposals[v.Seq]
			return p != nil && p.Digest == v.Digest && slices.ContainsFunc(p.batch.Requests, func(q *consensus.Request) bool { return whom(q.Client) })
		}, message.PrepareKind, message.CommitKind)
	}
	return err
}

// censored says which clients are meant: "first" is the one of the first request.
func censored(l *lie, s *byzantine.Spec) (func(crypto.PublicKey) bool, error) {
	if s.Main != "first" {
		return s.Clients(l.env, "")
	}
	var first *crypto.PublicKey
	return func(k crypto.PublicKey) bool {
		if first == nil {
			first = &k
		}
		return *first == k
	}, nil
}

// badBatch proposes what no honest replica may accept.
func badBatch(t *step, how string) {
	alterOwn(t, func(_ consensus.ReplicaID, p *message.PrePrepare) ([][]byte, bool) {
		bad := t.badProposal(p, byzantine.InTurn(how, badBatches, uint64(p.Seq)))
		return [][]byte{bad}, bad != nil
	}, message.PrePrepareKind)
}

var jumps = []string{"gap", "far", "huge", "reuse"}

// seqJump gives its batches sequence numbers that are not their turn.
func seqJump(t *step, how string) {
	alterOwn(t, func(_ consensus.ReplicaID, p *message.PrePrepare) ([][]byte, bool) {
		switch byzantine.InTurn(how, jumps, uint64(p.View)) {
		case "gap":
			return [][]byte{t.proposal(p.View, p.Seq+1, p.Batch).Frame}, true
		case "far":
			return [][]byte{t.proposal(p.View, p.Seq+3*t.Rules.Genesis.Window, p.Batch).Frame}, true
		case "huge":
			return [][]byte{t.proposal(p.View, 1<<63+p.Seq, p.Batch).Frame}, true
		}
		if p.Seq == 1 {
			return nil, false
		}
		return [][]byte{p.Frame, t.proposal(p.View, p.Seq-1, p.Batch).Frame}, true
	}, message.PrePrepareKind)
}

// oldView proposes in views that are over, or not its own, a few times in the
// patience of the honest.
func oldView(t *step) {
	if !t.Act || !t.every(t.env.Patience/4, t.burst) || len(t.requests) == 0 {
		return
	}
	b := &consensus.Batch{Stamp: t.now, Requests: t.requests[len(t.requests)-1:]}
	n := consensus.View(len(t.Rules.Genesis.Replicas))
	at := t.next()
	if !t.leads() { // in the name of itself, in the view of another
		v := t.vote(message.Vote{Kind: message.PrePrepareKind, View: t.view, Seq: at, Digest: b.Digest(), Replica: t.self})
		t.sayAll(message.Reframe(v, b).Frame)
	}
	own := t.view - t.view%n + consensus.View(t.self)
	if own < t.view {
		t.sayAll(t.proposal(own, at, b).Frame)
	} else if own >= n {
		t.sayAll(t.proposal(own-n, at, b).Frame)
	}
	t.sayAll(t.proposal(own+2*n, at, b).Frame)
}

// falseStamp gives its batches a time that is not the time.
func falseStamp(l *lie, s *byzantine.Spec) error {
	how, err := s.Word("", "ahead", "behind", "still")
	if err != nil {
		return err
	}
	by, err := s.Duration("by")
	if err != nil {
		return err
	}
	first := map[consensus.View]consensus.Time{}
	l.act = func(t *step) {
		alterOwn(t, func(_ consensus.ReplicaID, p *message.PrePrepare) ([][]byte, bool) {
			b := &consensus.Batch{Stamp: p.Batch.Stamp, Requests: p.Batch.Requests}
			switch how {
			case "ahead":
				b.Stamp += by
			case "behind":
				b.Stamp = max(0, b.Stamp-by)
			case "still":
				if _, known := first[p.View]; !known {
					clear(first)
					first[p.View] = b.Stamp
				}
				b.Stamp = first[p.View]
			}
			return [][]byte{t.proposal(p.View, p.Seq, b).Frame}, b.Stamp != p.Batch.Stamp
		}, message.PrePrepareKind)
	}
	return nil
}

const maxUnfair = 512 // requests

// unfairOrder hears the latest request first: it keeps what comes until the
// next tick and turns it round.
func unfairOrder(l *lie, _ *byzantine.Spec) error {
	var held []consensus.Event
	l.incoming = func(b *consensus.Burst, ticks int) int {
		var rest []consensus.Event
		for _, e := range b.Events {
			if _, submits := e.(consensus.Submit); submits && len(held) < maxUnfair {
				held = append(held, e)
			} else {
				rest = append(rest, e)
			}
		}
		b.Events = rest
		if ticks == 0 || len(held) == 0 {
			return 0
		}
		slices.Reverse(held)
		b.Events = append(rest, held...)
		turned := len(held) - 1
		held = nil
		return turned
	}
	return nil
}
