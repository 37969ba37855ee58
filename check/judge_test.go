package check

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/pbft/message"
)

// Each judge bites, and lets the clean twin of what it bites go. A want of
// nothing is a twin.
func TestJudges(t *testing.T) {
	for _, c := range []struct {
		name     string
		traitors []consensus.ReplicaID
		facts    func(*run)
		want     []Kind
	}{
		{"one batch", nil, func(r *run) { r.commit(1, batchOf(r.asked(putA)), 0, 1, 2, 3) }, nil},
		{"two batches", nil, func(r *run) {
			r.commit(1, batchOf(r.asked(putA)), 0)
			r.commit(1, batchOf(r.asked(putB)), 1)
		}, []Kind{Fork}},
		{"a traitor's batch", []consensus.ReplicaID{1}, func(r *run) {
			r.commit(1, batchOf(r.asked(putA)), 0)
			r.commit(1, batchOf(r.asked(putB)), 1)
		}, nil},
		{"a null batch and another", nil, func(r *run) {
			r.commit(1, nil, 0)
			r.commit(1, batchOf(r.asked(putB)), 1)
		}, []Kind{Fork}},

		{"two certificates", []consensus.ReplicaID{0, 3}, func(r *run) {
			r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
			r.votes(message.CommitKind, 0, 1, digestB, 0, 2, 3)
		}, []Kind{Fork}},
		{"a certificate and a vote too few", []consensus.ReplicaID{0, 3}, func(r *run) {
			r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
			r.votes(message.CommitKind, 0, 1, digestB, 0, 3)
		}, nil},
		{"votes of two views are no certificate", nil, func(r *run) {
			r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
			r.votes(message.CommitKind, 1, 1, digestB, 2, 3)
			r.votes(message.CommitKind, 2, 1, digestB, 1)
		}, nil},
		{"votes of two slots are no certificate", nil, func(r *run) {
			r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
			r.votes(message.CommitKind, 0, 2, digestB, 0, 1, 3)
		}, nil},
		{"a forged vote is none", []consensus.ReplicaID{0, 3}, func(r *run) {
			r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
			r.votes(message.CommitKind, 0, 1, digestB, 0, 3)
			forged := message.Vote{Kind: message.CommitKind, Seq: 1, Digest: digestB, Replica: 2, Sig: crypto.Signature{9}}
			r.Sent(1, 3, forged.Encode())
		}, nil},
		{"a certificate in a FETCH-REPLY against an execution", []consensus.ReplicaID{0, 3}, func(r *run) {
			b := batchOf(r.asked(putA))
			r.commit(1, b, 1)
			r.votes(message.CommitKind, 0, 1, b.Digest(), 0, 1, 3)
			given := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: digestB, Certificate: r.certificate(1, digestB, 0, 2, 3)}
			r.Sent(1, 3, given.Encode())
		}, []Kind{Fork}},
		{"a certificate in a FETCH-REPLY for an execution", nil, func(r *run) {
			b := batchOf(r.asked(putA))
			r.commit(1, b, 1)
			given := message.FetchReply{What: message.WhatCommitted, Seq: 1, Digest: b.Digest(), Batch: b, Certificate: r.certificate(1, b.Digest(), 0, 2, 3)}
			r.Sent(1, 3, given.Encode())
		}, nil},
		{"a certificate beside an execution", []consensus.ReplicaID{0, 3}, func(r *run) {
			r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
			r.Queued(1, 2, consensus.Commit{Seq: 1, Digest: consensus.NullDigest, Certificate: r.certificate(1, consensus.NullDigest, 0, 2, 3).Encode()})
		}, []Kind{Fork}},
		{"two states certified", []consensus.ReplicaID{0, 3}, func(r *run) {
			r.votes(message.CheckpointKind, 0, 2, digestA, 0, 1, 3)
			r.votes(message.CheckpointKind, 0, 2, digestB, 0, 2, 3)
		}, []Kind{Fork}},
		{"two executions without a certificate", []consensus.ReplicaID{0, 3}, func(r *run) {
			r.commit(1, nil, 1)
			r.commit(1, batchOf(r.asked(putA)), 2)
		}, []Kind{Fork, Unnamed}},

		{"one root", nil, func(r *run) { r.Root(1, 0, 2, digestA); r.Root(1, 1, 2, digestA); r.Root(1, 1, 4, digestB) }, nil},
		{"two roots", nil, func(r *run) { r.Root(1, 0, 2, digestA); r.Root(1, 1, 2, digestB) }, []Kind{Divergence}},
		{"a traitor's root", []consensus.ReplicaID{1}, func(r *run) { r.Root(1, 0, 2, digestA); r.Root(1, 1, 2, digestB) }, nil},
		{"a root restored", nil, func(r *run) {
			r.Root(1, 0, 2, digestA)
			r.Queued(1, 1, consensus.RestoreBegin{Seq: 2, Root: digestB})
		}, []Kind{Divergence}},
		{"a root made stable", nil, func(r *run) {
			r.Root(1, 0, 2, digestA)
			r.Queued(1, 1, consensus.Stabilize{Seq: 2, Root: digestB})
		}, []Kind{Divergence}},
		{"a replica that says that it diverged", nil, func(r *run) { r.Noted(1, 0, &consensus.Note{Kind: consensus.Diverged}) }, []Kind{Divergence}},
		{"a batch under another digest", nil, func(r *run) {
			r.Queued(1, 0, consensus.Commit{Seq: 1, Digest: digestA, Batch: batchOf(r.asked(putA))})
		}, []Kind{Divergence}},
		{"a gap", nil, func(r *run) { r.commit(1, nil, 0); r.commit(3, nil, 0) }, []Kind{Divergence}},
		{"a gap that a restore closes", nil, func(r *run) {
			r.commit(1, nil, 0)
			r.Queued(1, 0, consensus.RestoreBegin{Seq: 2, Root: digestA})
			r.commit(3, nil, 0)
		}, nil},
		{"a restart from the disk", nil, func(r *run) { r.commit(1, nil, 0); r.commit(2, nil, 0); r.restoring(0); r.commit(1, nil, 0) }, nil},
		{"two replies", nil, func(r *run) { q := r.asked(get); r.reply(0, q, 1, "x"); r.reply(1, q, 1, "y") }, []Kind{Divergence}},
		{"two replies of one height each", nil, func(r *run) { q := r.asked(get); r.reply(0, q, 1, "x"); r.reply(1, q, 2, "x") }, []Kind{Divergence}},
		{"a traitor's reply", []consensus.ReplicaID{1}, func(r *run) { q := r.asked(get); r.reply(0, q, 1, "x"); r.reply(1, q, 1, "y") }, nil},

		{"nobody signed the request", nil, func(r *run) { r.commit(1, batchOf(r.request(0, putA)), 0) }, []Kind{Validity}},
		{"a dishonest client signed it", nil, func(r *run) { r.commit(1, batchOf(r.request(1, putA)), 0); r.execute(0, 1, 1, 1, putA) }, nil},
		{"its signature is bad", nil, func(r *run) {
			raw := bytes.Clone(r.request(1, putA).Raw)
			raw[len(raw)-1] ^= 1
			q, err := consensus.DecodeRequest(raw)
			if err != nil {
				panic(err)
			}
			r.commit(1, batchOf(q), 0)
		}, []Kind{Validity}},
		{"somebody signed it who is no client", nil, func(r *run) {
			q := consensus.SignRequest(signer(200), r.Cluster, consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{putA})
			r.commit(1, batchOf(q), 0)
		}, []Kind{Validity}},
		{"nobody asked for the operation", nil, func(r *run) { r.commit(1, batchOf(r.asked(putA)), 0); r.execute(0, 0, 1, 1, putB) }, []Kind{Validity}},

		{"executed by all", nil, func(r *run) {
			r.commit(1, batchOf(r.asked(putA)), 0, 1)
			r.execute(0, 0, 1, 1, putA)
			r.execute(1, 0, 1, 1, putA)
		}, nil},
		{"executed again after a restart", nil, func(r *run) {
			r.asked(putA)
			r.execute(0, 0, 1, 1, putA)
			r.restoring(0)
			r.execute(0, 0, 1, 1, putA)
		}, nil},
		{"executed twice", nil, func(r *run) { r.asked(putA); r.execute(0, 0, 1, 1, putA); r.execute(0, 0, 2, 2, putA) }, []Kind{Twice}},
		{"a stranger asks twice for the same", nil, func(r *run) {
			r.commit(1, batchOf(r.request(1, putA), r.request(1, putA)), 0)
			r.execute(0, 1, 1, 1, putA)
			r.execute(0, 1, 1, 2, putA)
		}, nil},
		{"... and gets it three times", nil, func(r *run) {
			r.commit(1, batchOf(r.request(1, putA), r.request(1, putA)), 0)
			r.execute(0, 1, 1, 1, putA)
			r.execute(0, 1, 1, 2, putA)
			r.execute(1, 1, 1, 3, putA)
		}, []Kind{Twice}},
		{"another operation in one place", nil, func(r *run) {
			r.asked(putA, putB)
			r.execute(0, 0, 1, 1, putA)
			r.execute(1, 0, 1, 1, putB)
		}, []Kind{Divergence}},

		{"believed and kept", nil, func(r *run) { r.believed(1, 1, 2, 1, putA, revision(1)); r.Present(9, 0, 1) }, nil},
		{"executed and denied", nil, func(r *run) { r.believed(1, 1, 2, 1, putA, revision(1)); r.Declined(CallID{Number: 1}) }, []Kind{Denied}},
		{"declined and not executed", nil, func(r *run) {
			r.Invoked(1, CallID{Number: 1}, r.clients[0].Public(), putA)
			r.Declined(CallID{Number: 1})
		}, nil},
		{"believed and lost", nil, func(r *run) { r.believed(1, 1, 2, 1, putA, revision(1)); r.Present(9, 0, 0) }, []Kind{Lost}},
		{"believed at a height that nobody executed", nil, func(r *run) {
			q := r.asked(get)
			r.Invoked(1, CallID{}, r.clients[0].Public(), get)
			r.reply(0, q, 5, "")
			r.Returned(2, CallID{}, 5, app.OK(nil))
		}, []Kind{Lost}},
		{"believed, and executed by a liar alone, whose state others took", nil, func(r *run) {
			q := r.asked(get)
			r.Invoked(1, CallID{}, r.clients[0].Public(), get)
			r.Queued(1, 0, consensus.RestoreBegin{Seq: 6, Root: digestA})
			r.reply(0, q, 5, "")
			r.Returned(2, CallID{}, 5, app.OK(nil))
		}, nil},
		{"a later call stands before an earlier one", nil, func(r *run) {
			r.commit(1, nil, 0)
			r.believed(1, 1, 2, 2, putA, revision(2))
			r.Invoked(3, CallID{Number: 2}, r.clients[0].Public(), get)
			r.reply(0, r.asked(get), 1, "")
			r.Returned(4, CallID{Number: 2}, 1, app.OK(nil))
		}, []Kind{Lost, Nonlinear}},
		{"a result for nobody", nil, func(r *run) { r.Returned(1, CallID{Number: 8}, 1, app.OK(nil)) }, []Kind{Validity}},
		{"two results for one call", nil, func(r *run) {
			r.believed(1, 1, 2, 1, putA, revision(1))
			r.Returned(3, CallID{Number: 1}, 1, app.OK([]byte(revision(1))))
		}, []Kind{Twice}},

		{"only traitors answered", []consensus.ReplicaID{2, 3}, func(r *run) {
			q := r.asked(get)
			r.Invoked(1, CallID{}, r.clients[0].Public(), get)
			r.reply(2, q, 5, "")
			r.reply(3, q, 5, "")
			r.Returned(2, CallID{}, 5, app.OK(nil))
			r.Present(3, 0, 0)
		}, []Kind{Deceived}},
		{"traitors answered otherwise", []consensus.ReplicaID{2, 3}, func(r *run) {
			q := r.asked(get)
			r.Invoked(1, CallID{}, r.clients[0].Public(), get)
			r.Returned(2, CallID{}, 1, app.OK([]byte(record(1, "forty-two"))))
			r.commit(1, batchOf(q), 0, 1)
			r.execute(0, 0, 1, 1, get)
			r.reply(0, q, 1, "")
		}, []Kind{Deceived, Nonlinear}},
		{"traitors answered first and truly", []consensus.ReplicaID{2, 3}, func(r *run) {
			q := r.asked(get)
			r.Invoked(1, CallID{}, r.clients[0].Public(), get)
			r.Returned(2, CallID{}, 1, app.OK(nil))
			r.commit(1, batchOf(q), 0, 1)
			r.execute(0, 0, 1, 1, get)
			r.reply(0, q, 1, "")
		}, nil},
		{"the honest executed it and their answers were lost", []consensus.ReplicaID{2, 3}, func(r *run) {
			q := r.asked(get)
			r.Invoked(1, CallID{}, r.clients[0].Public(), get)
			r.Returned(2, CallID{}, 1, app.OK(nil))
			r.commit(1, batchOf(q), 0, 1)
			r.execute(0, 0, 1, 1, get)
		}, nil},

		{"a read sees the last write", nil, func(r *run) {
			r.believed(1, 1, 2, 1, putA, revision(1))
			r.believed(2, 3, 4, 2, putB, revision(2))
			r.believed(3, 5, 6, 3, get, record(2, "b"))
		}, nil},
		{"a read sees the write before", nil, func(r *run) {
			r.believed(1, 1, 2, 1, putA, revision(1))
			r.believed(2, 3, 4, 2, putB, revision(2))
			r.believed(3, 5, 6, 3, get, record(1, "a"))
		}, []Kind{Nonlinear}},
		{"a read sees what was never answered", nil, func(r *run) {
			r.Invoked(1, CallID{Number: 9}, r.clients[0].Public(), putA)
			r.execute(0, 0, 1, 1, putA)
			r.commit(1, batchOf(r.asked(putA)), 0)
			r.believed(1, 5, 6, 2, get, record(1, "a"))
		}, nil},
		{"a read sees what nobody executed", nil, func(r *run) {
			r.Invoked(1, CallID{Number: 9}, r.clients[0].Public(), putA)
			r.commit(1, nil, 0)
			r.believed(1, 5, 6, 2, get, record(1, "a"))
		}, []Kind{Nonlinear}},
		{"a read sees a stranger's write", nil, func(r *run) {
			r.commit(1, batchOf(r.request(1, putA)), 0)
			r.execute(0, 1, 1, 1, putA)
			r.believed(1, 5, 6, 2, get, record(1, "a"))
		}, nil},

		{"the same promise twice", nil, func(r *run) {
			r.votes(message.PrepareKind, 0, 1, digestA, 1)
			r.votes(message.PrepareKind, 0, 1, digestA, 1)
		}, nil},
		{"two promises, two lives", nil, func(r *run) {
			r.votes(message.PrepareKind, 0, 1, digestA, 1)
			r.restoring(1)
			r.votes(message.PrepareKind, 0, 1, digestB, 1)
		}, []Kind{Contradiction, Framed}},
		{"two promises in two views", nil, func(r *run) {
			r.votes(message.PrepareKind, 0, 1, digestA, 1)
			r.votes(message.PrepareKind, 2, 1, digestB, 1)
		}, nil},
		{"two promises of a traitor", []consensus.ReplicaID{1}, func(r *run) {
			r.votes(message.PrepareKind, 0, 1, digestA, 1)
			r.votes(message.PrepareKind, 0, 1, digestB, 1)
		}, nil},
		{"a promise that a traitor puts into another's mouth", []consensus.ReplicaID{3}, func(r *run) {
			r.votes(message.PrepareKind, 0, 1, digestA, 1)
			forged := message.Vote{Kind: message.PrepareKind, Seq: 1, Digest: digestB, Replica: 1, Sig: crypto.Signature{9}}
			r.Sent(1, 3, forged.Encode())
		}, nil},
		{"two VIEW-CHANGEs", nil, func(r *run) {
			r.Sent(1, 2, r.NewViewChange(r.signers[2], message.ViewChange{View: 1, Replica: 2}).Frame)
			r.Sent(1, 2, r.NewViewChange(r.signers[2], message.ViewChange{View: 1, Replica: 2, Prepared: []*message.Certificate{
				{Kind: message.PreparedCertificate, Seq: 1, Digest: digestA, Signed: make([]message.Signed, 3)}}}).Frame)
		}, []Kind{Contradiction, Framed}},
		{"a VIEW-CHANGE, re-sent and relayed", nil, func(r *run) {
			vc := r.NewViewChange(r.signers[2], message.ViewChange{View: 1, Replica: 2}).Frame
			for _, by := range []consensus.ReplicaID{2, 2, 1} {
				r.Sent(1, by, bytes.Clone(vc))
			}
		}, nil},

		{"evidence against the honest", nil, func(r *run) { r.Noted(1, 0, &consensus.Note{Kind: consensus.EvidenceNote, Replica: 1}) }, []Kind{Framed}},
		{"evidence that does not hold", []consensus.ReplicaID{1}, func(r *run) {
			r.Noted(1, 0, &consensus.Note{Kind: consensus.EvidenceNote, Replica: 1, Bytes: []byte{1, 2}})
		}, []Kind{Framed}},
		{"evidence against another traitor", []consensus.ReplicaID{1, 3}, func(r *run) { r.Noted(1, 0, r.evidence(1, 3)) }, []Kind{Framed}},
		{"evidence that holds", []consensus.ReplicaID{1}, func(r *run) { r.Noted(1, 0, r.evidence(1, 1)) }, nil},
		{"a traitor's evidence", []consensus.ReplicaID{2}, func(r *run) { r.Noted(1, 2, &consensus.Note{Kind: consensus.EvidenceNote, Replica: 1}) }, nil},
		{"a bad part of the honest", nil, func(r *run) { r.Noted(1, 0, &consensus.Note{Kind: consensus.BadPart, Replica: 1}) }, []Kind{Framed}},
		{"a bad part of a traitor", []consensus.ReplicaID{1}, func(r *run) { r.Noted(1, 0, &consensus.Note{Kind: consensus.BadPart, Replica: 1}) }, nil},
		{"blame of the honest", nil, func(r *run) { r.Blamed(1, 0, 1, "garbage") }, []Kind{Framed}},
		{"a bad signature of the honest", nil, func(r *run) {
			r.Noted(1, 0, &consensus.Note{Kind: consensus.Ignored, Reason: consensus.ReasonSignature, Replica: 1})
		}, []Kind{Framed}},
		{"blame of a traitor, and by one", []consensus.ReplicaID{1}, func(r *run) { r.Blamed(1, 0, 1, "garbage"); r.Blamed(1, 1, 0, "garbage") }, nil},

		{"stuck", nil, func(r *run) { r.Stuck(1, "no progress") }, []Kind{Stuck}},
		{"broken", nil, func(r *run) { r.Broken(1, "a panic") }, []Kind{Broken}},
		{"growth", nil, func(r *run) { r.Growth(1, "the log") }, []Kind{Growth}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t, c.traitors...)
			c.facts(r)
			v := r.Verdict(9)
			if got := v.kinds(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v: %v", got, c.want, v.Violations)
			}
			if v.Forked != slices.Contains(c.want, Fork) || v.Safe() != (len(c.want) == 0 || c.want[0] == Stuck) {
				t.Errorf("forked %v, safe %v", v.Forked, v.Safe())
			}
		})
	}
}

// evidence is a note about one replica, with a proof against another.
func (r *run) evidence(proven, named consensus.ReplicaID) *consensus.Note {
	p := evidence.Contradiction{
		First: r.vote(message.CommitKind, proven, 0, 1, digestA), Second: r.vote(message.CommitKind, proven, 0, 1, digestB),
	}
	return &consensus.Note{Kind: consensus.EvidenceNote, Replica: named, Bytes: p.Encode()}
}

// A fork names those who made it, with proofs that hold.
func TestForkNamesItsCulprits(t *testing.T) {
	r := newRun(t, 0, 3)
	r.votes(message.CommitKind, 0, 2, digestA, 0, 1, 3)
	r.votes(message.CommitKind, 0, 2, digestB, 0, 2, 3)
	r.votes(message.CommitKind, 0, 1, digestA, 0, 1, 3)
	r.votes(message.CommitKind, 0, 1, digestB, 0, 2, 3)
	v := r.Verdict(1)
	if !v.Forked || v.ForkAt != 1 || !slices.Equal(v.Culprits, []consensus.ReplicaID{0, 3}) {
		t.Fatalf("forked %v at %d, culprits %v", v.Forked, v.ForkAt, v.Culprits)
	}
	g := r.Rules.Genesis
	for _, e := range v.Evidence {
		if f, err := evidence.Verify(&g, e.Encoded); err != nil || f != e.Fault {
			t.Errorf("%v: %v", e.Fault, err)
		}
	}
}

// What is not asked, or not decided in the steps given, is unknown.
func TestUndecidedIsUnknown(t *testing.T) {
	history := func(r *run) Answer {
		r.believed(1, 1, 2, 1, putA, revision(1))
		r.believed(2, 3, 4, 2, putB, revision(2))
		v := r.Verdict(9)
		return v.Linearizable
	}
	r := newRun(t)
	if got := history(r); got != Yes {
		t.Errorf("got %s", got)
	}
	r = newRun(t)
	r.Judge.cfg.Model = nil
	if got := history(r); got != Unknown {
		t.Errorf("not asked: got %s", got)
	}
	r = newRun(t)
	r.Judge.cfg.Budget = 1
	if got := history(r); got != Unknown {
		t.Errorf("one step: got %s", got)
	}
}

// Violations are heard of at once, and the first few of a kind are kept.
func TestViolationsAreReportedAndBounded(t *testing.T) {
	heard := 0
	r := newRun(t)
	r.Judge.cfg.Report = func(v Violation) {
		heard++
		if !strings.Contains(v.String(), "at 1.500000: broken: a panic") {
			t.Errorf("%s", v)
		}
	}
	for range 100 {
		r.Broken(15e8, "a panic")
	}
	if heard != maxOfKind || len(r.violations) != maxOfKind || !r.Failed() {
		t.Errorf("%d heard, %d kept", heard, len(r.violations))
	}
}

// The judge counts quorums for itself.
func TestCertificateSize(t *testing.T) {
	want := []int{0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9}
	for n := 1; n < len(want); n++ {
		g := consensus.Genesis{Replicas: make([]crypto.PublicKey, n)}
		if got := evidence.Quorum(&g); got != want[n] {
			t.Errorf("n=%d: %d, want %d", n, got, want[n])
		}
	}
	for _, c := range []struct{ n, faults, quorum, want int }{{3, 1, 0, 3}, {3, 1, 2, 2}, {5, 0, 3, 3}, {4, 3, 0, 4}} {
		g := consensus.Genesis{Replicas: make([]crypto.PublicKey, c.n), Faults: c.faults, Quorum: c.quorum}
		if got := evidence.Quorum(&g); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// A frame for many is read once, if it is told as one; a frame that cannot be
// read is passed over.
func TestSentIsFrugalAndPatient(t *testing.T) {
	r := newRun(t, 3)
	frame := r.vote(message.CommitKind, 1, 0, 1, digestA)
	for range 3 {
		r.Sent(1, 1, frame)
	}
	if n := len(r.transcript.waiting); n != 1 {
		t.Errorf("kept %d times", n)
	}
	for size := range len(frame) {
		r.Sent(1, 3, bytes.Clone(frame[:size]))
	}
	for kind := range 256 {
		for _, size := range []int{1, 9, 11, 52, 75, 120, 300} {
			r.Sent(1, 3, append([]byte{byte(kind)}, bytes.Repeat([]byte{0xff}, size)...))
		}
	}
	r.Queued(1, 3, consensus.Stabilize{Seq: 2, Root: digestA, Certificate: []byte{2, 1}})
	if r.Failed() {
		t.Errorf("%v", r.violations)
	}
	if allocs := testing.AllocsPerRun(100, func() { r.Sent(1, 1, frame); r.last = lastFrame{}; r.transcript.waiting = nil }); allocs > 1 {
		t.Errorf("%v allocations for a vote that is known", allocs)
	}
}
