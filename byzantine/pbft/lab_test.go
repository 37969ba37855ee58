package pbft

import (
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft"
	"quorate.dev/quorate/pbft/message"
)

// all are the behaviours that a replica of PBFT can have.
var all = append(byzantine.Neutral(), Lies().Profiles...)

// lab runs engines by hand, honest ones and traitors: every frame waits until
// it is delivered, in the order in which it was sent. A state is the list of
// the digests executed, its root their hash, and it travels as one part.
type lab struct {
	t         *testing.T
	genesis   consensus.Genesis
	rules     *message.Rules
	verify    crypto.Verifier
	keys      []crypto.Signer
	clients   []crypto.Signer
	traitors  map[int]*byzantine.Plan
	coalition []byzantine.Member
	desks     []*desk
	inFlight  []labFrame
	now       consensus.Time
	counter   uint64
	batches   map[crypto.Digest]*consensus.Batch // everything that was executed
	sent      []*consensus.Request               // by honest clients
	lose      func(labFrame) bool
	said      map[string]bool // promises that honest replicas have signed
	forged    map[string]consensus.ReplicaID
	first     map[consensus.Seq]crypto.Digest // executed by the first honest replica that came to that height
	forkAt    consensus.Seq
	reasons   map[consensus.Reason]int // why honest replicas ignored frames of traitors, or notes of theirs
}

type desk struct {
	engine  consensus.Engine
	open    consensus.Protocol
	records []consensus.Record
	digests []crypto.Digest // executed
	notes   []consensus.Note
	kept    consensus.Seq
	root    crypto.Digest
	proof   []byte
	jobs    []consensus.Job
	working bool
	target  consensus.RestoreBegin
	side    []crypto.Digest
	halt    string
	traitor bool
}

type labFrame struct {
	from, to consensus.ReplicaID
	bytes    []byte
}

const (
	labTick     = consensus.Time(10e6)
	labPatience = 20
)

// newLab makes n replicas, of which traitors do what the texts say, and share
// their keys if they are more than one.
func newLab(t *testing.T, n int, traitors map[int]string, change ...func(*consensus.Genesis)) *lab {
	t.Helper()
	ring := crypto.NewKeyring()
	l := &lab{
		t: t, verify: crypto.NewSimVerifier(ring), now: 1e18, traitors: map[int]*byzantine.Plan{}, batches: map[crypto.Digest]*consensus.Batch{},
		said: map[string]bool{}, forged: map[string]consensus.ReplicaID{}, reasons: map[consensus.Reason]int{},
		first: map[consensus.Seq]crypto.Digest{},
	}
	var members []crypto.PublicKey
	for i := range n {
		l.keys = append(l.keys, crypto.NewSimSigner(ring, [32]byte{byte(i + 1)}))
		members = append(members, l.keys[i].Public())
	}
	l.genesis = consensus.NewGenesis("lab", "pbft", members)
	l.genesis.CheckpointInterval, l.genesis.Window = 2, 8
	for i := range 2 {
		l.clients = append(l.clients, crypto.NewSimSigner(ring, [32]byte{200, byte(i)}))
		l.genesis.Clients = append(l.genesis.Clients, consensus.ClientEntry{Key: l.clients[i].Public(), Role: consensus.RoleWriter})
	}
	for _, f := range change {
		f(&l.genesis)
	}
	var err error
	if l.rules, err = message.NewRules(l.genesis); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, traitor := traitors[i]; traitor {
			l.coalition = append(l.coalition, byzantine.Member{Replica: consensus.ReplicaID(i), Signer: l.keys[i]})
		}
	}
	for i := range n {
		l.desks = append(l.desks, &desk{})
		l.start(i, traitors[i], false)
	}
	return l
}

func (l *lab) start(i int, behaviour string, amnesiac bool) {
	l.t.Helper()
	d := l.desks[i]
	c := pbft.DefaultConfig(l.genesis, consensus.ReplicaID(i), l.keys[i], l.verify)
	c.Patience, c.PatienceCap, c.StatusEvery, c.RejoinEvery, c.CheckEachStep = labPatience, 160, 5, 50, true
	var p consensus.Protocol
	p, err := pbft.New(c)
	if err != nil {
		l.t.Fatal(err)
	}
	if d.traitor = behaviour != ""; d.traitor {
		env := l.env(i)
		s, err := all.Parse(behaviour)
		if err != nil {
			l.t.Fatal(err)
		}
		plan, err := env.Plan(s)
		if err != nil {
			l.t.Fatal(err)
		}
		l.traitors[i] = plan
		p = byzantine.New(p, env, func() *byzantine.Plan { return l.traitors[i] })
	}
	d.open = p
	d.engine, err = p.New(consensus.Recovered{
		Now: l.now, Amnesiac: amnesiac, Nonce: l.counter + 77, Records: d.records, Height: d.kept, Root: d.root, Certificate: d.proof,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	d.jobs, d.digests = nil, d.digests[:d.kept]
}

// env is what replica i has as a traitor.
func (l *lab) env(i int) byzantine.Env {
	return byzantine.Env{Genesis: l.genesis, Self: consensus.ReplicaID(i), Signer: l.keys[i], Coalition: l.coalition, Patience: labPatience, Seed: 7}
}

// wipe takes replica i's disk away and starts it again.
func (l *lab) wipe(i int) {
	l.desks[i] = &desk{notes: l.desks[i].notes}
	l.start(i, "", true)
}

func (l *lab) honest() (ids []int) {
	for i := range l.desks {
		if _, traitor := l.traitors[i]; !traitor {
			ids = append(ids, i)
		}
	}
	return ids
}

func (l *lab) step(i int, events ...consensus.Event) {
	d := l.desks[i]
	out := d.engine.Step(consensus.Burst{Now: l.now, Events: events})
	d.records = append(d.records, out.Records...)
	d.notes = append(d.notes, out.Notes...)
	if out.Halt != "" {
		d.halt = out.Halt
	}
	for _, s := range slices.Concat(out.Early, out.Sends) {
		l.overhear(i, s.Bytes)
		for j := range l.desks {
			if s.To.Kind == consensus.Everyone && j != i || s.To.Kind == consensus.PeerReplica && int(s.To.Replica) == j {
				l.inFlight = append(l.inFlight, labFrame{consensus.ReplicaID(i), consensus.ReplicaID(j), s.Bytes})
			}
		}
	}
	for _, read := range out.Reads {
		l.step(i, l.read(d, read))
	}
	d.jobs = append(d.jobs, out.Jobs...)
	for !d.working && len(d.jobs) > 0 {
		job := d.jobs[0]
		d.jobs, d.working = d.jobs[1:], true
		events := l.perform(d, job)
		d.working = false
		if len(events) > 0 {
			l.step(i, events...)
		}
	}
}

// overhear notes whose signed words go over the wire: those of the honest, and
// what a traitor says of somebody else for the first time.
func (l *lab) overhear(i int, frame []byte) {
	p, ok := l.rules.Promised(frame)
	if !ok {
		return
	}
	key := fmt.Sprint(p.Kind, p.View, p.Seq, p.Replica, p.Content)
	_, traitor := l.traitors[i]
	if !traitor && int(p.Replica) == i {
		l.said[key] = true
	}
	if o := l.rules.Open(l.verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(consensus.ReplicaID(i)), Bytes: frame}})[0]; traitor && o.Event != nil && !l.said[key] {
		l.forged[key] = p.Replica
	}
}

// executed stands for the session table.
func (l *lab) executed(d *desk, q *consensus.Request) bool {
	return slices.ContainsFunc(d.digests, func(digest crypto.Digest) bool {
		b := l.batches[digest]
		return b != nil && slices.ContainsFunc(b.Requests, func(r *consensus.Request) bool { return r.Digest == q.Digest })
	})
}

// deliver hands over what waits, and what that brings about, for a number of
// hops: traitors may keep each other and the honest busy for ever.
func (l *lab) deliver() {
	for range 24 {
		waiting := l.inFlight
		l.inFlight = nil
		for _, m := range waiting {
			if l.lose == nil || !l.lose(m) {
				l.give(m)
			}
		}
	}
}

func (l *lab) give(m labFrame) {
	d := l.desks[m.to]
	_, deaf := l.traitors[int(m.to)]
	_, traitor := l.traitors[int(m.from)]
	o := d.open.Open(l.verify, d.engine.Horizon(), []consensus.Frame{{From: consensus.ReplicaPeer(m.from), Bytes: m.bytes}})[0]
	if o.Event == nil {
		if traitor && !deaf {
			l.reasons[o.Reason]++
		}
		return
	}
	before := len(d.notes)
	l.step(int(m.to), o.Event)
	for _, n := range d.notes[min(before, len(d.notes)):] {
		if traitor && !deaf && n.Kind != consensus.Committed {
			l.reasons[n.Reason]++
			l.reasons[consensus.Reason(n.Kind)]++
		}
	}
}

// submit sends a new request of a client to everybody.
func (l *lab) submit(client, size int) {
	l.counter++
	op := append(make([]byte, size), fmt.Sprint(l.counter)...)
	q := consensus.SignRequest(l.clients[client], l.rules.Cluster, consensus.Sequence{Epoch: 1, Counter: l.counter}, [][]byte{op})
	l.sent = append(l.sent, q)
	for i := range l.desks {
		l.step(i, consensus.Submit{Via: consensus.ClientPeer(q.Client), Request: q})
	}
}

func (l *lab) ticks(n int) {
	for range n {
		l.now += labTick
		for i := range l.desks {
			l.step(i, consensus.Tick{})
		}
		l.deliver()
	}
}

// work submits requests of both clients, a few at a time, and lets time pass.
func (l *lab) work(rounds int) {
	for range rounds {
		l.submit(0, 0)
		l.submit(1, 0)
		l.deliver()
		l.ticks(3)
	}
}

// lies counts the steps in which traitors report lies.
func (l *lab) lies() (n int) {
	for i := range l.traitors {
		for _, note := range l.desks[i].notes {
			if note.Kind == byzantine.Lied {
				n++
			}
		}
	}
	return n
}

func (l *lab) lied(i int) bool {
	return slices.ContainsFunc(l.desks[i].notes, func(n consensus.Note) bool { return n.Kind == byzantine.Lied })
}

// disagreement names the first height at which two honest replicas have, at
// any time, executed different batches.
func (l *lab) disagreement() (seq consensus.Seq, forked bool) { return l.forkAt, l.forkAt > 0 }

// compare enters what an honest replica executes.
func (l *lab) compare(seq consensus.Seq, d crypto.Digest) {
	first, known := l.first[seq]
	if !known {
		l.first[seq] = d
	} else if first != d && (l.forkAt == 0 || seq < l.forkAt) {
		l.forkAt = seq
	}
}

// wantSafe asks that no two honest replicas disagree and nobody was framed.
func (l *lab) wantSafe() {
	l.t.Helper()
	if n, forked := l.disagreement(); forked {
		l.t.Errorf("the honest disagree at n=%d", n)
	}
	for _, i := range l.honest() {
		if d := l.desks[i]; d.halt != "" {
			l.t.Errorf("R%d: %s", i, d.halt)
		}
		for _, n := range l.desks[i].notes {
			if _, traitor := l.traitors[int(n.Replica)]; n.Kind == consensus.EvidenceNote && !traitor {
				l.t.Errorf("R%d frames an honest replica: %s", i, n)
			}
		}
	}
	l.wantOwnKeys()
}

// wantOwnKeys asks that traitors have signed for nobody but themselves.
func (l *lab) wantOwnKeys() {
	l.t.Helper()
	for key, id := range l.forged {
		if !slices.ContainsFunc(l.coalition, func(m byzantine.Member) bool { return m.Replica == id }) {
			l.t.Errorf("a frame of R%d that it has not signed verifies: %q", id, key)
		}
	}
}

// wantAll waits until every honest replica has executed every request.
func (l *lab) wantAll(ticks int) {
	l.t.Helper()
	for range ticks {
		if l.lacking() == "" {
			return
		}
		l.ticks(1)
	}
	if lacking := l.lacking(); lacking != "" {
		l.t.Error(lacking)
	}
}

func (l *lab) lacking() string {
	for _, i := range l.honest() {
		for k, q := range l.sent {
			if d := l.desks[i]; !l.executed(d, q) {
				return fmt.Sprintf("R%d has not executed request %d of %d; %d batches; waits for %+v", i, k+1, len(l.sent), len(d.digests), d.engine.Status())
			}
		}
	}
	return ""
}

func (l *lab) wantReason(want ...consensus.Reason) {
	l.t.Helper()
	for _, r := range want {
		if l.reasons[r] == 0 {
			l.t.Errorf("nobody says %q; reasons: %v", r, l.reasons)
		}
	}
}
