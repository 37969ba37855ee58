package bounds

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/sim"
)

// stage makes steps by hand, signed with real keys.
type stage struct {
	*message.Rules
	signers []crypto.Signer
	client  crypto.Signer
	now     consensus.Time
	steps   []sim.Step
}

func newStage(t *testing.T, n int) *stage {
	t.Helper()
	s := &stage{client: crypto.NewSigner([32]byte{200})}
	g := consensus.NewGenesis("stage", "pbft", nil)
	for i := range n {
		s.signers = append(s.signers, crypto.NewSigner([32]byte{byte(i + 1)}))
		g.Replicas = append(g.Replicas, s.signers[i].Public())
	}
	g.Clients = []consensus.ClientEntry{{Key: s.client.Public(), Role: consensus.RoleWriter}}
	rules, err := message.NewRules(g)
	if err != nil {
		t.Fatal(err)
	}
	s.Rules = rules
	return s
}

// send hands a frame to the network; it arrives a millisecond later at those
// who are not among the lost.
func (s *stage) send(from string, frame []byte, to ...string) {
	s.now += sim.Millisecond / 4
	for _, end := range to {
		s.steps = append(s.steps, sim.Step{At: s.now, Kind: sim.StepSend, From: from, To: end, Frame: frame})
		if end[0] == '!' {
			s.steps[len(s.steps)-1].To = end[1:]
			continue
		}
		s.steps = append(s.steps, sim.Step{At: s.now + sim.Millisecond, Kind: sim.StepDeliver, From: from, To: end, Frame: frame})
	}
}

func (s *stage) batch(counter uint64) *consensus.Batch {
	r := consensus.SignRequest(s.client, s.Genesis.ID(), consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{{byte(counter)}})
	return &consensus.Batch{Stamp: consensus.Time(counter), Requests: []*consensus.Request{r}}
}

func (s *stage) propose(by int, b *consensus.Batch, to ...string) {
	v := message.Vote{View: consensus.View(by), Seq: 1, Digest: b.Digest(), Replica: consensus.ReplicaID(by)}
	s.send(fmt.Sprintf("R%d", by), s.NewPrePrepare(s.signers[by], v, b).Frame, to...)
}

func (s *stage) vote(k message.Kind, by int, d crypto.Digest, to ...string) []byte {
	v := s.SignVote(s.signers[by], message.Vote{Kind: k, Seq: 1, Digest: d, Replica: consensus.ReplicaID(by)})
	s.send(fmt.Sprintf("R%d", by), v.Encode(), to...)
	return v.Encode()
}

func (s *stage) execute(by string, d crypto.Digest) {
	s.now += 2 * sim.Millisecond
	note := &consensus.Note{Kind: consensus.Committed, Seq: 1, Digest: d}
	s.steps = append(s.steps, sim.Step{At: s.now, Kind: sim.StepNote, From: by, To: by, Seq: 1, Note: note},
		sim.Step{At: s.now, Kind: sim.StepExecute, From: by, To: by, Seq: 1})
}

// forked is the script P1 of ADVERSARIES.md: R0 and R3 collude, and R1 and R2
// execute different batches at 1.
func forked(t *testing.T) *Result {
	s := newStage(t, 4)
	a, b := s.batch(1), s.batch(2)
	s.send("C0", a.Requests[0].Raw, "R0")
	s.send("C0", b.Requests[0].Raw, "R0")
	s.propose(0, a, "R1")
	s.propose(0, b, "R2")
	s.vote(message.PrepareKind, 1, a.Digest(), "R0", "!R2", "R3")
	s.vote(message.PrepareKind, 2, b.Digest(), "R0", "!R1", "R3")
	s.vote(message.PrepareKind, 3, a.Digest(), "R1")
	s.vote(message.PrepareKind, 3, b.Digest(), "R2")
	var liar consensus.ReplicaID = 3
	first := s.vote(message.CommitKind, 0, a.Digest(), "R1")
	second := s.vote(message.CommitKind, 0, b.Digest(), "R2")
	third := s.vote(message.CommitKind, 3, a.Digest(), "R1")
	fourth := s.vote(message.CommitKind, 3, b.Digest(), "R2")
	s.vote(message.CommitKind, 1, a.Digest(), "R0", "!R2", "R3")
	s.vote(message.CommitKind, 2, b.Digest(), "R0", "!R1", "R3")
	s.execute("R1", a.Digest())
	s.execute("R2", b.Digest())
	r := &Result{Cell: Cell{
		Section: "n = 3f+1, more than f faulty", Row: "f+1 collude in one view",
		Spec: spec.Spec{Protocol: "pbft", Replicas: 4, Coalition: true, Traitors: []sim.Traitor{
			{Replica: 0, Schedule: []sim.Assignment{{Behaviours: []string{"equivocate"}}}}, {Replica: liar, Schedule: []sim.Assignment{{Behaviours: []string{"double-vote"}}}},
		}},
		Theory: []string{spec.Forked}, Culprits: 2, Why: "Two quorums share f+1 replicas, and all of these lie.", Source: "ADVERSARIES.md P1",
	}}
	r.Outcome = spec.Outcome{
		Verdict: check.Verdict{Forked: true, ForkAt: 1, Culprits: []consensus.ReplicaID{0, liar}, Linearizable: check.No,
			Violations: []check.Violation{{Kind: check.Fork, Text: "two batches at 1"}}},
		Asked: 2, Answered: 2, Elapsed: s.now, Steps: s.steps, Genesis: s.Genesis,
	}
	for id, pair := range map[consensus.ReplicaID][2][]byte{0: {first, second}, liar: {third, fourth}} {
		encoded := evidence.Contradiction{First: pair[0], Second: pair[1]}.Encode()
		fault, err := evidence.Verify(&s.Genesis, encoded)
		if err != nil || fault.Replica != id {
			t.Fatalf("%v, %v", fault, err)
		}
		r.Outcome.Verdict.Evidence = append(r.Outcome.Verdict.Evidence, evidence.Entry{Fault: fault, Encoded: encoded})
	}
	return r
}

// stopped is a cluster of which half is gone.
func stopped(t *testing.T) *Result {
	s := newStage(t, 4)
	a := s.batch(1)
	s.steps = append(s.steps,
		sim.Step{Kind: sim.StepFault, From: "R2", To: "R2", Text: "crash"}, sim.Step{Kind: sim.StepFault, From: "R3", To: "R3", Text: "crash"})
	s.send("C0", a.Requests[0].Raw, "R0")
	s.propose(0, a, "R1", "!R2", "!R3")
	s.vote(message.PrepareKind, 1, a.Digest(), "R0", "!R2", "!R3")
	r := &Result{Cell: Cell{
		Section: "n = 3f+1, more than f faulty", Row: "f+1 crashed", Spec: spec.Spec{Protocol: "pbft", Replicas: 4},
		Theory: []string{spec.Stopped}, Why: "Fewer than a quorum are left.", Source: "ADVERSARIES.md P9",
	}}
	r.Outcome = spec.Outcome{
		Verdict: check.Verdict{Linearizable: check.Yes, Violations: []check.Violation{{Kind: check.Stuck, Text: "no progress"}}},
		Asked:   2, Steps: s.steps, Genesis: s.Genesis,
		Statuses: []consensus.Status{{Replica: 0, Waiting: []consensus.Lack{{
			What: "prepared certificate", InView: true, Seq: 1, Have: []consensus.ReplicaID{0, 1}, Need: 3, Missing: []consensus.ReplicaID{2, 3},
		}}}},
	}
	return r
}
