package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/pbft"
	"quorate.dev/quorate/storage"
)

// goleveldb's pool of buffers lingers for a second after Close, on purpose.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func seed(name string) [crypto.PrivateKeySize]byte { return crypto.Hash([]byte(name)) }

// cluster is n replicas in this process on loopback.
type cluster struct {
	t       *testing.T
	genesis consensus.Genesis
	homes   []string
	addrs   []string
	nodes   []*Node
}

func newCluster(t *testing.T, n int) *cluster {
	c := &cluster{t: t, nodes: make([]*Node, n)}
	var keys []crypto.PublicKey
	for i := range n {
		keys = append(keys, crypto.PublicOf(seed(fmt.Sprint("replica ", i))))
		c.homes = append(c.homes, filepath.Join(t.TempDir(), "data"))
	}
	c.genesis = consensus.NewGenesis("node test", "pbft", keys)
	c.genesis.CheckpointInterval, c.genesis.Window = 8, 32
	c.genesis.Clients = []consensus.ClientEntry{{Key: crypto.PublicOf(seed("client")), Role: consensus.RoleWriter}}
	c.addrs = freeAddresses(t, n)
	for i := range n {
		if err := storage.Init(c.homes[i], storage.Identity{Cluster: c.genesis.ID(), Replica: consensus.ReplicaID(i)}); err != nil {
			t.Fatal(err)
		}
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	return c
}

// freeAddresses asks the system for ports and gives them back: somebody else
// could take one in between, which would fail the test with a clear error.
func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func (c *cluster) config(i int) Config {
	signer := crypto.NewSigner(seed(fmt.Sprint("replica ", i)))
	pc := pbft.DefaultConfig(c.genesis, consensus.ReplicaID(i), signer, crypto.NewVerifier(nil))
	pc.Patience, pc.CheckEachStep = 100, true
	protocol, err := pbft.New(pc)
	if err != nil {
		c.t.Fatal(err)
	}
	return Config{
		Protocol: protocol, Genesis: c.genesis, Self: consensus.ReplicaID(i), Seed: seed(fmt.Sprint("replica ", i)),
		Application: kv.Store{}, Disk: Disk{Data: c.homes[i], SegmentBytes: 1 << 20},
		Network: Network{Listen: c.addrs[i], Addresses: c.addrs}, Admin: "127.0.0.1:0",
		Log: slog.New(slog.NewTextHandler(testWriter{c.t, i}, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// testWriter puts a replica's log lines into the test's log.
type testWriter struct {
	t *testing.T
	i int
}

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("R%d %s", w.i, strings.TrimSpace(string(b)))
	return len(b), nil
}

func (c *cluster) start(i int) {
	c.t.Helper()
	n, err := Start(c.config(i))
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[i] = n
}

func (c *cluster) stop(i int) {
	if c.nodes[i] == nil {
		return
	}
	c.nodes[i].Stop()
	if err := c.nodes[i].Wait(); err != nil {
		c.t.Errorf("R%d ended with %v", i, err)
	}
	c.nodes[i] = nil
}

// caller is a client by hand: frames on streams, f+1 equal replies.
type caller struct {
	t       *testing.T
	cluster crypto.Digest
	signer  crypto.Signer
	network *p2p.Client
	mu      sync.Mutex
	epoch   uint64
	counter uint64
	changed chan struct{}
	replies map[crypto.Digest]map[consensus.ReplicaID]*consensus.Reply
	refused map[crypto.Digest]map[consensus.ReplicaID]consensus.RefusalCode
	status  map[consensus.ReplicaID][]byte
}

func (c *cluster) dial(name string) *caller {
	c.t.Helper()
	s := seed(name)
	a := &caller{
		t: c.t, cluster: c.genesis.ID(), signer: crypto.NewSigner(s), epoch: uint64(time.Now().UnixNano()), changed: make(chan struct{}, 1),
		replies: map[crypto.Digest]map[consensus.ReplicaID]*consensus.Reply{},
		refused: map[crypto.Digest]map[consensus.ReplicaID]consensus.RefusalCode{},
		status:  map[consensus.ReplicaID][]byte{},
	}
	var members []p2p.Member
	for i, k := range c.genesis.Replicas {
		members = append(members, p2p.Member{Replica: consensus.ReplicaID(i), Key: k, Addr: c.addrs[i]})
	}
	var err error
	a.network, err = p2p.Dial(context.Background(), p2p.ClientConfig{Key: s[:], Cluster: a.cluster, Members: members, Receive: a.receive})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { a.network.Close() })
	return a
}

func (a *caller) receive(from consensus.ReplicaID, frames [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range frames {
		switch f[0] {
		case consensus.KindReply:
			if r, err := consensus.DecodeReply(f); err == nil {
				put(a.replies, r.Request, from, r)
			}
		case consensus.KindRefusal:
			if r, err := consensus.DecodeRefusal(f); err == nil {
				put(a.refused, r.Request, from, r.Code)
			}
		case consensus.KindStatusReply:
			a.status[from] = f[1:]
		}
	}
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

func put[V any](m map[crypto.Digest]map[consensus.ReplicaID]V, d crypto.Digest, from consensus.ReplicaID, v V) {
	if m[d] == nil {
		m[d] = map[consensus.ReplicaID]V{}
	}
	m[d][from] = v
}

// patience bounds what a test waits for; nothing should take nearly as long.
const patience = 60 * time.Second

// until waits until holds, which runs under the caller's lock, and says again
// whatever again says four times a second.
func (a *caller) until(what string, again func(), holds func() bool) {
	a.t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	again()
	for {
		a.mu.Lock()
		ok := holds()
		a.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-a.changed:
		case <-tick.C:
			again()
		case <-limit:
			a.t.Fatalf("gave up waiting for %s", what)
		}
	}
}

// request signs the next request.
func (a *caller) request(ops ...[]byte) *consensus.Request {
	a.counter++
	return consensus.SignRequest(a.signer, a.cluster, consensus.Sequence{Epoch: a.epoch, Counter: a.counter}, ops)
}

// invoke sends one request to the replicas in to, again and again, until two
// of any replicas answer alike.
func (a *caller) invoke(to []consensus.ReplicaID, ops ...[]byte) []consensus.Result {
	a.t.Helper()
	r := a.request(ops...)
	var results []consensus.Result
	a.until("a reply", func() {
		for _, id := range to {
			a.network.Send(id, r.Raw)
		}
	}, func() bool {
		counts := map[string]int{}
		for _, reply := range a.replies[r.Digest] {
			key := string(consensus.AppendResults(nil, reply.Results))
			if counts[key]++; counts[key] == 2 {
				results = reply.Results
			}
		}
		return results != nil
	})
	return results
}

func everyone(n int) (ids []consensus.ReplicaID) {
	for i := range n {
		ids = append(ids, consensus.ReplicaID(i))
	}
	return ids
}

// statusOf asks a replica over its client stream until holds.
func (a *caller) statusOf(id consensus.ReplicaID, what string, holds func(consensus.Report) bool) (r consensus.Report) {
	a.t.Helper()
	defer func() {
		if a.t.Failed() {
			a.t.Logf("the last status of R%d: %+v", id, r)
		}
	}()
	a.until(what, func() { a.network.Send(id, []byte{consensus.KindStatusQuery}) }, func() bool {
		text := a.status[id]
		delete(a.status, id)
		if text == nil {
			return false
		}
		r = consensus.Report{} // what is left out would stay
		if err := json.Unmarshal(text, &r); err != nil {
			a.t.Fatalf("status of R%d: %v", id, err)
		}
		return holds(r)
	})
	return r
}

func mustPut(a *caller, n int, key string) {
	a.t.Helper()
	res := a.invoke(everyone(n), kv.Put([]byte(key), []byte("value of "+key)))
	if len(res) != 1 || res[0].Code != consensus.ResultOK {
		a.t.Fatalf("put %s: %+v", key, res)
	}
}

func mustGet(a *caller, n int, key string) {
	a.t.Helper()
	res := a.invoke(everyone(n), kv.Get([]byte(key)))
	entry, found, err := kv.ParseGet(res[0].Data)
	if err != nil || !found || string(entry.Value) != "value of "+key {
		a.t.Fatalf("get %s: %+v, %v, %v", key, entry, found, err)
	}
}
