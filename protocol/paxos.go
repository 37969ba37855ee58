package protocol

import (
	"cmp"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// paxosProtocol is Multi-Paxos: package paxos.
func paxosProtocol() Protocol {
	return Protocol{
		Name: Paxos, Title: "Paxos", Model: quorum.Crash, Elected: true, Leads: ByPromise,
		Words: Words{View: "ballot", Lead: "leader", Follow: "follower", Between: "no leader", Place: "slot"},
		Kinds: paxos.KindNames(), Decisive: []byte{paxos.PrepareKind, paxos.PromiseKind, paxos.AcceptKind, paxos.AcceptedKind, paxos.CommitKind, paxos.StateKind},
		NewCodec: paxosCodec, Lie: paxos.ReasonTwo, Reasons: paxos.Reasons(),
		OutOfReach: map[consensus.Reason]string{paxos.ReasonTwo: "takes a member that lies, and has no place where all are honest"},
		Goals:      paxosGoals(), Costs: paxosCosts(), New: newPaxos,
	}
}

// newPaxos: a leader says something ten times in the time after which it is
// given up.
func newPaxos(s Settings) (consensus.Protocol, error) {
	c := paxos.DefaultConfig(s.Genesis, s.Self)
	c.TickLength = s.TickLength
	c.Election, c.Heartbeat = s.LeaderPatience, max(1, s.LeaderPatience/10)
	c.AnyLeader, c.Sticky, c.Backoff = s.Elections.AnyLeader, !s.Elections.NoStickiness && !s.Elections.AnyLeader, !s.Elections.NoBackoff
	c.Pipeline, c.CheckEachStep = cmp.Or(s.Pipeline, min(c.Pipeline, int(s.Genesis.Window))), s.CheckEachStep
	c.PendingCount, c.PendingBytes = cmp.Or(s.PendingCount, c.PendingCount), cmp.Or(s.PendingBytes, c.PendingBytes)
	return paxos.New(c)
}

func paxosGoals() []Goal {
	noted := func(k consensus.NoteKind) func(*Run) bool { return func(r *Run) bool { return r.Notes[k] > 0 } }
	gave := func(why consensus.Reason) func(*Run) bool { return func(r *Run) bool { return r.Reasons[why] > 0 } }
	return []Goal{
		{"a leader was lost", 300, func(r *Run) bool { return r.Changes > 0 }},
		{"two leaders in a row were lost, and nothing executed between", 100, func(r *Run) bool { return r.InARow > 0 }},
		{"a leader died with slots in flight", 50, func(r *Run) bool { return r.LeadersLost > 0 }},
		{"a checkpoint was kept", 500, noted(consensus.Stable)},
		{"a state was named", 100, noted(consensus.Fetching)},
		{"a state arrived", 100, noted(consensus.Fetched)},
		{"a state was fetched while the leader was lost", 10, func(r *Run) bool { return r.FetchedInChange > 0 }},
		{"a gap was filled with null", 10, gave(paxos.ReasonGap)},
		{"a slot was chosen before one below it", 10, gave(paxos.ReasonOutside)},
		{"a new leader was given the body of a vote", 10, gave(paxos.ReasonBody)},
		{"a new leader was behind its acceptors", 10, gave(paxos.ReasonBehind)},
		{"a proposer was preempted", 10, gave(paxos.ReasonPreempted)},
		{"a proposer was preempted three times in a row", 1, gave(paxos.ReasonDuel)},
		{"a vote stood above a state that was taken", 10, gave(paxos.ReasonAbove)},
		{"a client was refused", 10, func(r *Run) bool { return r.Refusals > 0 }},
	}
}

// paxosCodec: views are ballots. Nothing is signed: who said it is known from the
// channel, and, of a proposer, from its ballot.
func paxosCodec(g consensus.Genesis) Codec {
	n := len(g.Replicas)
	return Codec{
		Kind: paxos.FrameKind, Opened: paxos.MessageName, Describe: paxos.Describe,
		Promise:   func(frame []byte) (Promise, bool) { return paxosPromise(n, frame) },
		Floor:     paxosFloor,
		Summary:   func(frame []byte) (Summary, bool) { return paxosSummary(n, frame) },
		Keep:      paxosKeep,
		Signature: paxosSignature,
	}
}

// paxosPromise: a leader proposes one value for a slot under a ballot.
func paxosPromise(n int, frame []byte) (Promise, bool) {
	if frame[0] != paxos.AcceptKind {
		return Promise{}, false
	}
	m, err := paxos.Decode(frame)
	if err != nil {
		return Promise{}, false
	}
	a := m.(*paxos.Accept)
	return Promise{
		Signer: a.Ballot.Owner(n), Kind: paxos.AcceptKind, View: consensus.View(a.Ballot), Seq: a.Slot, Content: a.Batch.Digest(),
	}, true
}

// paxosFloor: an acceptor votes for nothing below a ballot that it promised or voted
// under, and follows nobody there: else a proposer that was told what it had voted
// for, and one that was not, could both have a majority. That it follows leaves
// ahead of what is on its way to the disk, so that nothing is held against it later.
func paxosFloor(frame []byte) (Floor, bool) {
	switch frame[0] {
	case paxos.PromiseKind, paxos.AcceptedKind, paxos.AliveKind:
	default:
		return Floor{}, false
	}
	switch m, _ := paxos.Decode(frame); m := m.(type) {
	case *paxos.Promise:
		return Floor{View: consensus.View(m.Ballot), Kept: true}, true
	case *paxos.Accepted:
		return Floor{View: consensus.View(m.Ballot), Kept: true}, true
	case *paxos.Alive:
		return Floor{View: consensus.View(m.Ballot)}, true
	}
	return Floor{}, false
}

// paxosKeep keeps what acceptors promise and vote for. Batches come with commits.
func paxosKeep(frame []byte) []byte {
	if f, ok := paxosFloor(frame); ok && f.Kept {
		return frame
	}
	return nil
}

// paxosSignature finds a client's signature: that of a request, or the last one in
// a batch. Members sign nothing.
func paxosSignature(frame []byte) int {
	if consensus.IsRequest(frame) {
		return signatureAtEnd(frame)
	}
	if frame[0] != paxos.AcceptKind && frame[0] != paxos.ValueKind {
		return -1
	}
	m, err := paxos.Decode(frame)
	if err != nil {
		return -1
	}
	var b *consensus.Batch
	switch m := m.(type) {
	case *paxos.Accept:
		b = m.Batch
	case *paxos.Value:
		b = m.Batch
	}
	if b == nil || len(b.Requests) == 0 {
		return -1
	}
	return signatureAtEnd(frame) // a batch ends with its last request
}

func paxosSummary(n int, frame []byte) (Summary, bool) {
	m, err := paxos.Decode(frame)
	if err != nil {
		return Summary{}, false
	}
	s := Summary{Kind: paxos.FrameKind(frame)}
	by := func(b synod.Ballot) { s.View, s.Signer = consensus.View(b), b.Owner(n) }
	switch m := m.(type) {
	case *paxos.Prepare:
		by(m.Ballot)
		s.Topic, s.Text = Succession, fmt.Sprintf("above n%d", m.Above)
	case *paxos.Promise:
		s.View, s.Topic = consensus.View(m.Ballot), Succession
		s.Text = fmt.Sprintf("base n%d", m.Base)
		for _, v := range m.Votes[:min(len(m.Votes), maxSlots)] {
			s.Slots, s.Values = append(s.Slots, v.Slot), append(s.Values, v.Digest)
		}
	case *paxos.Accept:
		by(m.Ballot)
		s.Topic = Proposal
		s = s.holding(m.Slot, m.Batch)
	case *paxos.Accepted:
		s.View, s.Seq = consensus.View(m.Ballot), m.Slot
	case *paxos.Commit:
		by(m.Ballot)
		s.Decided, s.Text = m.UpTo, fmt.Sprintf("up to n%d", m.UpTo)
	case *paxos.Heartbeat:
		by(m.Ballot)
		s.Decided, s.Text = m.UpTo, fmt.Sprintf("up to n%d", m.UpTo)
	case *paxos.Alive:
		s.View = consensus.View(m.Ballot)
	case *paxos.Reject:
		s.View, s.Topic, s.Text = consensus.View(m.Ballot), Succession, fmt.Sprintf("promised %d", m.Promised)
	case *paxos.Value:
		s.View = consensus.View(m.Ballot)
		s = s.holding(m.Slot, m.Batch)
	case *paxos.Learn:
		s.Slots, s.Text = []consensus.Seq{m.From}, fmt.Sprintf("n%d to n%d", m.From, m.To)
	case *paxos.Fetch:
		s.Topic, s.Text = State, fmt.Sprintf("state at n%d", m.Seq)
	case *paxos.FetchReply:
		s.Topic, s.Text = State, fmt.Sprintf("state at n%d", m.Seq)
	case paxos.State:
		s.Topic, s.Decided, s.Text = State, m.Seq, fmt.Sprintf("state at n%d", m.Seq)
	default:
		return Summary{}, false
	}
	return s, true
}

// holding is s about a slot and a batch in it.
func (s Summary) holding(n consensus.Seq, b *consensus.Batch) Summary {
	s.Seq, s.Value, s.Valued = n, b.Digest(), true
	if b != nil {
		s.Request = make([]crypto.Digest, 0, len(b.Requests))
		for _, q := range b.Requests {
			s.Request = append(s.Request, q.Digest)
		}
	}
	return s
}

// What frames weigh, in bytes.
const (
	paxosAcceptBytes  = 18 // of an ACCEPT, beside the batch
	paxosShortBytes   = 17 // of an ACCEPTED, and of a COMMIT
	paxosConfirmBytes = 42 // of a HEARTBEAT and its answer
)

// paxosCosts: a slot, its votes, and the word that it is chosen. Nothing between
// members is signed. A leader's own sync goes beside those of the others. A heartbeat
// and its answer pass every 100 ms, and nobody is told of a checkpoint. A READ goes
// to the leader, which asks all by a heartbeat whether they still follow.
func paxosCosts() Costs {
	return Costs{
		Kinds: []FrameKind{
			{"ACCEPT", Agreement}, {"ACCEPTED", Agreement}, {"COMMIT", Agreement},
			{"HEARTBEAT", Upkeep}, {"ALIVE", Upkeep}, {"CLOCK", Upkeep},
		},
		Sizes: []int{3, 5, 7},
		Decision: func(n int) Expected {
			return expect(Expected{
				ByKind:   map[string]int{"ACCEPT": n - 1, "ACCEPTED": n - 1, "COMMIT": n - 1},
				Admitted: n, Forced: n, Delays: 4, Syncs: 1, Textbook: "2n",
			})
		},
		Bytes: func(n, batch int) int { return (n - 1) * (batch + paxosAcceptBytes + 2*paxosShortBytes) },
		Read: func(n int) Expected {
			return expect(Expected{ByKind: map[string]int{"READ": 1, "READ-ANSWER": 1, "HEARTBEAT": n - 1, "ALIVE": n - 1}, Delays: 4})
		},
		ReadBytes:  func(n, bytes int) int { return bytes + readFrameBytes + (n-1)*paxosConfirmBytes },
		Upkeep:     func(n int) int { return (10*2 + n) * (n - 1) },
		Checkpoint: func(int) int { return 0 },
		Text:       Formulas{Frames: "3(n−1)", Bytes: "(n−1)(b+52)", Forced: "n", Upkeep: "(20+n)(n−1)", Read: "2n", ReadBytes: "o+r+77+42(n−1)"},
	}
}
