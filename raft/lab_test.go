package raft

import (
	"fmt"
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// lab runs engines by hand: every frame waits until a test delivers it, every
// record is kept, and a test may say anything in a member's name. Execution is a
// hash chain of batch digests, whose head is the root; a state has one part,
// the list of digests. Whatever two replicas execute in one place must be equal.
type lab struct {
	t       testing.TB
	genesis consensus.Genesis
	change  []func(*Config)
	verify  crypto.Verifier
	client  crypto.Signer
	desks   []*desk
	mail    []letter
	now     consensus.Time
	counter uint64
	life    uint64
	history map[consensus.Seq]consensus.Commit
	batches map[crypto.Digest]*consensus.Batch
}

// desk is one replica with its disk and its host.
type desk struct {
	protocol *Protocol
	engine   *replica // nil while it is down
	outs     []consensus.Output
	records  []consensus.Record
	forget   consensus.Seq
	done     []consensus.Commit // executed, from 1 on
	disk     state              // what the disk holds of the state
	staged   *state
	target   consensus.RestoreBegin
	jobs     []consensus.Job
	all      []consensus.Job                       // ever asked for
	stands   bool                                  // the host does no jobs
	blind    bool                                  // ... and serves no parts
	bad      int                                   // so many parts are spoilt before they leave
	host     func(consensus.Job) []consensus.Event // restores, if a test plays them
	notes    []consensus.Note
	refusals []consensus.Refusal
}

type state struct {
	seq     consensus.Seq
	digests []crypto.Digest
	proof   []byte
	named   crypto.Digest // the root, if a test made it up
}

func (s *state) root() (head crypto.Digest) {
	if !s.named.IsZero() {
		return s.named
	}
	for _, d := range s.digests {
		head = crypto.Hash(append(head[:], d[:]...))
	}
	return head
}

func (s *state) encode() (b []byte) {
	for _, d := range s.digests {
		b = append(b, d[:]...)
	}
	return b
}

type letter struct {
	from, to consensus.ReplicaID
	early    bool
	bytes    []byte
}

const labTick = consensus.Time(10e6)

func newLab(t testing.TB, n int, change ...func(*Config)) *lab {
	ring := crypto.NewKeyring()
	l := &lab{t: t, change: change, now: consensus.Time(1e18), history: map[consensus.Seq]consensus.Commit{}, batches: map[crypto.Digest]*consensus.Batch{}}
	l.verify = crypto.NewSimVerifier(ring)
	var members []crypto.PublicKey
	for i := range n {
		members = append(members, crypto.NewSimSigner(ring, [32]byte{byte(i + 1)}).Public())
	}
	l.client = crypto.NewSimSigner(ring, [32]byte{200})
	l.genesis = consensus.NewGenesis("lab", "raft", members)
	l.genesis.CheckpointInterval, l.genesis.Window = 2, 8
	l.genesis.Limits.BatchRequests = 4
	l.genesis.Clients = []consensus.ClientEntry{{Key: l.client.Public(), Role: consensus.RoleWriter}}
	for i := range n {
		l.desks = append(l.desks, &desk{})
		l.start(i)
	}
	return l
}

// start gives replica i an engine from what its disk holds.
func (l *lab) start(i int) {
	l.t.Helper()
	if err := l.try(i, false); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) try(i int, amnesiac bool) error {
	d := l.desks[i]
	c := DefaultConfig(l.genesis, consensus.ReplicaID(i))
	c.Election, c.Heartbeat, c.Pipeline, c.CheckEachStep = 10, 2, 4, true
	for _, f := range l.change {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		l.t.Fatal(err)
	}
	l.life++
	e, err := p.New(consensus.Recovered{
		Now: l.now, Amnesiac: amnesiac, Nonce: l.life, Records: d.records,
		Height: d.disk.seq, Root: d.disk.root(), Certificate: d.disk.proof,
	})
	if err != nil {
		return err
	}
	d.protocol, d.engine, d.jobs, d.staged, d.stands = p, e.(*replica), nil, nil, false
	d.back()
	return nil
}

// back is what the host does when it drops what is executed above the disk.
func (d *desk) back() { d.done = d.done[:min(len(d.done), int(d.disk.seq))] }

// crash kills replica i. What it recorded is on disk.
func (l *lab) crash(is ...int) {
	for _, i := range is {
		l.desks[i].engine = nil
	}
}

// step hands events to replica i and does what it says.
func (l *lab) step(i int, events ...consensus.Event) consensus.Output {
	d := l.desks[i]
	if d.engine == nil {
		return consensus.Output{}
	}
	out := d.engine.Step(consensus.Burst{Now: l.now, Events: events})
	d.outs = append(d.outs, out)
	d.records, d.refusals, d.notes = append(d.records, out.Records...), append(d.refusals, out.Refusals...), append(d.notes, out.Notes...)
	d.forget = max(d.forget, out.Forget)
	l.post(i, true, out.Early)
	l.post(i, false, out.Sends)
	d.jobs, d.all = append(d.jobs, out.Jobs...), append(d.all, out.Jobs...)
	var told []consensus.Event
	for _, read := range out.Reads {
		told = append(told, l.read(d, read))
	}
	for !d.stands && len(d.jobs) > 0 {
		job := d.jobs[0]
		d.jobs = d.jobs[1:]
		told = append(told, l.perform(i, job)...)
	}
	if len(told) > 0 {
		l.step(i, told...)
	}
	return out
}

func (l *lab) post(i int, early bool, sends []consensus.Send) {
	for _, s := range sends {
		if s.To.Kind == consensus.PeerObserver && early {
			continue
		}
		if s.To.Kind != consensus.PeerReplica || int(s.To.Replica) >= len(l.desks) || int(s.To.Replica) == i {
			l.t.Fatalf("R%d sends to %v", i, s.To)
		}
		l.mail = append(l.mail, letter{consensus.ReplicaID(i), s.To.Replica, early, s.Bytes})
	}
}

// read serves the only part of a state.
func (l *lab) read(d *desk, read consensus.ChunkRead) consensus.Event {
	if d.blind || read.Seq != d.disk.seq || read.Root != d.disk.root() {
		return consensus.Chunk{Read: read, Gone: true}
	}
	b := d.disk.encode()
	if d.bad > 0 {
		d.bad--
		b[0] ^= 1
	}
	return consensus.Chunk{Read: read, Parts: []consensus.Part{{ID: "all", Bytes: b}}}
}

// perform does one job and returns what to tell of it.
func (l *lab) perform(i int, job consensus.Job) []consensus.Event {
	d := l.desks[i]
	if d.host != nil {
		switch job.(type) {
		case consensus.RestorePut, consensus.RestoreEnd:
			return d.host(job)
		}
	}
	switch job := job.(type) {
	case consensus.Commit:
		return l.execute(i, job)
	case consensus.Stabilize:
		if int(job.Seq) > len(d.done) {
			l.t.Fatalf("R%d is told to keep %d and has executed %d", i, job.Seq, len(d.done))
		}
		d.disk = state{seq: job.Seq, digests: d.digests(job.Seq), proof: job.Certificate}
		if d.disk.root() != job.Root {
			l.t.Fatalf("R%d is told to keep another state at %d than it has", i, job.Seq)
		}
		return []consensus.Event{consensus.Kept{Seq: job.Seq}}
	case consensus.RestoreBegin:
		d.back()
		d.target = job
		if d.staged != nil && d.staged.root() == job.Root {
			return []consensus.Event{consensus.Staged{}}
		}
		return []consensus.Event{consensus.Staged{Missing: []consensus.Item{{ID: "all", Hash: job.Root}}}}
	case consensus.RestorePut:
		return []consensus.Event{d.put(job)}
	case consensus.RestoreEnd:
		if d.staged == nil || d.staged.root() != d.target.Root {
			return []consensus.Event{consensus.Restored{Seq: d.target.Seq, Root: d.target.Root}}
		}
		d.disk = state{seq: d.target.Seq, digests: d.staged.digests, proof: d.target.Certificate}
		d.done = nil
		for n, digest := range d.disk.digests {
			d.done = append(d.done, consensus.Commit{Seq: consensus.Seq(n + 1), Digest: digest, Batch: l.batches[digest]})
		}
		return []consensus.Event{consensus.Restored{Seq: d.target.Seq, Root: d.target.Root, OK: true}}
	case consensus.RestoreAbort:
		d.back()
	case consensus.Answer:
		if l.everExecuted(job.Request) {
			return []consensus.Event{consensus.Settled(job)}
		}
	}
	return nil
}

func (l *lab) execute(i int, job consensus.Commit) []consensus.Event {
	d := l.desks[i]
	if int(job.Seq) != len(d.done)+1 {
		l.t.Fatalf("R%d executes %d after %d", i, job.Seq, len(d.done))
	}
	if job.Batch.Digest() != job.Digest {
		l.t.Fatalf("R%d executes another batch at %d than its digest names", i, job.Seq)
	}
	if was, ok := l.history[job.Seq]; ok && (was.Digest != job.Digest || was.View != job.View) {
		l.t.Fatalf("FORK: R%d executes %s of term %d at %d, another one %s of term %d", i, job.Digest.Short(), job.View, job.Seq, was.Digest.Short(), was.View)
	}
	l.history[job.Seq], l.batches[job.Digest] = job, job.Batch
	d.done = append(d.done, job)
	var root crypto.Digest
	if job.Seq%l.genesis.CheckpointInterval == 0 {
		s := state{digests: d.digests(job.Seq)}
		root = s.root()
	}
	return []consensus.Event{consensus.Executed{Seq: job.Seq, Root: root}}
}

// put verifies the only part against the root.
func (d *desk) put(job consensus.RestorePut) consensus.Staged {
	s := &state{}
	b := job.Parts[0].Bytes
	for len(b) >= crypto.DigestSize {
		s.digests, b = append(s.digests, crypto.Digest(b[:crypto.DigestSize])), b[crypto.DigestSize:]
	}
	if s.root() != d.target.Root {
		return consensus.Staged{From: job.From, Put: true, Bad: job.Items}
	}
	d.staged = s
	return consensus.Staged{From: job.From, Put: true, Done: job.Items}
}

func (d *desk) digests(n consensus.Seq) (list []crypto.Digest) {
	for _, c := range d.done[:n] {
		list = append(list, c.Digest)
	}
	return list
}

// everExecuted stands for the session table, which is the same everywhere.
func (l *lab) everExecuted(q *consensus.Request) bool { return l.executions(q) > 0 }

// executions counts the places of the history that hold a request.
func (l *lab) executions(q *consensus.Request) (n int) {
	for _, c := range l.history {
		if c.Batch != nil && slices.ContainsFunc(c.Batch.Requests, func(r *consensus.Request) bool { return r.Digest == q.Digest }) {
			n++
		}
	}
	return n
}

// deliver hands over what waits, and what that brings about, until nothing
// does. keep says which letters arrive; the others are lost.
func (l *lab) deliver(keep ...func(letter) bool) {
	for len(l.mail) > 0 {
		m := l.mail[0]
		l.mail = l.mail[1:]
		if !slices.ContainsFunc(keep, func(k func(letter) bool) bool { return !k(m) }) {
			l.give(int(m.to), consensus.ReplicaPeer(m.from), m.bytes)
		}
	}
}

// give opens a frame at replica i and, if it opens, steps with it.
func (l *lab) give(i int, from consensus.Peer, frame []byte) consensus.Reason {
	d := l.desks[i]
	if d.engine == nil {
		return "down"
	}
	o := d.protocol.Open(l.verify, nil, []consensus.Frame{{From: from, Bytes: frame}})[0]
	if o.Event == nil {
		return o.Reason
	}
	before := len(d.notes)
	l.step(i, o.Event)
	for _, n := range d.notes[before:] {
		if n.Kind == consensus.Ignored {
			return n.Reason
		}
	}
	return ""
}

// say lets a member say one of the library's messages to another.
func (l *lab) say(from, to int, m pb.Message) consensus.Reason {
	m.From, m.To = uint64(from+1), uint64(to+1)
	return l.give(to, consensus.ReplicaPeer(consensus.ReplicaID(from)), EncodeMessage(&m))
}

// request is the client's next request.
func (l *lab) request() *consensus.Request {
	l.counter++
	return l.numbered(l.counter, fmt.Sprint(l.counter))
}

func (l *lab) numbered(counter uint64, op string) *consensus.Request {
	return consensus.SignRequest(l.client, l.genesis.ID(), consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{[]byte(op)})
}

func (l *lab) submit(q *consensus.Request, replicas ...int) {
	for _, i := range replicas {
		l.give(i, consensus.ClientPeer(q.Client), q.Raw)
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

// elect lets time pass at one replica only, until it leads.
func (l *lab) elect(i int, keep ...func(letter) bool) {
	l.t.Helper()
	for range 60 {
		if l.desks[i].engine.leading() {
			l.deliver(keep...)
			return
		}
		l.ticks(1, []int{i}, keep...)
	}
	l.t.Fatalf("R%d is not elected: %+v", i, l.desks[i].engine.Status())
}

// agree lets n requests be executed by way of replica i.
func (l *lab) agree(i, n int, keep ...func(letter) bool) {
	for range n {
		l.submit(l.request(), i)
		l.deliver(keep...)
	}
}

func (l *lab) all() (ids []int) {
	for i := range l.desks {
		ids = append(ids, i)
	}
	return ids
}

func (l *lab) wantExecuted(n int, at ...int) {
	l.t.Helper()
	for _, i := range at {
		if got := len(l.desks[i].done); got != n {
			l.t.Errorf("R%d has executed %d entries, want %d; it waits for %v", i, got, n, l.desks[i].engine.Status().Waiting)
		}
	}
}

func (l *lab) leader() int {
	for i, d := range l.desks {
		if d.engine != nil && d.engine.leading() {
			return i
		}
	}
	return -1
}

func (l *lab) term(i int) uint64 { return l.desks[i].engine.node.BasicStatus().Term }

// heard are the library's messages of one kind that wait to be delivered.
func (l *lab) heard(kind pb.MessageType) (list []*pb.Message) {
	for _, m := range l.mail {
		if m.bytes[0] != MessageKind {
			continue
		}
		if p, err := DecodeMessage(m.bytes); err == nil && p.Type == kind {
			list = append(list, p)
		}
	}
	return list
}

// noted are a replica's notes of one kind.
func (d *desk) noted(k consensus.NoteKind) (list []consensus.Note) {
	for _, n := range d.notes {
		if n.Kind == k {
			list = append(list, n)
		}
	}
	return list
}

// asked are the jobs of one type that a replica has put out.
func asked[J consensus.Job](d *desk) (list []J) {
	for _, j := range d.all {
		if j, ok := j.(J); ok {
			list = append(list, j)
		}
	}
	return list
}

// only lets through letters among these replicas.
func only(ids ...int) func(letter) bool {
	return func(m letter) bool { return slices.Contains(ids, int(m.from)) && slices.Contains(ids, int(m.to)) }
}

// without loses the library's messages of these kinds.
func without(kinds ...pb.MessageType) func(letter) bool {
	return func(m letter) bool {
		p, err := DecodeMessage(m.bytes)
		return err != nil || !slices.Contains(kinds, p.Type)
	}
}
