package raft

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/raft"
)

// all are the behaviours that a member of Raft can have.
var all = append(byzantine.Neutral(), Lies().Profiles...)

// locked is a signer that must not sign.
type locked struct {
	t   testing.TB
	key crypto.PublicKey
}

func (l locked) Public() crypto.PublicKey { return l.key }

func (l locked) Sign(crypto.Domain, []byte) crypto.Signature {
	l.t.Error("a lie about Raft has signed something")
	return crypto.Signature{}
}

// fake is a protocol whose engine sends the same in each step.
type fake struct {
	consensus.Protocol
	consensus.Engine
	out consensus.Output
}

func (f fake) New(consensus.Recovered) (consensus.Engine, error) { return f, nil }
func (f fake) Step(consensus.Burst) consensus.Output             { return f.out }

// steps is one step of a traitor whose engine sends out.
func steps(t *testing.T, e byzantine.Env, out consensus.Output, text string) consensus.Output {
	t.Helper()
	s, err := all.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := e.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := byzantine.New(fake{out: out}, e, func() *byzantine.Plan { return plan }).New(consensus.Recovered{})
	if err != nil {
		t.Fatal(err)
	}
	return engine.Step(consensus.Burst{Now: 1e18, Events: []consensus.Event{consensus.Tick{}}})
}

// lab is a cluster of three whose members are stepped one by one.
type lab struct {
	*enginetest.Lab[consensus.Engine]
}

func newLab(t *testing.T) *lab { return &lab{enginetest.New[consensus.Engine](t, "raft", 3)} }

// env is a traitor's: its signer must sign nothing.
func (l *lab) env(id consensus.ReplicaID) byzantine.Env {
	return byzantine.Env{Genesis: l.Genesis, Self: id, Signer: locked{l.T, l.Genesis.Replicas[id]}, Patience: 20, Seed: 3}
}

// member is an honest one.
func (l *lab) member(id consensus.ReplicaID) (consensus.Protocol, consensus.Engine) {
	l.T.Helper()
	c := raft.DefaultConfig(l.Genesis, id)
	c.CheckEachStep = true
	p, err := raft.New(c)
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

func entryOf(term, index uint64, b *consensus.Batch) pb.Entry {
	return pb.Entry{Term: term, Index: index, Data: b.Append(nil)}
}

// hears opens a frame at a member as it comes from another.
func (l *lab) hears(p consensus.Protocol, from consensus.ReplicaID, frame []byte) consensus.Opened {
	return p.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(from), Bytes: frame}})[0]
}

// What the forger makes is what an honest member opens, if it comes through the
// traitor's own channel, and not if it comes through any other: it has no key,
// and speaks for nobody else.
func TestRaftForger(t *testing.T) {
	l := newLab(t)
	e := l.env(2)
	f := newForger(&e)
	p, _ := l.member(1)
	true1 := entryOf(4, 9, l.batch(3))
	frames := [][]byte{
		f.frame(1, f.append(4, place{8, 4}, 9, true1)), f.frame(1, f.snapshot(5, 64, crypto.Hash([]byte("state")))),
		f.frame(1, pb.Message{Type: pb.MsgVoteResp, Term: 5, From: number(0)}),
	}
	for _, how := range entryRivals {
		other, ok := rivalEntry(true1, how)
		if !ok || slices.Equal(other.Data, true1.Data) || other.Index != 9 || other.Term != 4 {
			t.Errorf("%s: no rival: %v", how, other)
		}
		frames = append(frames, f.frame(1, f.append(4, place{8, 4}, 9, other)))
	}
	for _, frame := range frames {
		if o := l.hears(p, 2, frame); o.Event == nil {
			t.Errorf("%s is refused: %s", raft.Describe(frame), o.Reason)
		}
		if o := l.hears(p, 0, frame); o.Reason != raft.ReasonSender {
			t.Errorf("%s is taken for another's: %q", raft.Describe(frame), o.Reason)
		}
	}
	if _, ok := rivalEntry(pb.Entry{Term: 1, Index: 1}, "empty"); ok {
		t.Error("an empty entry has a rival")
	}
}

// Each lie can be had by its name, takes no value that means nothing, and is
// none for PBFT.
func TestProfilesOfRaft(t *testing.T) {
	l := newLab(t)
	e, other := l.env(1), l.env(1)
	other.Genesis.Protocol = "pbft"
	for _, r := range Lies().Profiles {
		if _, err := e.Plan(byzantine.Spec{Profile: &r}); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if _, err := other.Plan(byzantine.Spec{Profile: &r}); !errors.Is(err, byzantine.ErrSpec) || !strings.Contains(err.Error(), "a lie of raft") {
			t.Errorf("%s in PBFT: %v", r.Name, err)
		}
	}
	for _, text := range []string{
		"fork-entries body", "fork-entries lead=perhaps", "forge-append never", "forge-snapshot true", "false-commit soon", "crash-heartbeat slowly", "inflate-terms by", "two-votes 2",
		"false-ack all", "drop kind=PREPARE",
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

// Behaviours of no protocol choose frames by the library's names, in any case.
func TestKindsOfRaft(t *testing.T) {
	l := newLab(t)
	e := l.env(2)
	f := newForger(&e)
	frames := map[string][]byte{
		"MsgApp": f.frame(1, f.append(1, place{}, 0)), "MsgAppResp": f.frame(1, pb.Message{Type: pb.MsgAppResp, Term: 1}), "MsgSnap": f.frame(1, f.snapshot(1, 64, crypto.Digest{})),
		"MsgVote": f.frame(1, pb.Message{Type: pb.MsgVote, Term: 2}), "FETCH": (&raft.Fetch{Seq: 8, Items: []consensus.Item{{ID: "n"}}}).Encode(raft.FetchKind), "FETCH-REPLY": (&raft.FetchReply{Seq: 8}).Encode(raft.FetchReplyKind),
	}
	var all consensus.Output
	for _, frame := range frames {
		all.Sends = append(all.Sends, consensus.Send{To: consensus.ReplicaPeer(1), Bytes: frame})
	}
	sent := steps(t, e, all, "drop kind=MsgApp,fetch").Sends
	if len(sent) != len(frames)-2 {
		t.Errorf("%d of %d are sent", len(sent), len(frames))
	}
	for _, s := range sent {
		if bytes.Equal(s.Bytes, frames["MsgApp"]) || bytes.Equal(s.Bytes, frames["FETCH"]) {
			t.Errorf("%s is sent", raft.Describe(s.Bytes))
		}
	}
}

// An honest member survives what the library panics on, says what happened, and
// goes on as if it had not heard it.
func TestCrashesAreSurvived(t *testing.T) {
	l := newLab(t)
	e := l.env(2)
	f := newForger(&e)
	p, victim := l.member(1)
	say := func(m pb.Message) consensus.Output {
		t.Helper()
		o := l.hears(p, 2, f.frame(1, m))
		if o.Event == nil {
			t.Fatalf("%s is refused: %s", m.Type, o.Reason)
		}
		return victim.Step(consensus.Burst{Now: 1e18, Events: []consensus.Event{o.Event}})
	}
	say(f.append(1, place{}, 0, entryOf(1, 1, l.batch(1))))
	out := say(pb.Message{Type: pb.MsgHeartbeat, Term: 1, Commit: 1 << 40})
	if !slices.ContainsFunc(out.Notes, func(n consensus.Note) bool {
		return n.Kind == consensus.Ignored && n.Reason == raft.ReasonPanic && n.Replica == 2 && strings.Contains(n.Text, "MsgHeartbeat")
	}) {
		t.Errorf("nothing is said of the heartbeat: %v", out.Notes)
	}
	out = say(f.append(1, place{1, 1}, 2, entryOf(1, 2, l.batch(1))))
	if commits := len(out.Jobs); commits != 2 {
		t.Errorf("%d jobs after the next append, want both entries executed: %v", commits, out.Jobs)
	}
}

// The interceptor lies only where it says: to the half that it misleads, in entries.
func TestForkEntriesMisleadsHalf(t *testing.T) {
	l := newLab(t)
	e := l.env(0)
	f := newForger(&e)
	b := l.batch(2)
	var honest consensus.Output
	for to := consensus.ReplicaID(1); to < 3; to++ {
		honest.Sends = append(honest.Sends, consensus.Send{To: consensus.ReplicaPeer(to), Bytes: f.frame(to, f.append(1, place{}, 0, entryOf(1, 1, b)))})
	}
	out := steps(t, e, honest, "fork-entries")
	told := map[consensus.ReplicaID]crypto.Digest{}
	for _, s := range out.Sends {
		m := decode(s.Bytes)
		got, err := raft.ReadEntry(&m.Entries[0])
		if err != nil {
			t.Fatal(err)
		}
		told[s.To.Replica] = got.Digest()
	}
	if told[1] != b.Digest() || told[2] == b.Digest() || len(told) != 2 {
		t.Errorf("told %v", told)
	}
	if !slices.ContainsFunc(out.Notes, func(n consensus.Note) bool { return n.Kind == byzantine.Lied && n.Reason == "fork-entries" }) {
		t.Errorf("it does not report it: %v", out.Notes)
	}
}
