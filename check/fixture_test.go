package check

import (
	"encoding/binary"
	"slices"
	"testing"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// run is a judge of a cluster of four, and everybody's keys.
type run struct {
	*Judge
	*message.Rules
	signers []crypto.Signer
	clients []crypto.Signer
	counter uint64
}

func signer(i uint64) crypto.Signer {
	var seed [crypto.PrivateKeySize]byte
	binary.BigEndian.PutUint64(seed[:], i+1)
	return crypto.NewSigner(seed)
}

func newGenesis() (g consensus.Genesis, replicas, clients []crypto.Signer) {
	g = consensus.NewGenesis("test", "pbft", nil)
	g.CheckpointInterval, g.Window = 2, 4
	for i := range uint64(4) {
		replicas = append(replicas, signer(i))
		g.Replicas = append(g.Replicas, replicas[i].Public())
	}
	for i := range uint64(2) {
		clients = append(clients, signer(100+i))
		g.Clients = append(g.Clients, consensus.ClientEntry{Key: clients[i].Public(), Role: consensus.RoleWriter})
	}
	return g, replicas, clients
}

// newRun judges a run in which the named replicas may lie.
func newRun(t testing.TB, traitors ...consensus.ReplicaID) *run {
	t.Helper()
	g, replicas, clients := newGenesis()
	rules, err := message.NewRules(g)
	if err != nil {
		t.Fatal(err)
	}
	return &run{Rules: rules, signers: replicas, clients: clients, Judge: New(Config{
		Genesis: g, Model: Store(), Investigate: true,
		Honest:  func(id consensus.ReplicaID) bool { return !slices.Contains(traitors, id) },
		Clients: func(k crypto.PublicKey) bool { return k == clients[0].Public() },
	})}
}

// kinds are the kinds of violations of a verdict, each once.
func (v *Verdict) kinds() []Kind {
	var list []Kind
	for _, x := range v.Violations {
		list = append(list, x.Kind)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// request is signed by client i.
func (r *run) request(i int, ops ...[]byte) *consensus.Request {
	r.counter++
	return consensus.SignRequest(r.clients[i], r.Cluster, consensus.Sequence{Epoch: 1, Counter: r.counter}, ops)
}

// asked is a request of the honest client, and the judge has heard of it.
func (r *run) asked(ops ...[]byte) *consensus.Request {
	for _, op := range ops {
		r.ledger.of(r.clients[0].Public(), op).issued = true
	}
	q := r.request(0, ops...)
	r.Signed(q)
	return q
}

func batchOf(requests ...*consensus.Request) *consensus.Batch {
	return &consensus.Batch{Stamp: 7, Requests: requests}
}

// commit has replicas commit a batch at n, without a certificate.
func (r *run) commit(n consensus.Seq, b *consensus.Batch, by ...consensus.ReplicaID) {
	for _, id := range by {
		r.Queued(1, id, consensus.Commit{Seq: n, Digest: b.Digest(), Batch: b})
	}
}

// execute has a replica execute an operation of a client.
func (r *run) execute(id consensus.ReplicaID, client int, n consensus.Seq, order uint64, op []byte) {
	r.Executed(1, id, app.Context{Client: r.clients[client].Public(), Seq: n, Order: order}, op)
}

func (r *run) reply(from consensus.ReplicaID, q *consensus.Request, n consensus.Seq, data string) {
	r.Replied(2, from, &consensus.Reply{Request: q.Digest, Sequence: q.Sequence, Seq: n, Results: []consensus.Result{app.OK([]byte(data))}})
}

func (r *run) vote(k message.Kind, id consensus.ReplicaID, view consensus.View, n consensus.Seq, d crypto.Digest) []byte {
	v := r.SignVote(r.signers[id], message.Vote{Kind: k, View: view, Seq: n, Digest: d, Replica: id})
	return v.Encode()
}

// votes has each of the replicas send its vote.
func (r *run) votes(k message.Kind, view consensus.View, n consensus.Seq, d crypto.Digest, by ...consensus.ReplicaID) {
	for _, id := range by {
		r.Sent(1, id, r.vote(k, id, view, n, d))
	}
}

// certificate is a committed certificate by the signers.
func (r *run) certificate(n consensus.Seq, d crypto.Digest, by ...consensus.ReplicaID) *message.Certificate {
	c := &message.Certificate{Kind: message.CommittedCertificate, Seq: n, Digest: d}
	for _, id := range by {
		v := r.SignVote(r.signers[id], message.Vote{Kind: message.CommitKind, Seq: n, Digest: d, Replica: id})
		c.Signed = append(c.Signed, message.Signed{Replica: id, Sig: v.Sig})
	}
	return c
}

var (
	digestA, digestB = crypto.Hash([]byte("a")), crypto.Hash([]byte("b"))

	putA, putB, get = kv.Put([]byte("k"), []byte("a")), kv.Put([]byte("k"), []byte("b")), kv.Get([]byte("k"))
)

// record is what the store answers to a get.
func record(revision uint64, value string) string {
	return string(append(binary.BigEndian.AppendUint64(nil, revision), value...))
}

func revision(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// believed is a call of the honest client from begin to end, answered by two
// replicas and executed by all.
func (r *run) believed(number uint64, begin, end consensus.Time, n consensus.Seq, op []byte, data string) {
	key := r.clients[0].Public()
	id := CallID{Number: number}
	r.Invoked(begin, id, key, op)
	q := r.asked(op)
	r.commit(n, batchOf(q), 0, 1, 2)
	for _, who := range []consensus.ReplicaID{0, 1, 2} {
		r.execute(who, 0, n, uint64(n), op)
	}
	r.reply(0, q, n, data)
	r.reply(1, q, n, data)
	r.Returned(end, id, n, app.OK([]byte(data)))
}
