package pbft

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/viewchange"
)

// forkProfiles need a coalition of f+1.
func forkProfiles() []byzantine.Profile {
	return []byzantine.Profile{
		{
			Name: "fork", Group: "P-EQUIV", AtF: byzantine.SafeLive, AtF1: byzantine.Forks,
			Sentence: "with its coalition and within one view, decides one batch with half of the honest replicas and another with the other half",
			Needs:    byzantine.Primary, Intercept: stateful(forkView),
		},
		{
			Name: "fork-views", Group: "VC-HIDE", AtF: byzantine.SafeLive, AtF1: byzantine.MayFork,
			Sentence: "decides a batch with half of the honest replicas, hides it in the view change, and decides another with the other half",
			Params:   []byzantine.Param{{Name: "wait", Default: "5%", Help: "between the decision and the view change: a share of the honest replicas' patience"}},
			Needs:    byzantine.ViewChange, Drawn: []string{"", "50%"}, Intercept: stateful(forkAcross),
		},
	}
}

// The plans of a coalition rest on nothing but what all its members know: who
// belongs to it, and the numbers of the replicas. The honest fall into two
// halves; f+1 traitors and either half are a quorum.

// otherHalf is the half of the honest that gets the other version.
func (s *seen) otherHalf() []consensus.ReplicaID {
	honest := s.honest()
	return honest[len(honest)/2:]
}

// nextOurs is the first view above v whose primary belongs to the coalition.
func (s *seen) nextOurs(v consensus.View) consensus.View {
	for v++; !s.holds(s.Rules.System.Primary(v)); v++ {
	}
	return v
}

// backups are the members of the coalition that are not the primary of v.
func (s *seen) backups(v consensus.View) []consensus.ReplicaID {
	return slices.DeleteFunc(s.coalition(), func(id consensus.ReplicaID) bool { return id == s.Rules.System.Primary(v) })
}

// bundle is all that a replica needs of a coalition to decide b in slot n, if its
// own half agrees: proposal, PREPAREs and COMMITs of all members.
func (s *seen) bundle(v consensus.View, n consensus.Seq, b *consensus.Batch) [][]byte {
	d := b.Digest()
	frames := [][]byte{s.proposal(v, n, b).Frame}
	frames = append(frames, s.votesOf(message.PrepareKind, v, n, d, s.backups(v))...)
	return append(frames, s.votesOf(message.CommitKind, v, n, d, s.coalition())...)
}

// forkView is the plan for one view: its primary proposes one batch to
// one half and the rival to the other, and all vote for both. If the primary is
// none of theirs, they ask for a view in which it is. The rival is empty, so that
// one half lacks what the other has acknowledged.
func forkView(l *lie, _ *byzantine.Spec) error {
	split := consensus.Seq(0) // the first slot in which the other half got another version
	l.act = func(t *step) {
		other := t.otherHalf()
		ours := func(v consensus.View) bool { return t.holds(t.Rules.System.Primary(v)) }
		for _, d := range t.fresh {
			if split == 0 && ours(d.view) {
				split = d.seq
			}
		}
		t.drop(func(to consensus.ReplicaID, frame []byte) bool {
			v := own[message.Vote](t, frame)
			switch {
			case !slices.Contains(other, to):
				return false
			case v == nil || v.Kind == message.CheckpointKind:
				return split > 0 && (v == nil || v.Seq >= split)
			}
			return ours(v.View) && !t.chosen(v.View, v.Seq)
		}, message.PrepareKind, message.CommitKind, message.CheckpointKind, message.FetchReplyKind)
		alterOwn(t, func(to consensus.ReplicaID, p *message.PrePrepare) ([][]byte, bool) {
			if !slices.Contains(other, to) {
				return nil, false
			}
			return t.bundle(p.View, p.Seq, byzantine.RivalBatch(p.Batch, "empty")), true
		}, message.PrePrepareKind)
		if t.Act && !t.changing && !ours(t.view) && (t.began || t.every(t.env.Patience, t.burst)) {
			t.sayAll(t.leave(t.nextOurs(t.view), t.self, t.stable).Frame)
		}
	}
	return nil
}

// forkViews is the plan across two views: one half decides in a view,
// and the other never hears that the coalition voted there. Then the members ask
// for a view of theirs, hide what prepared, open that view on the VIEW-CHANGEs
// of the other half, and decide something else with it.
type forkViews struct {
	wait byzantine.Wait
	aim  decision              // decided with the first half
	base *message.Certificate  // stable then
	goal consensus.View        // of the VIEW-CHANGEs that hide it; 0 = not yet decided
	due  byzantine.Wait        // tick and time from which on they are sent
	sent []*message.ViewChange // of all members
	done bool
}

func forkAcross(l *lie, s *byzantine.Spec) error {
	wait, err := s.Wait(l.env, "")
	p := &forkViews{wait: wait}
	l.act = p.tell
	return err
}

func (p *forkViews) tell(t *step) {
	other := t.otherHalf()
	t.drop(func(to consensus.ReplicaID, frame []byte) bool {
		v := own[message.Vote](t, frame)
		own := v != nil || own[message.PrePrepare](t, frame) != nil || isKind(frame, []message.Kind{message.FetchReplyKind})
		return own && (slices.Contains(other, to) || v != nil && v.Kind == message.CheckpointKind && !t.holds(to))
	}, message.PrePrepareKind, message.PrepareKind, message.CommitKind, message.CheckpointKind, message.FetchReplyKind)
	p.plan(t)
	if p.goal == 0 {
		return
	}
	t.drop(func(_ consensus.ReplicaID, frame []byte) bool {
		vc, nv := own[message.ViewChange](t, frame), own[message.NewView](t, frame)
		return vc != nil && vc.View <= p.goal || nv != nil && nv.View <= p.goal
	}, message.ViewChangeKind, message.NewViewKind)
	if t.Rules.System.Primary(p.goal) != t.self {
		return
	}
	switch {
	case p.sent == nil && t.tick >= p.due.Ticks && t.now >= p.due.Time:
		for _, id := range t.coalition() {
			vc := t.leave(p.goal, id, p.base)
			p.sent = append(p.sent, vc)
			t.sayAll(vc.Frame)
		}
	case p.sent != nil && !p.done:
		p.open(t, other)
	}
}

// plan sets the goal when something is decided, and a new one when the old one
// is behind.
func (p *forkViews) plan(t *step) {
	if p.goal != 0 && t.view > p.goal {
		*p = forkViews{wait: p.wait}
	}
	for _, d := range t.fresh {
		if p.goal == 0 && !t.changing && d.view == t.view && d.batch != nil {
			p.aim, p.base, p.goal = d, t.stable, t.nextOurs(t.view)
			p.due = byzantine.Wait{Ticks: t.tick + p.wait.Ticks, Time: t.now + p.wait.Time}
		}
	}
}

// open begins the view of the coalition once the whole other half has left for it.
func (p *forkViews) open(t *step, other []consensus.ReplicaID) {
	q := t.Rules.System.Quorum()
	theirs := t.leaving(p.goal, other)
	if len(theirs) < len(other) || len(theirs)+len(p.sent) < q {
		return
	}
	vcs := slices.Concat(p.sent, theirs)[:q]
	slices.SortFunc(vcs, func(a, b *message.ViewChange) int { return int(a.Replica) - int(b.Replica) })
	start := viewchange.Select(t.Rules, vcs)
	if start.Max() >= p.aim.seq {
		return // the other half knows of it
	}
	p.done = true
	t.sayAll(t.newView(p.goal, vcs, start.Min+1, chosenOf(&start)).Frame)
	for n := start.Max() + 1; n <= p.aim.seq; n++ {
		for _, to := range other {
			t.say(to, t.bundle(p.goal, n, p.rivalAt(t, n))...)
		}
	}
}

// rivalAt is another batch than the one decided in slot n.
func (p *forkViews) rivalAt(t *step, n consensus.Seq) *consensus.Batch {
	for _, d := range t.decided {
		if d.seq == n && d.batch != nil {
			return byzantine.RivalBatch(d.batch, "empty")
		}
	}
	return &consensus.Batch{Stamp: t.now}
}
