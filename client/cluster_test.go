package client

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// TestMain passes over a goroutine of leveldb, of the replica in the examples: it
// ends a second after its database was closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func seedOf(n int) (seed [crypto.PrivateKeySize]byte) {
	seed[0], seed[1] = byte(n), 1
	return seed
}

const (
	replicas  = 4
	clientKey = 100
)

// cluster is four replicas that agree by magic: one machine executes, and all
// answer. What a client sees of a cluster is real: sessions, store, frames.
type cluster struct {
	mu       sync.Mutex
	t        testing.TB
	genesis  consensus.Genesis
	store    state.Store
	machine  *app.Machine
	verifier crypto.Verifier
	seq      consensus.Seq
	liars    quorum.Set
	silent   quorum.Set
	requests int
	asked    map[crypto.Digest]bool // requests, however often they came
}

// answer is a frame from one replica to the client.
type answer struct {
	from  consensus.ReplicaID
	frame []byte
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	var keys []crypto.PublicKey
	for i := range replicas {
		keys = append(keys, crypto.PublicOf(seedOf(i)))
	}
	c := &cluster{t: t, genesis: consensus.NewGenesis("client", protocol.PBFT, keys), verifier: crypto.NewVerifier(crypto.NewMemory(1024)), asked: map[crypto.Digest]bool{}}
	c.genesis.Clients = []consensus.ClientEntry{{Key: crypto.PublicOf(seedOf(clientKey)), Role: consensus.RoleWriter}}
	c.store = state.NewMemory()
	c.open()
	return c
}

// open opens the machine on what its disk holds.
func (c *cluster) open() {
	m, err := app.Open(c.store, kv.Store{}, c.genesis, app.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.machine = m
}

// restart has all replicas lose what they do not have on disk, at a checkpoint.
func (c *cluster) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for done := false; !done; {
		c.seq++
		b := &consensus.Batch{Stamp: consensus.Time(time.Now().UnixNano())}
		out, err := c.machine.Do(consensus.Commit{Seq: c.seq, Batch: b, Digest: b.Digest()})
		if err != nil {
			c.t.Fatal(err)
		}
		if done = c.seq%c.genesis.CheckpointInterval == 0; done {
			root := out.Events[1].(consensus.Rooted).Root
			if _, err := c.machine.Do(consensus.Stabilize{Seq: c.seq, Root: root, Certificate: []byte("proof")}); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	c.open()
}

// serve is what happens when a frame reaches a replica.
func (c *cluster) serve(to consensus.ReplicaID, frame []byte) []answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent.Has(to) {
		return nil
	}
	if frame[0] == consensus.KindStatusQuery {
		text, err := json.Marshal(consensus.Status{Replica: to, Executed: c.seq})
		if err != nil {
			c.t.Error(err)
		}
		return []answer{{to, append([]byte{consensus.KindStatusReply}, text...)}}
	}
	if frame[0] == consensus.KindRead {
		return c.look(to, frame)
	}
	r, err := consensus.DecodeRequest(frame)
	if err != nil || !c.verifier.Verify([]crypto.Claim{r.Claim(c.genesis.ID())})[0] {
		c.t.Errorf("R%d got a bad frame: %v", to, err)
		return nil
	}
	if code := c.genesis.CheckRequest(c.genesis.Roles(), r); code != 0 {
		return []answer{{to, (&consensus.Refusal{Request: r.Digest, Sequence: r.Sequence, Code: code}).Encode()}}
	}
	return c.execute(to, r)
}

// look answers a READ.
func (c *cluster) look(to consensus.ReplicaID, frame []byte) []answer {
	q, err := consensus.DecodeQuery(frame)
	if err != nil {
		c.t.Error(err)
		return nil
	}
	f, _, err := c.machine.Look(&consensus.Lookup{Query: q, Index: c.seq})
	if err != nil {
		c.t.Error(err)
	}
	if c.liars.Has(to) {
		f.Results = make([]consensus.Result, len(q.Operations))
	}
	return []answer{{to, f.Encode()}}
}

func (c *cluster) execute(to consensus.ReplicaID, r *consensus.Request) []answer {
	c.seq++
	c.requests++
	c.asked[r.Digest] = true
	b := &consensus.Batch{Stamp: consensus.Time(time.Now().UnixNano()), Requests: []*consensus.Request{r}}
	out, err := c.machine.Do(consensus.Commit{Seq: c.seq, Batch: b, Digest: b.Digest()})
	if err != nil {
		c.t.Error(err)
		return nil
	}
	if len(out.Replies)+len(out.Refusals) == 0 { // executed before
		if out, err = c.machine.Do(consensus.Answer{Request: r}); err != nil {
			c.t.Error(err)
		}
	}
	var answers []answer
	for id := range consensus.ReplicaID(replicas) {
		if c.silent.Has(id) {
			continue
		}
		for _, reply := range out.Replies {
			if reply.Replica = id; c.liars.Has(id) {
				reply.Results = make([]consensus.Result, len(r.Operations))
			}
			answers = append(answers, answer{id, reply.Encode()})
		}
		for _, refusal := range out.Refusals {
			answers = append(answers, answer{id, refusal.Encode()})
		}
	}
	return answers
}

// pipe is a Network in memory, which loses one frame in loss in each direction.
type pipe struct {
	cluster *cluster
	d       Delivery
	mu      sync.Mutex
	random  *rand.Rand
	loss    int
	closed  bool
	out     [replicas]chan []byte
	work    sync.WaitGroup
}

// connect makes a Config.Connect of the cluster.
func (c *cluster) connect(loss int) func(context.Context, Delivery) (Network, error) {
	return func(_ context.Context, d Delivery) (Network, error) {
		p := &pipe{cluster: c, d: d, random: rand.New(rand.NewPCG(1, 2)), loss: loss}
		for i := range p.out {
			p.out[i] = make(chan []byte, 4096)
			p.work.Go(func() {
				for f := range p.out[i] {
					d.Frames(consensus.ReplicaID(i), [][]byte{f})
				}
			})
			d.Connected(consensus.ReplicaID(i))
		}
		return p, nil
	}
}

func (p *pipe) lost() bool { return p.loss > 0 && p.random.IntN(p.loss) == 0 }

func (p *pipe) Send(to consensus.ReplicaID, frame []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.lost() {
		return !p.closed
	}
	for _, a := range p.cluster.serve(to, frame) {
		if !p.lost() {
			select {
			case p.out[a.from] <- a.frame:
			default: // the queue is full: lost, as on a real network
			}
		}
	}
	return true
}

func (p *pipe) Connected(to consensus.ReplicaID) bool { return true }

func (p *pipe) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, out := range p.out {
		close(out)
	}
	p.mu.Unlock()
	p.work.Wait()
	return nil
}
