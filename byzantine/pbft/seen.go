package pbft

import (
	"math/rand/v2"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// Bounds of what a traitor remembers, each in pieces.
const (
	maxKnown   = 64 // requests, proposals, certificates of each kind
	maxDecided = 16 // decided slots
)

// seen is the adversary's knowledge of PBFT's position, from what its replica
// receives, records and sends. It does not look into the engine. A lie that is
// put on later knows less at first; the next STATUS says in which view it is.
type seen struct {
	*forger
	env  *byzantine.Env
	dice *rand.Rand

	tick     int
	now      consensus.Time
	view     consensus.View
	changing bool
	began    bool // in this step: the current view became active, or the lie begins
	started  bool
	low      consensus.Seq
	executed consensus.Seq

	requests  []*consensus.Request                     // latest last, no two alike
	proposals map[consensus.Seq]*proposal              // the newest known of each slot; looked up only
	slots     []consensus.Seq                          // of proposals, oldest first
	prepared  []*message.Certificate                   // prepared here, oldest first
	decided   []decision                               // executed here, oldest first
	stable    *message.Certificate                     // the highest stable checkpoint
	older     *message.Certificate                     // the one before
	leavers   map[leaving]*message.ViewChange          // VIEW-CHANGEs for views above the current one; looked up only
	opening   *message.NewView                         // of the highest view
	goals     []leaving                                // keys of leavers, oldest first
	fresh     []decision                               // of this step
	asked     map[consensus.ReplicaID][]consensus.Item // parts that each replica asked for last; looked up only
	decoded   map[*byte]any                            // own frames of this step
}

// proposal is a PRE-PREPARE with its batch.
type proposal struct {
	message.Vote
	batch *consensus.Batch
}

// decision is a slot that was executed here.
type decision struct {
	seq         consensus.Seq
	view        consensus.View
	digest      crypto.Digest
	batch       *consensus.Batch
	certificate *message.Certificate
}

type leaving struct {
	view    consensus.View
	replica consensus.ReplicaID
}

func newSeen(e *byzantine.Env, f *forger, purpose string) *seen {
	return &seen{
		forger: f, env: e, dice: e.Rand("lie " + purpose),
		proposals: map[consensus.Seq]*proposal{}, leavers: map[leaving]*message.ViewChange{},
		asked: map[consensus.ReplicaID][]consensus.Item{},
	}
}

// watch learns from one step.
func (s *seen) watch(b *consensus.Burst, m *byzantine.Outbox) {
	s.now, s.began, s.fresh = b.Now, !s.started, nil
	s.decoded = map[*byte]any{}
	s.started = true
	for _, e := range b.Events {
		switch e := e.(type) {
		case consensus.Tick:
			s.tick++
		case consensus.Submit:
			s.learnRequest(e.Request)
		case consensus.Receive:
			if f, fetches := e.Message.(*message.Fetch); fetches {
				s.learnFetch(e.From, f)
			}
			s.learnMessage(e.Message)
		}
	}
	for _, n := range m.Out.Notes {
		s.learnNote(n)
	}
	for _, r := range m.Out.Records {
		s.learnRecord(r.Bytes)
	}
	for _, j := range m.Out.Jobs {
		s.learnJob(j)
	}
	for _, l := range [][]byzantine.Outbound{m.Rest, m.Messages} {
		for i := range l {
			if st, own := s.decode(l[i].Bytes).(*message.Status); own {
				s.learnOwn(st)
			} else {
				s.learnMessage(s.decode(l[i].Bytes))
			}
		}
	}
}

// decode decodes one of the engine's own frames, once in a step.
func (s *seen) decode(frame []byte) any {
	if len(frame) == 0 || frame[0] < consensus.FirstProtocolKind {
		return nil
	}
	m, known := s.decoded[&frame[0]]
	if !known {
		m, _ = s.Rules.Decode(frame)
		s.decoded[&frame[0]] = m
	}
	return m
}

func (s *seen) learnRequest(q *consensus.Request) {
	for _, known := range s.requests {
		if known.Digest == q.Digest {
			return
		}
	}
	s.requests = push(s.requests, q, maxKnown)
}

// push appends and drops the oldest beyond the bound.
func push[T any](list []T, x T, most int) []T {
	if list = append(list, x); len(list) > most {
		list = append([]T(nil), list[len(list)-most:]...)
	}
	return list
}

// learnMessage takes what was received, and what the engine sends.
func (s *seen) learnMessage(m any) {
	switch m := m.(type) {
	case *message.PrePrepare:
		s.learnProposal(m)
	case *message.ViewChange:
		s.learnLeaver(m)
	case *message.NewView:
		if s.opening == nil || m.View > s.opening.View {
			s.opening = m
		}
		for _, vc := range m.ViewChanges {
			s.learnLeaver(vc)
		}
	}
}

func (s *seen) learnProposal(m *message.PrePrepare) {
	if m.Batch == nil {
		return
	}
	for _, q := range m.Batch.Requests {
		s.learnRequest(q)
	}
	p := s.proposals[m.Seq]
	if p != nil && p.View > m.View {
		return
	}
	if p == nil {
		if s.slots = append(s.slots, m.Seq); len(s.slots) > maxKnown {
			delete(s.proposals, s.slots[0])
			s.slots = s.slots[1:]
		}
	}
	s.proposals[m.Seq] = &proposal{Vote: m.Vote, batch: m.Batch}
}

func (s *seen) learnLeaver(vc *message.ViewChange) {
	k := leaving{vc.View, vc.Replica}
	if s.leavers[k] != nil || vc.View < s.view {
		return
	}
	if s.goals = append(s.goals, k); len(s.goals) > 4*maxKnown {
		delete(s.leavers, s.goals[0])
		s.goals = s.goals[1:]
	}
	s.leavers[k] = vc
}

// leaving lists the VIEW-CHANGEs for v of ids, in their order.
func (s *seen) leaving(v consensus.View, ids []consensus.ReplicaID) []*message.ViewChange {
	var vcs []*message.ViewChange
	for _, id := range ids {
		if vc := s.leavers[leaving{v, id}]; vc != nil {
			vcs = append(vcs, vc)
		}
	}
	return vcs
}

// chosen reports whether slot n was proposed again by the NEW-VIEW of v.
func (s *seen) chosen(v consensus.View, n consensus.Seq) bool {
	if s.opening == nil || s.opening.View != v || len(s.opening.Proposals) == 0 {
		return false
	}
	ps := s.opening.Proposals
	return n >= ps[0].Seq && n <= ps[len(ps)-1].Seq
}

func (s *seen) learnNote(n consensus.Note) {
	switch n.Kind {
	case consensus.EnteredView, consensus.Restarted:
		s.began = s.began || n.View != s.view || s.changing
		s.view, s.changing = n.View, false
	case consensus.LeftView:
		s.view, s.changing, s.began = n.View, true, false
	}
}

// learnRecord takes the certificates that the engine writes into its log.
func (s *seen) learnRecord(b []byte) {
	if len(b) == 0 || b[0] > byte(message.CheckpointCertificate) {
		return
	}
	c, err := s.Rules.DecodeCertificate(b, message.CertificateKind(b[0]))
	switch {
	case err != nil:
	case c.Kind == message.PreparedCertificate:
		s.prepared = push(s.prepared, c, maxKnown)
	case c.Kind == message.CheckpointCertificate && c.Seq > s.low:
		s.low, s.older, s.stable = c.Seq, s.stable, c
	}
}

func (s *seen) learnJob(j consensus.Job) {
	c, commits := j.(consensus.Commit)
	if !commits {
		return
	}
	d := decision{seq: c.Seq, view: c.View, digest: c.Digest, batch: c.Batch}
	d.certificate, _ = s.Rules.DecodeCertificate(c.Certificate, message.CommittedCertificate)
	s.executed = max(s.executed, c.Seq)
	s.decided = push(s.decided, d, maxDecided)
	s.fresh = append(s.fresh, d)
}

// learnOwn takes what a STATUS of the engine says of its position: the only
// source for a lie that was put on in the middle of a view.
func (s *seen) learnOwn(st *message.Status) {
	s.view, s.changing = st.View, st.Changing
	s.executed = max(s.executed, st.Executed)
	s.low = max(s.low, st.Low)
}

// leads reports whether the traitor is the primary of the active view.
func (s *seen) leads() bool { return !s.changing && s.Rules.System.Primary(s.view) == s.self }

// next is a slot that nothing is known of.
func (s *seen) next() consensus.Seq {
	n := max(s.executed, s.low) + 1
	for s.proposals[n] != nil {
		n++
	}
	return n
}

// every reports whether the traitor's clock stands at a multiple of so many
// ticks, in a step that has brought one.
func (s *seen) every(ticks int, b *consensus.Burst) bool {
	for _, e := range b.Events {
		if _, tick := e.(consensus.Tick); tick {
			return s.tick%max(1, ticks) == 0
		}
	}
	return false
}
