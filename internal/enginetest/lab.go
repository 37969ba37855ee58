package enginetest

import (
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Tick is how much a replica's clock moves on with each tick.
const Tick = consensus.Time(10e6)

// Lab is a cluster and the frames under way in it.
type Lab[E consensus.Engine] struct {
	T        testing.TB
	Genesis  consensus.Genesis
	Ring     *crypto.Keyring
	Verify   crypto.Verifier
	Keys     []crypto.Signer // of the replicas
	Client   crypto.Signer
	Replicas []*Replica[E]
	Sent     []Frame // under way
	Now      consensus.Time
	Counter  uint64 // of the client's last request
	MayFork  bool   // replicas may execute different batches in one place
	SameView bool   // ... and execute them in the same view
	Manual   bool   // states move only where a test plays the host

	History map[consensus.Seq]consensus.Commit // executed anywhere, by place

	open    func(i int) (consensus.Protocol, error)
	lives   uint64
	batches map[crypto.Digest]*consensus.Batch
}

// Frame is on its way from one replica to another.
type Frame struct {
	From, To consensus.ReplicaID
	Early    bool // sent before the records are durable
	Bytes    []byte
}

// New prepares a cluster of n with short intervals. The test may change the
// genesis until Open.
func New[E consensus.Engine](t testing.TB, protocol string, n int) *Lab[E] {
	ring := crypto.NewKeyring()
	l := &Lab[E]{
		T: t, Ring: ring, Verify: crypto.NewSimVerifier(ring), Client: crypto.NewSimSigner(ring, [32]byte{200}), Now: 1e18,
		History: map[consensus.Seq]consensus.Commit{}, batches: map[crypto.Digest]*consensus.Batch{},
	}
	var members []crypto.PublicKey
	for i := range n {
		l.Keys = append(l.Keys, crypto.NewSimSigner(ring, [32]byte{byte(i + 1)}))
		members = append(members, l.Keys[i].Public())
		l.Replicas = append(l.Replicas, &Replica[E]{})
	}
	l.Genesis = consensus.NewGenesis("lab", protocol, members)
	l.Genesis.CheckpointInterval, l.Genesis.Window = 2, 8
	l.Genesis.Clients = []consensus.ClientEntry{{Key: l.Client.Public(), Role: consensus.RoleWriter}}
	return l
}

// Open starts all replicas; open makes the protocol of one, for each life anew.
func (l *Lab[E]) Open(open func(i int) (consensus.Protocol, error)) {
	l.T.Helper()
	l.open = open
	for i := range l.Replicas {
		l.Start(i, false)
	}
}

// Start gives replica i an engine from what its disk holds.
func (l *Lab[E]) Start(i int, amnesiac bool) {
	l.T.Helper()
	if err := l.TryStart(i, amnesiac); err != nil {
		l.T.Fatal(err)
	}
}

// TryStart is Start for what may be refused.
func (l *Lab[E]) TryStart(i int, amnesiac bool) error {
	l.T.Helper()
	p, err := l.open(i)
	if err != nil {
		l.T.Fatal(err)
	}
	d := l.Replicas[i]
	l.lives++
	e, err := p.New(consensus.Recovered{
		Now: l.Now, Amnesiac: amnesiac, Nonce: l.lives, Records: d.Records,
		Height: d.Disk.Seq, Root: d.Disk.Root, Certificate: d.Disk.Proof,
	})
	if err != nil {
		return err
	}
	engine, ok := e.(E)
	if !ok {
		l.T.Fatalf("an engine of type %T", e)
	}
	d.Protocol, d.Engine, d.Up, d.Stopped, d.Jobs, d.staged = p, engine, true, false, nil, nil
	d.Outputs, d.Durable, d.Synced = 0, 0, len(d.Records)
	d.Back()
	return nil
}

// Crash kills replicas. What they recorded is on disk.
func (l *Lab[E]) Crash(replicas ...int) {
	for _, i := range replicas {
		l.Replicas[i].Up = false
	}
}

// PowerLoss kills replicas. What they recorded is on disk up to the last record
// that something waited for.
func (l *Lab[E]) PowerLoss(replicas ...int) {
	l.Crash(replicas...)
	for _, i := range replicas {
		l.Replicas[i].Records = l.Replicas[i].Records[:l.Replicas[i].Synced]
	}
}

// Step hands events to replica i and does what it says.
func (l *Lab[E]) Step(i int, events ...consensus.Event) consensus.Output {
	d := l.Replicas[i]
	if !d.Up {
		return consensus.Output{}
	}
	out := d.Engine.Step(consensus.Burst{Now: l.Now, Events: events, Durable: d.Durable})
	d.take(&out)
	l.send(i, true, out.Early)
	l.send(i, false, out.Sends)
	var told []consensus.Event
	for _, read := range out.Reads {
		told = append(told, l.read(d, read))
	}
	for !d.Stopped && len(d.Jobs) > 0 {
		job := d.Jobs[0]
		d.Jobs = d.Jobs[1:]
		told = append(told, l.Perform(i, job)...)
	}
	if len(told) > 0 {
		l.Step(i, told...)
	}
	return out
}

// send puts frames under way. What is for others than replicas is lost.
func (l *Lab[E]) send(i int, early bool, sends []consensus.Send) {
	for _, s := range sends {
		if l.Replicas[i].Heard != nil {
			l.Replicas[i].Heard(s.Bytes)
		}
		if s.To == consensus.ReplicaPeer(consensus.ReplicaID(i)) {
			l.T.Fatalf("R%d sends to itself", i)
		}
		for j := range l.Replicas {
			if s.To.Kind == consensus.Everyone && j != i || s.To == consensus.ReplicaPeer(consensus.ReplicaID(j)) {
				l.Sent = append(l.Sent, Frame{From: consensus.ReplicaID(i), To: consensus.ReplicaID(j), Early: early, Bytes: s.Bytes})
			}
		}
	}
}

// Deliver hands over what waits, and what that brings about, until nothing
// does. keep says which frames arrive; the others are lost.
func (l *Lab[E]) Deliver(keep ...func(Frame) bool) {
	for len(l.Sent) > 0 {
		f := l.Sent[0]
		l.Sent = l.Sent[1:]
		if !slices.ContainsFunc(keep, func(k func(Frame) bool) bool { return !k(f) }) {
			l.Give(int(f.To), consensus.ReplicaPeer(f.From), f.Bytes)
		}
	}
}

// Only lets through frames among these replicas.
func Only(replicas ...int) func(Frame) bool {
	return func(f Frame) bool {
		return slices.Contains(replicas, int(f.From)) && slices.Contains(replicas, int(f.To))
	}
}

// Give opens a frame at replica i and, if it opens, steps with it. It answers
// why the frame had no effect.
func (l *Lab[E]) Give(i int, from consensus.Peer, frame []byte) consensus.Reason {
	d := l.Replicas[i]
	if !d.Up {
		return "down"
	}
	o := d.Protocol.Open(l.Verify, d.Engine.Horizon(), []consensus.Frame{{From: from, Bytes: frame}})[0]
	if o.Event == nil {
		return o.Reason
	}
	before := len(d.Notes)
	l.Step(i, o.Event)
	for _, n := range d.Notes[before:] {
		if n.Kind == consensus.Ignored {
			return n.Reason
		}
	}
	return ""
}

// Request is the client's next request.
func (l *Lab[E]) Request() *consensus.Request {
	l.Counter++
	return l.Numbered(l.Counter, fmt.Sprint(l.Counter))
}

// Numbered is a request of the client under a counter.
func (l *Lab[E]) Numbered(counter uint64, operation string) *consensus.Request {
	return consensus.SignRequest(l.Client, l.Genesis.ID(), consensus.Sequence{Epoch: 1, Counter: counter}, [][]byte{[]byte(operation)})
}

// Submit hands a request to replicas, as the client does.
func (l *Lab[E]) Submit(q *consensus.Request, replicas ...int) {
	for _, i := range replicas {
		l.Give(i, consensus.ClientPeer(q.Client), q.Raw)
	}
}

// Ticks lets time pass at the given replicas, delivering in between what keep
// lets through.
func (l *Lab[E]) Ticks(n int, at []int, keep ...func(Frame) bool) {
	for range n {
		l.Now += Tick
		for _, i := range at {
			l.Step(i, consensus.Tick{})
		}
		l.Deliver(keep...)
	}
}

// All are the replicas' numbers.
func (l *Lab[E]) All() (ids []int) {
	for i := range l.Replicas {
		ids = append(ids, i)
	}
	return ids
}

// WantExecuted fails the test unless the replicas have executed n batches.
func (l *Lab[E]) WantExecuted(n int, at ...int) {
	l.T.Helper()
	for _, i := range at {
		if got := len(l.Replicas[i].Executed); got != n {
			l.T.Errorf("R%d has executed %d batches, want %d; it waits for %v", i, got, n, l.Replicas[i].Engine.Status().Waiting)
		}
	}
}
