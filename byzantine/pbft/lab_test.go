package pbft

import (
	"fmt"
	"slices"
	"testing"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft"
	"quorate.dev/quorate/pbft/message"
)

// all are the behaviours that a replica of PBFT can have.
var all = append(byzantine.Neutral(), Lies().Profiles...)

// lab is a cluster of honest replicas and traitors, moved by hand.
type lab struct {
	*enginetest.Lab[consensus.Engine]
	rules     *message.Rules
	clients   []crypto.Signer
	texts     map[int]string // what traitors do
	traitors  map[int]*byzantine.Plan
	coalition []byzantine.Member
	submitted []*consensus.Request // by honest clients
	lose      func(frame) bool
	said      map[string]bool // promises that honest replicas have signed
	forged    map[string]consensus.ReplicaID
	reasons   map[consensus.Reason]int // why honest replicas ignored frames of traitors, or notes of theirs
}

type frame = enginetest.Frame

const labPatience = 20

// newLab makes n replicas, of which traitors do what the texts say, and share
// their keys if they are more than one.
func newLab(t *testing.T, n int, traitors map[int]string, change ...func(*consensus.Genesis)) *lab {
	t.Helper()
	l := &lab{
		Lab: enginetest.New[consensus.Engine](t, "pbft", n), texts: traitors, traitors: map[int]*byzantine.Plan{},
		said: map[string]bool{}, forged: map[string]consensus.ReplicaID{}, reasons: map[consensus.Reason]int{},
	}
	l.MayFork = true
	l.clients = []crypto.Signer{l.Client, crypto.NewSimSigner(l.Ring, [32]byte{201})}
	l.Genesis.Clients = append(l.Genesis.Clients, consensus.ClientEntry{Key: l.clients[1].Public(), Role: consensus.RoleWriter})
	for _, f := range change {
		f(&l.Genesis)
	}
	var err error
	if l.rules, err = message.NewRules(l.Genesis); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if traitors[i] != "" {
			l.coalition = append(l.coalition, byzantine.Member{Replica: consensus.ReplicaID(i), Signer: l.Keys[i]})
		}
		l.Replicas[i].Heard = func(frame []byte) { l.overhear(i, frame) }
	}
	l.Open(l.open)
	return l
}

// open makes the protocol of replica i.
func (l *lab) open(i int) (consensus.Protocol, error) {
	c := pbft.DefaultConfig(l.Genesis, consensus.ReplicaID(i), l.Keys[i], l.Verify)
	c.Patience, c.PatienceCap, c.StatusEvery, c.RejoinEvery, c.CheckEachStep = labPatience, 160, 5, 50, true
	p, err := pbft.New(c)
	if err != nil || l.texts[i] == "" {
		return p, err
	}
	s, err := all.Parse(l.texts[i])
	if err != nil {
		return nil, err
	}
	env := l.env(i)
	if l.traitors[i], err = env.Plan(s); err != nil {
		return nil, err
	}
	return byzantine.New(p, env, func() *byzantine.Plan { return l.traitors[i] }), nil
}

// env is what replica i has as a traitor.
func (l *lab) env(i int) byzantine.Env {
	return byzantine.Env{Genesis: l.Genesis, Self: consensus.ReplicaID(i), Signer: l.Keys[i], Coalition: l.coalition, Patience: labPatience, Seed: 7}
}

// wipe takes replica i's disk away and starts it again.
func (l *lab) wipe(i int) {
	d := l.Replicas[i]
	d.Records, d.Disk = nil, enginetest.State{}
	l.Start(i, true)
}

// traitor reports whether replica i is one, or was.
func (l *lab) traitor(i int) bool {
	_, traitor := l.traitors[i]
	return traitor
}

func (l *lab) honest() (ids []int) {
	for i := range l.Replicas {
		if !l.traitor(i) {
			ids = append(ids, i)
		}
	}
	return ids
}

// overhear notes whose signed words go over the wire: those of the honest, and
// what a traitor says of somebody else for the first time.
func (l *lab) overhear(i int, frame []byte) {
	p, ok := l.rules.Promised(frame)
	if !ok {
		return
	}
	key := fmt.Sprint(p.Kind, p.View, p.Seq, p.Replica, p.Content)
	traitor := l.traitor(i)
	if !traitor && int(p.Replica) == i {
		l.said[key] = true
	}
	if o := l.rules.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(consensus.ReplicaID(i)), Bytes: frame}})[0]; traitor && o.Event != nil && !l.said[key] {
		l.forged[key] = p.Replica
	}
}

// executed reports whether a replica has executed a request.
func executed(d *enginetest.Replica[consensus.Engine], q *consensus.Request) bool {
	return slices.ContainsFunc(d.Executed, func(c consensus.Commit) bool {
		return c.Batch != nil && slices.ContainsFunc(c.Batch.Requests, func(r *consensus.Request) bool { return r.Digest == q.Digest })
	})
}

// deliver hands over what waits, and what that brings about, for a number of
// hops: traitors may keep each other and the honest busy for ever.
func (l *lab) deliver() {
	for range 24 {
		waiting := l.Sent
		l.Sent = nil
		for _, m := range waiting {
			if l.lose == nil || !l.lose(m) {
				l.give(m)
			}
		}
	}
}

// give hands over a frame and counts what an honest replica says of a traitor's.
func (l *lab) give(m frame) {
	d := l.Replicas[m.To]
	before := len(d.Notes)
	refused := l.Give(int(m.To), consensus.ReplicaPeer(m.From), m.Bytes)
	if !l.traitor(int(m.From)) || l.traitor(int(m.To)) {
		return
	}
	l.reasons[refused]++
	for _, n := range d.Notes[before:] {
		if n.Kind != consensus.Committed {
			l.reasons[n.Reason]++
			l.reasons[consensus.Reason(n.Kind)]++
		}
	}
}

// submit sends a new request of a client to everybody.
func (l *lab) submit(client, size int) {
	l.Counter++
	op := append(make([]byte, size), fmt.Sprint(l.Counter)...)
	q := consensus.SignRequest(l.clients[client], l.rules.Cluster, consensus.Sequence{Epoch: 1, Counter: l.Counter}, [][]byte{op})
	l.submitted = append(l.submitted, q)
	for i := range l.Replicas {
		l.Step(i, consensus.Submit{Via: consensus.ClientPeer(q.Client), Request: q})
	}
}

func (l *lab) ticks(n int) {
	for range n {
		l.Now += enginetest.Tick
		for i := range l.Replicas {
			l.Step(i, consensus.Tick{})
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
		for _, note := range l.Replicas[i].Notes {
			if note.Kind == byzantine.Lied {
				n++
			}
		}
	}
	return n
}

func (l *lab) lied(i int) bool {
	return slices.ContainsFunc(l.Replicas[i].Notes, func(n consensus.Note) bool { return n.Kind == byzantine.Lied })
}

// disagreement names the first height at which two honest replicas have, at
// any time, executed different batches.
func (l *lab) disagreement() (seq consensus.Seq, forked bool) {
	first := map[consensus.Seq]crypto.Digest{}
	for _, i := range l.honest() {
		for _, job := range l.Replicas[i].AllJobs {
			c, ok := job.(consensus.Commit)
			if !ok {
				continue
			}
			if d, known := first[c.Seq]; !known {
				first[c.Seq] = c.Digest
			} else if d != c.Digest && (!forked || c.Seq < seq) {
				seq, forked = c.Seq, true
			}
		}
	}
	return seq, forked
}

// wantSafe asks that no two honest replicas disagree and nobody was framed.
func (l *lab) wantSafe() {
	l.T.Helper()
	if n, forked := l.disagreement(); forked {
		l.T.Errorf("the honest disagree at n=%d", n)
	}
	for _, i := range l.honest() {
		if d := l.Replicas[i]; d.Halt != "" {
			l.T.Errorf("R%d: %s", i, d.Halt)
		}
		for _, n := range l.Replicas[i].Notes {
			if n.Kind == consensus.EvidenceNote && !l.traitor(int(n.Replica)) {
				l.T.Errorf("R%d frames an honest replica: %s", i, n)
			}
		}
	}
	l.wantOwnKeys()
}

// wantOwnKeys asks that traitors have signed for nobody but themselves.
func (l *lab) wantOwnKeys() {
	l.T.Helper()
	for key, id := range l.forged {
		if !slices.ContainsFunc(l.coalition, func(m byzantine.Member) bool { return m.Replica == id }) {
			l.T.Errorf("a frame of R%d that it has not signed verifies: %q", id, key)
		}
	}
}

// wantAll waits until every honest replica has executed every request.
func (l *lab) wantAll(ticks int) {
	l.T.Helper()
	for range ticks {
		if l.lacking() == "" {
			return
		}
		l.ticks(1)
	}
	if lacking := l.lacking(); lacking != "" {
		l.T.Error(lacking)
	}
}

func (l *lab) lacking() string {
	for _, i := range l.honest() {
		for k, q := range l.submitted {
			if d := l.Replicas[i]; !executed(d, q) {
				return fmt.Sprintf("R%d has not executed request %d of %d; %d batches; waits for %+v", i, k+1, len(l.submitted), len(d.Executed), d.Engine.Status())
			}
		}
	}
	return ""
}

func (l *lab) wantReason(want ...consensus.Reason) {
	l.T.Helper()
	for _, r := range want {
		if l.reasons[r] == 0 {
			l.T.Errorf("nobody says %q; reasons: %v", r, l.reasons)
		}
	}
}
