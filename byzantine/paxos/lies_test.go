package paxos

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/paxos"
	"quorate.dev/quorate/paxos/synod"
)

// all are the behaviours that a member of Paxos can have.
var all = append(byzantine.Neutral(), Lies().Profiles...)

// locked is a signer that must not sign.
type locked struct {
	t   testing.TB
	key crypto.PublicKey
}

func (l locked) Public() crypto.PublicKey { return l.key }

func (l locked) Sign(crypto.Domain, []byte) crypto.Signature {
	l.t.Error("a lie about Paxos has signed something")
	return crypto.Signature{}
}

// fake is a protocol whose engine puts out what it is told to.
type fake struct {
	consensus.Protocol
	consensus.Engine
	out *consensus.Output
}

func (f fake) New(consensus.Recovered) (consensus.Engine, error) { return f, nil }
func (f fake) Step(consensus.Burst) consensus.Output             { return *f.out }

// lab is a cluster of three whose members are stepped one by one.
type lab struct {
	*enginetest.Lab[consensus.Engine]
}

func newLab(t *testing.T) *lab { return &lab{enginetest.New[consensus.Engine](t, "paxos", 3)} }

// env is a traitor's: its signer must sign nothing.
func (l *lab) env(id consensus.ReplicaID) byzantine.Env {
	return byzantine.Env{Genesis: l.Genesis, Self: id, Signer: locked{l.T, l.Genesis.Replicas[id]}, Patience: 20, Seed: 3}
}

// member is an honest one.
func (l *lab) member(id consensus.ReplicaID) (consensus.Protocol, consensus.Engine) {
	l.T.Helper()
	c := paxos.DefaultConfig(l.Genesis, id)
	c.CheckEachStep = true
	p, err := paxos.New(c)
	if err != nil {
		l.T.Fatal(err)
	}
	e, err := p.New(consensus.Recovered{Now: 1e18})
	if err != nil {
		l.T.Fatal(err)
	}
	return p, e
}

// batch holds requests that the client has signed.
func (l *lab) batch(n int) *consensus.Batch {
	b := &consensus.Batch{Stamp: 7}
	for range n {
		b.Requests = append(b.Requests, l.Request())
	}
	return b
}

// liar is a traitor of the lab. What its engine puts out in a step stands in out;
// what it says is opened by the honest.
type liar struct {
	*lab
	id     consensus.ReplicaID
	engine consensus.Engine
	out    consensus.Output
	notes  int // of lies
}

func (l *lab) liar(id consensus.ReplicaID, text string) *liar {
	l.T.Helper()
	x := &liar{lab: l, id: id}
	x.engine = l.traitor(id, text, fake{out: &x.out})
	return x
}

// traitor is a protocol with a behaviour, in its first life.
func (l *lab) traitor(id consensus.ReplicaID, text string, p consensus.Protocol) consensus.Engine {
	l.T.Helper()
	s, err := all.Parse(text)
	if err != nil {
		l.T.Fatal(err)
	}
	e := l.env(id)
	plan, err := e.Plan(s)
	if err != nil {
		l.T.Fatal(err)
	}
	engine, err := byzantine.New(p, e, func() *byzantine.Plan { return plan }).New(consensus.Recovered{Now: 1e18})
	if err != nil {
		l.T.Fatal(err)
	}
	return engine
}

// said is what a frame tells one member.
type said struct {
	to      consensus.ReplicaID
	message any
}

// step has the engine send frames to all others, and the traitor hear what others
// say, each to whom it belongs. It is what leaves.
func (x *liar) step(frames [][]byte, heard ...word) []said {
	x.T.Helper()
	x.out = consensus.Output{}
	for _, f := range frames {
		x.out.Sends = append(x.out.Sends, consensus.Send{To: consensus.Peer{Kind: consensus.Everyone}, Bytes: f})
	}
	return x.hear(heard...)
}

func (x *liar) hear(heard ...word) (all []said) {
	x.T.Helper()
	events := []consensus.Event{consensus.Tick{}}
	for _, w := range heard {
		events = append(events, consensus.Receive{From: consensus.ReplicaPeer(w.from), Message: w.message})
	}
	out := x.engine.Step(consensus.Burst{Now: 1e18, Events: events})
	for _, s := range append(out.Early, out.Sends...) {
		p, _ := x.member(s.To.Replica)
		o := p.Open(x.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(x.id), Bytes: s.Bytes}})[0]
		if o.Event == nil {
			x.T.Errorf("%s is refused by %d: %s", paxos.Describe(s.Bytes), s.To.Replica, o.Reason)
		}
		all = append(all, said{s.To.Replica, decode(s.Bytes)})
	}
	for _, n := range out.Notes {
		if n.Kind == byzantine.Lied {
			x.notes++
		}
	}
	return all
}

// told are the messages of a kind that a member is told.
func told[M any](all []said, to consensus.ReplicaID) (list []M) {
	for _, s := range all {
		if m, ok := s.message.(M); ok && s.to == to {
			list = append(list, m)
		}
	}
	return list
}

// Each lie can be had by its name, takes no value that means nothing, and is
// none for Raft, but for the one that has the same name there.
func TestProfilesOfPaxos(t *testing.T) {
	l := newLab(t)
	e, other := l.env(1), l.env(1)
	other.Genesis.Protocol = "raft"
	for _, r := range Lies().Profiles {
		if _, err := e.Plan(byzantine.Spec{Profile: &r}); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if _, err := other.Plan(byzantine.Spec{Profile: &r}); !errors.Is(err, byzantine.ErrSpec) || !strings.Contains(err.Error(), "a lie of paxos") {
			t.Errorf("%s in Raft: %v", r.Name, err)
		}
	}
	for _, text := range []string{
		"fork-accepts body", "fork-accepts lead=perhaps", "forge-state true", "false-commit soon", "inflate-ballots by", "two-promises 2", "false-accepted all", "drop kind=MsgApp",
	} {
		s, err := all.Parse(text)
		if err == nil {
			_, err = e.Plan(s)
		}
		if !errors.Is(err, byzantine.ErrSpec) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A traitor speaks under its own ballots alone, and its proposals hold what clients
// have signed: the null batch has no rival.
func TestPaxosForger(t *testing.T) {
	l := newLab(t)
	e := l.env(2)
	f := newForger(&e)
	p, _ := l.member(1)
	b := l.batch(3)
	for _, how := range rivals {
		other, ok := rival(9, b, how)
		if !ok || other.Digest() == b.Digest() {
			t.Errorf("%s: no rival", how)
		}
		frame := (&paxos.Accept{Ballot: f.above(3), Slot: 9, Batch: other}).Encode()
		for from, want := range map[consensus.ReplicaID]consensus.Reason{2: "", 0: paxos.ReasonOwner} {
			if o := p.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(from), Bytes: frame}})[0]; o.Reason != want {
				t.Errorf("%s of %d: %q, want %q", how, from, o.Reason, want)
			}
		}
	}
	if _, ok := rival(9, nil, "stamp"); ok {
		t.Error("the null batch has a rival")
	}
	if last := f.last(); last.Owner(3) != 2 || f.above(last) != 0 || last > synod.MaxBallot {
		t.Errorf("the last ballot is %d", last)
	}
}

// fork-accepts lies where it says: to the half that it misleads, of proposals that
// have something in them, and the same when it is asked again.
func TestForkAcceptsMisleadsHalf(t *testing.T) {
	l := newLab(t)
	x := l.liar(0, "fork-accepts")
	b := l.batch(2)
	accept, null := paxos.Accept{Ballot: 3, Slot: 1, Batch: b}, paxos.Accept{Ballot: 3, Slot: 2}
	value := paxos.Value{Slot: 1, Ballot: 3, Chosen: true, Batch: b}
	out := x.step([][]byte{accept.Encode(), null.Encode(), value.Encode()})
	for to, misled := range map[consensus.ReplicaID]bool{1: false, 2: true} {
		accepts, values := told[*paxos.Accept](out, to), told[*paxos.Value](out, to)
		if len(accepts) != 2 || len(values) != 1 {
			t.Fatalf("%d is told %d proposals and %d values", to, len(accepts), len(values))
		}
		if (accepts[0].Batch.Digest() != b.Digest()) != misled || accepts[0].Ballot != 3 || accepts[0].Slot != 1 {
			t.Errorf("%d is proposed %+v", to, accepts[0])
		}
		if values[0].Batch.Digest() != accepts[0].Batch.Digest() || accepts[1].Batch != nil {
			t.Errorf("%d is told otherwise when it asks again", to)
		}
	}
	if x.notes != 1 {
		t.Errorf("it reports %d steps with lies", x.notes)
	}
}

// Who means to lead, and does not, speaks as whoever does, under its next ballot.
func TestForkAcceptsDeposes(t *testing.T) {
	l := newLab(t)
	for text, deposes := range map[string]bool{"fork-accepts": true, "fork-accepts lead=no": false} {
		x := l.liar(0, text)
		out := x.step(nil, word{1, &paxos.Heartbeat{Ballot: 4}})
		for _, to := range []consensus.ReplicaID{1, 2} {
			h := told[*paxos.Heartbeat](out, to)
			if (len(h) == 1 && h[0].Ballot == 6) != deposes {
				t.Errorf("%s: %d is told %v", text, to, h)
			}
		}
		if x.notes > 0 {
			t.Errorf("%s: that counts as a lie", text)
		}
	}
}

// false-commit tells one that a slot is chosen, hides it from the other, and helps
// that one to put something else there.
func TestFalseCommitIsTakenBack(t *testing.T) {
	l := newLab(t)
	x := l.liar(0, "false-commit")
	if out := x.step([][]byte{(&paxos.Heartbeat{Ballot: 3}).Encode()}); len(told[*paxos.Heartbeat](out, 2)) != 1 || x.notes > 0 {
		t.Fatalf("it lies before there is something to lie about: %v", out)
	}
	first, second := paxos.Accept{Ballot: 3, Slot: 1, Batch: l.batch(1)}, paxos.Accept{Ballot: 3, Slot: 2, Batch: l.batch(1)}
	out := x.step([][]byte{first.Encode(), second.Encode()})
	if len(told[*paxos.Accept](out, 1)) != 1 || len(told[*paxos.Commit](out, 1)) != 1 || told[*paxos.Commit](out, 1)[0].UpTo != 1 {
		t.Errorf("1 is told %v", out)
	}
	if len(told[*paxos.Accept](out, 2))+len(told[*paxos.Commit](out, 2)) > 0 {
		t.Errorf("2 is told %v", out)
	}
	out = x.step([][]byte{(&paxos.Heartbeat{Ballot: 3}).Encode()}, word{2, &paxos.Prepare{Ballot: 5}})
	if p := told[*paxos.Promise](out, 2); len(p) != 1 || p[0].Ballot != 5 || len(p[0].Votes) > 0 {
		t.Errorf("2 is promised %v", p)
	}
	if h := told[*paxos.Heartbeat](out, 1); len(h) != 1 || h[0].UpTo != 1 || len(told[*paxos.Heartbeat](out, 2)) > 0 {
		t.Errorf("heartbeats: %v", out)
	}
	out = x.step(nil, word{2, &paxos.Accept{Ballot: 5, Slot: 1, Batch: l.batch(1)}})
	if a := told[*paxos.Accepted](out, 2); len(a) != 1 || *a[0] != (paxos.Accepted{Ballot: 5, Slot: 1}) {
		t.Errorf("2 has the vote %v", a)
	}
}

// false-promise names nothing, gives nothing, and votes on for whoever it deceived.
func TestFalsePromiseHides(t *testing.T) {
	l := newLab(t)
	x := l.liar(0, "false-promise")
	x.out = consensus.Output{Sends: []consensus.Send{
		{To: consensus.ReplicaPeer(1), Bytes: paxos.EncodePromise(&paxos.Promise{Ballot: 4, Base: 3, Votes: []synod.Vote{{Slot: 5, Ballot: 3, Digest: crypto.Hash(nil)}}})},
		{To: consensus.ReplicaPeer(1), Bytes: (&paxos.Value{Slot: 2, Ballot: 3, Chosen: true}).Encode()},
		{To: consensus.ReplicaPeer(1), Bytes: paxos.EncodeState(paxos.State{Seq: 64, Root: crypto.Hash(nil)})},
	}}
	out := x.hear(word{1, &paxos.Prepare{Ballot: 4}})
	if p := told[*paxos.Promise](out, 1); len(out) != 1 || len(p) != 1 || p[0].Ballot != 4 || p[0].Base != 0 || len(p[0].Votes) > 0 {
		t.Errorf("1 is told %v", out)
	}
	out = x.step(nil, word{1, &paxos.Accept{Ballot: 4, Slot: 2}}, word{2, &paxos.Accept{Ballot: 2, Slot: 2}})
	if a := told[*paxos.Accepted](out, 1); len(out) != 1 || len(a) != 1 || *a[0] != (paxos.Accepted{Ballot: 4, Slot: 2}) {
		t.Errorf("votes: %v", out)
	}
}

// two-promises gives everybody what it asks for: a promise that names what was
// proposed, and a vote below it.
func TestTwoPromisesVotesBelowItsPromise(t *testing.T) {
	l := newLab(t)
	x := l.liar(0, "two-promises")
	b := l.batch(1)
	if out := x.step(nil, word{1, &paxos.Accept{Ballot: 4, Slot: 1, Batch: b}}); len(told[*paxos.Accepted](out, 1)) != 1 {
		t.Errorf("votes: %v", out)
	}
	out := x.step(nil, word{2, &paxos.Prepare{Ballot: 5}})
	if p := told[*paxos.Promise](out, 2); len(p) != 1 || len(p[0].Votes) != 1 || p[0].Votes[0] != (synod.Vote{Slot: 1, Ballot: 4, Digest: b.Digest()}) {
		t.Errorf("promises: %v", out)
	}
	x.out = consensus.Output{Sends: []consensus.Send{{To: consensus.ReplicaPeer(1), Bytes: (&paxos.Reject{Ballot: 4, Promised: 5}).Encode()}}}
	out = x.hear(word{1, &paxos.Accept{Ballot: 4, Slot: 2, Batch: b}}, word{1, &paxos.Heartbeat{Ballot: 4, Round: 8}})
	if a, h := told[*paxos.Accepted](out, 1), told[*paxos.Alive](out, 1); len(out) != 2 || len(a) != 1 || len(h) != 1 || h[0].Round != 8 {
		t.Errorf("below its promise: %v", out)
	}
}

// false-accepted votes, and its engine has never heard of a proposal: a promise of
// it names nothing.
func TestFalseAcceptedStoresNothing(t *testing.T) {
	l := newLab(t)
	p, _ := l.member(0)
	engine := l.traitor(0, "false-accepted", p)
	hear := func(m any) (all []any) {
		out := engine.Step(consensus.Burst{Now: 1e18, Events: []consensus.Event{consensus.Receive{From: consensus.ReplicaPeer(1), Message: m}}})
		if slices.ContainsFunc(out.Jobs, func(j consensus.Job) bool { _, commits := j.(consensus.Commit); return commits }) {
			t.Error("it executes what it has not stored")
		}
		for _, s := range append(out.Early, out.Sends...) {
			all = append(all, decode(s.Bytes))
		}
		return all
	}
	voted := func(m any) bool { a, ok := m.(*paxos.Accepted); return ok && a.Slot == 1 && a.Ballot == 4 }
	if all := hear(decode((&paxos.Accept{Ballot: 4, Slot: 1, Batch: l.batch(1)}).Encode())); !slices.ContainsFunc(all, voted) {
		t.Errorf("no vote: %v", all)
	}
	hear(&paxos.Commit{Ballot: 4, UpTo: 1})
	named := func(m any) bool { p, ok := m.(*paxos.Promise); return ok && len(p.Votes) == 0 && p.Ballot == 7 }
	if all := hear(&paxos.Prepare{Ballot: 7}); !slices.ContainsFunc(all, named) {
		t.Errorf("promises %v", all)
	}
}

// forge-state names a state of its own at a checkpoint, and has its parts.
func TestForgeStateServesAnother(t *testing.T) {
	l := newLab(t)
	x := l.liar(0, "forge-state")
	n := l.Genesis.CheckpointInterval
	if out := x.step(nil, word{1, &paxos.Accept{Ballot: 4, Slot: n - 1, Batch: l.batch(1)}}); len(out) > 0 {
		t.Errorf("between checkpoints: %v", out)
	}
	out := x.step(nil, word{1, &paxos.Accept{Ballot: 4, Slot: n, Batch: l.batch(1)}})
	named := told[paxos.State](out, 2)
	if len(out) != 1 || len(named) != 1 || named[0].Seq != n || named[0].Root.IsZero() {
		t.Fatalf("names %v", out)
	}
	ask := &paxos.Fetch{Seq: n, Root: named[0].Root, Items: []consensus.Item{{ID: "n", Hash: named[0].Root}}}
	out = x.step(nil, word{2, ask})
	if parts := told[*paxos.FetchReply](out, 2); len(parts) != 1 || parts[0].Root != named[0].Root || len(parts[0].Parts) == 0 || parts[0].Gone {
		t.Errorf("serves %v", out)
	}
	if x.notes != 2 {
		t.Errorf("it reports %d steps with lies", x.notes)
	}
}

// inflate-ballots tells everybody of a ballot above whoever leads or prepares, each
// time a higher one, and never prepares itself.
func TestInflateBallotsSpeaksAbove(t *testing.T) {
	l := newLab(t)
	for how, want := range map[string][]synod.Ballot{
		"next": {6, 9}, "far": {4 + 1<<20 + 1, 7 + 1<<20 + 1}, "last": {synod.MaxBallot - 1, synod.MaxBallot - 1},
	} {
		x := l.liar(0, "inflate-ballots "+how)
		prepare := (&paxos.Prepare{Ballot: 9}).Encode()
		for i, m := range []any{&paxos.Heartbeat{Ballot: 4}, &paxos.Prepare{Ballot: 7}} {
			out := x.step([][]byte{prepare}, word{1, m})
			for _, to := range []consensus.ReplicaID{1, 2} {
				h := told[*paxos.Heartbeat](out, to)
				if len(h) != 1 || h[0].Ballot < want[i] || h[0].Ballot > want[i]+3 || h[0].Ballot.Owner(3) != 0 || len(told[*paxos.Prepare](out, to)) > 0 {
					t.Errorf("%s: %d is told %v, want %d", how, to, out, want[i])
				}
			}
		}
	}
}

// Behaviours of no protocol choose frames by Paxos' own names, in any case.
func TestKindsOfPaxos(t *testing.T) {
	x := newLab(t).liar(2, "drop kind=ACCEPTED,prepare")
	out := x.step([][]byte{(&paxos.Prepare{Ballot: 5}).Encode(), (&paxos.Heartbeat{Ballot: 5}).Encode()})
	if len(out) != 2 || len(told[*paxos.Heartbeat](out, 0)) != 1 {
		t.Errorf("says %v", out)
	}
}
