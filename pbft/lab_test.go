package pbft

import (
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// lab runs engines by hand: every frame waits until a test delivers it, every
// record is kept, and a test holds all keys, so that it can speak as a liar.
// Execution is a hash chain of batch digests, whose head is the root.
type lab struct {
	t       *testing.T
	genesis consensus.Genesis
	rules   *message.Rules
	ring    *crypto.Keyring
	verify  crypto.Verifier
	keys    []crypto.Signer
	client  crypto.Signer
	desks   []*desk
	mail    []letter
	now     consensus.Time
	counter uint64
}

// desk is one replica with its disk.
type desk struct {
	engine   *replica
	records  []consensus.Record
	executed []consensus.Commit
	answers  []*consensus.Request
	refusals []consensus.Refusal
	notes    []consensus.Note
	head     crypto.Digest
	heads    map[consensus.Seq]crypto.Digest
	kept     consensus.Seq
	forget   consensus.Seq
	proof    []byte
	jobs     []consensus.Job // the queue of execution
	working  bool
	target   consensus.RestoreBegin
	host     func(consensus.Job) []consensus.Event // restores, if a test plays them
	heard    func(frame []byte)                    // hears what is sent
	halt     string
}

type letter struct {
	from, to consensus.ReplicaID
	bytes    []byte
}

const labTick = consensus.Time(10e6)

func newLab(t *testing.T, n int, change ...func(*consensus.Genesis)) *lab {
	l := &lab{t: t, ring: crypto.NewKeyring(), now: consensus.Time(1e18)}
	l.verify = crypto.NewSimVerifier(l.ring)
	var members []crypto.PublicKey
	for i := range n {
		s := crypto.NewSimSigner(l.ring, [32]byte{byte(i + 1)})
		l.keys = append(l.keys, s)
		members = append(members, s.Public())
	}
	l.client = crypto.NewSimSigner(l.ring, [32]byte{200})
	l.genesis = consensus.NewGenesis("lab", "pbft", members)
	l.genesis.CheckpointInterval, l.genesis.Window = 2, 8
	l.genesis.Clients = []consensus.ClientEntry{{Key: l.client.Public(), Role: consensus.RoleWriter}}
	for _, f := range change {
		f(&l.genesis)
	}
	rules, err := message.NewRules(l.genesis)
	if err != nil {
		t.Fatal(err)
	}
	l.rules = rules
	for i := range n {
		l.desks = append(l.desks, &desk{heads: map[consensus.Seq]crypto.Digest{}})
		l.start(i, false)
	}
	return l
}

// start gives replica i an engine from what its disk holds.
func (l *lab) start(i int, amnesiac bool) {
	l.t.Helper()
	d := l.desks[i]
	c := DefaultConfig(l.genesis, consensus.ReplicaID(i), l.keys[i], l.verify)
	c.Patience, c.PatienceCap, c.StatusEvery, c.RejoinEvery, c.CheckEachStep = 20, 160, 5, 50, true
	p, err := New(c)
	if err != nil {
		l.t.Fatal(err)
	}
	e, err := p.New(consensus.Recovered{
		Now: l.now, Amnesiac: amnesiac, Nonce: l.counter + 77, Records: d.records,
		Height: d.kept, Root: d.heads[d.kept], Certificate: d.proof,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	d.engine, d.jobs = e.(*replica), nil
	d.head = d.heads[d.kept]
	if int(d.kept) < len(d.executed) {
		d.executed = d.executed[:d.kept]
	}
}

// step hands events to replica i and does what it says.
func (l *lab) step(i int, events ...consensus.Event) consensus.Output {
	d := l.desks[i]
	out := d.engine.Step(consensus.Burst{Now: l.now, Events: events})
	d.records = append(d.records, out.Records...)
	d.refusals = append(d.refusals, out.Refusals...)
	d.notes = append(d.notes, out.Notes...)
	d.forget = max(d.forget, out.Forget)
	if out.Halt != "" {
		d.halt = out.Halt
	}
	for _, s := range append(append([]consensus.Send(nil), out.Early...), out.Sends...) {
		if d.heard != nil {
			d.heard(s.Bytes)
		}
		for j := range l.desks {
			if s.To.Kind == consensus.Everyone && j != i || s.To.Kind == consensus.PeerReplica && int(s.To.Replica) == j {
				l.mail = append(l.mail, letter{consensus.ReplicaID(i), consensus.ReplicaID(j), s.Bytes})
			}
		}
	}
	for _, read := range out.Reads {
		l.step(i, consensus.Chunk{Read: read, Gone: true}) // nobody here has snapshots
	}
	d.jobs = append(d.jobs, out.Jobs...)
	for !d.working && len(d.jobs) > 0 {
		job := d.jobs[0]
		d.jobs, d.working = d.jobs[1:], true
		events := l.perform(i, job)
		d.working = false
		if len(events) > 0 {
			l.step(i, events...)
		}
	}
	return out
}

// perform does one job, in the order of the queue, and returns what to tell of it.
func (l *lab) perform(i int, job consensus.Job) []consensus.Event {
	d := l.desks[i]
	switch job := job.(type) {
	case consensus.Commit:
		if int(job.Seq) != len(d.executed)+1 {
			l.t.Fatalf("R%d executes %d after %d", i, job.Seq, len(d.executed))
		}
		if job.Batch.Digest() != job.Digest {
			l.t.Fatalf("R%d executes another batch in slot %d than the certified one", i, job.Seq)
		}
		d.executed = append(d.executed, job)
		d.head = crypto.Hash(append(d.head[:], job.Digest[:]...))
		var root crypto.Digest
		if job.Seq%l.genesis.CheckpointInterval == 0 {
			root = d.head
			d.heads[job.Seq] = root
		}
		return []consensus.Event{consensus.Executed{Seq: job.Seq, Root: root}}
	case consensus.Stabilize:
		d.kept, d.proof = job.Seq, job.Certificate
		return []consensus.Event{consensus.Kept{Seq: job.Seq}}
	case consensus.RestoreBegin:
		d.executed, d.head = d.executed[:d.kept], d.heads[d.kept] // as the host does; parts are up to the test
		if d.host != nil {
			return d.host(job)
		}
	case consensus.RestorePut, consensus.RestoreEnd:
		if d.host != nil {
			return d.host(job)
		}
	case consensus.Answer:
		d.answers = append(d.answers, job.Request)
		if l.everExecuted(job.Request) {
			return []consensus.Event{consensus.Settled(job)}
		}
	}
	return nil
}

// everExecuted stands for the session table, which is the same everywhere.
func (l *lab) everExecuted(q *consensus.Request) bool {
	for _, d := range l.desks {
		for _, c := range d.executed {
			if c.Batch != nil && slices.ContainsFunc(c.Batch.Requests, func(r *consensus.Request) bool { return r.Digest == q.Digest }) {
				return true
			}
		}
	}
	return false
}

// deliver hands over what waits, and what that brings about, until nothing
// does. keep says which letters arrive; the others are lost.
func (l *lab) deliver(keep ...func(letter) bool) {
	for len(l.mail) > 0 {
		m := l.mail[0]
		l.mail = l.mail[1:]
		ok := true
		for _, k := range keep {
			ok = ok && k(m)
		}
		if ok {
			l.give(int(m.to), consensus.ReplicaPeer(m.from), m.bytes)
		}
	}
}

// give opens a frame at replica i and, if it opens, steps with it.
func (l *lab) give(i int, from consensus.Peer, frame []byte) consensus.Reason {
	e := l.desks[i].engine
	h, _ := e.Horizon().(*message.Horizon)
	o := l.rules.Open(l.verify, h, []consensus.Frame{{From: from, Bytes: frame}})[0]
	if o.Event == nil {
		return o.Reason
	}
	before := len(l.desks[i].notes)
	l.step(i, o.Event)
	for _, n := range l.desks[i].notes[before:] {
		if n.Kind == consensus.Ignored {
			return n.Reason
		}
	}
	return ""
}

// request is the client's next request.
func (l *lab) request() *consensus.Request {
	l.counter++
	return consensus.SignRequest(l.client, l.rules.Cluster, consensus.Sequence{Epoch: 1, Counter: l.counter}, [][]byte{[]byte(fmt.Sprint(l.counter))})
}

func (l *lab) submit(r *consensus.Request, replicas ...int) {
	for _, i := range replicas {
		l.give(i, consensus.ClientPeer(r.Client), r.Raw)
	}
}

// ticks lets time pass at the given replicas, delivering in between what keep
// lets through.
func (l *lab) ticks(n int, at []int, keep ...func(letter) bool) {
	for range n {
		l.now += labTick
		for _, i := range at {
			l.step(i, consensus.Tick{})
		}
		l.deliver(keep...)
	}
}

func (l *lab) all() []int {
	var ids []int
	for i := range l.desks {
		ids = append(ids, i)
	}
	return ids
}

// cut drops from a log all that the engine has allowed to be dropped: what a
// host may do whose segments are one record long.
func (d *desk) cut() {
	d.records = slices.DeleteFunc(d.records, func(r consensus.Record) bool { return r.Slot <= d.forget })
}

// vote signs as replica i.
func (l *lab) vote(i int, k message.Kind, v consensus.View, n consensus.Seq, d crypto.Digest) []byte {
	w := l.rules.SignVote(l.keys[i], message.Vote{Kind: k, View: v, Seq: n, Digest: d, Replica: consensus.ReplicaID(i)})
	return w.Encode()
}

// propose signs a proposal as the primary of view v.
func (l *lab) propose(v consensus.View, n consensus.Seq, stamp consensus.Time, requests ...*consensus.Request) *message.PrePrepare {
	b := &consensus.Batch{Stamp: stamp, Requests: requests}
	i := l.rules.System.Primary(v)
	return l.rules.NewPrePrepare(l.keys[i], message.Vote{View: v, Seq: n, Digest: b.Digest(), Replica: i}, b)
}

func (l *lab) wantExecuted(n int, at ...int) {
	l.t.Helper()
	for _, i := range at {
		if got := len(l.desks[i].executed); got != n {
			l.t.Errorf("R%d has executed %d batches, want %d; it waits for %v", i, got, n, l.desks[i].engine.Status().Waiting)
		}
	}
}

func (l *lab) wantView(v consensus.View, at ...int) {
	l.t.Helper()
	for _, i := range at {
		if st := l.desks[i].engine.Status(); st.View != v || st.Changing {
			l.t.Errorf("R%d is in view %d (changing %v), want %d", i, st.View, st.Changing, v)
		}
	}
}

// noted counts a replica's notes of one kind.
func (d *desk) noted(k consensus.NoteKind) int {
	n := 0
	for _, note := range d.notes {
		if note.Kind == k {
			n++
		}
	}
	return n
}

// only lets through letters among these replicas.
func only(ids ...int) func(letter) bool {
	in := map[consensus.ReplicaID]bool{}
	for _, i := range ids {
		in[consensus.ReplicaID(i)] = true
	}
	return func(m letter) bool { return in[m.from] && in[m.to] }
}

// without loses letters of these kinds.
func without(kinds ...message.Kind) func(letter) bool {
	return func(m letter) bool {
		for _, k := range kinds {
			if message.Kind(m.bytes[0]) == k {
				return false
			}
		}
		return true
	}
}
