package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"quorate/app/kv"
	"quorate/consensus"
	"quorate/crypto"
	"quorate/p2p"
	"quorate/pbft"
	"quorate/storage"
)

// goleveldb's pool of buffers lingers for a second after Close, on purpose.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func seed(name string) [crypto.PrivateKeySize]byte { return crypto.Hash([]byte(name)) }

// cluster is n replicas in this process on loopback, and one client.
type cluster struct {
	t       *testing.T
	genesis consensus.Genesis
	homes   []string
	addrs   []string
	nodes   []*Node
	client  *caller
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
		t: c.t, cluster: c.genesis.ID(), signer: crypto.NewSigner(s), changed: make(chan struct{}, 1),
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
	return consensus.SignRequest(a.signer, a.cluster, consensus.Sequence{Epoch: uint64(time.Now().UnixNano()) &^ (1<<40 - 1), Counter: a.counter}, ops)
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
func (a *caller) statusOf(id consensus.ReplicaID, what string, holds func(Report) bool) (r Report) {
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

// Four replicas over real sockets: requests, the primary killed, a view change,
// the primary back and caught up.
func TestFourNodesSurviveTheirPrimary(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	for i := range 12 {
		mustPut(a, 4, fmt.Sprint("before ", i))
	}
	ready := a.statusOf(1, "readiness", func(r Report) bool { return r.Ready })
	if ready.Primary != 0 || ready.View != 0 {
		t.Fatalf("in view %d with primary %d", ready.View, ready.Primary)
	}
	c.stop(0)
	mustPut(a, 4, "after")
	if s := a.statusOf(2, "a later view", func(r Report) bool { return r.View > 0 && !r.Changing }); s.Primary == 0 {
		t.Fatalf("view %d has the dead primary", s.View)
	}
	for i := range 12 {
		mustGet(a, 4, fmt.Sprint("before ", i))
	}
	mustGet(a, 4, "after")
	c.start(0)
	for i := range 40 {
		mustPut(a, 4, fmt.Sprint("again ", i))
	}
	other := a.statusOf(1, "a checkpoint", func(r Report) bool { return r.RootSeq >= 40 })
	back := a.statusOf(0, "R0 to catch up", func(r Report) bool { return r.RootSeq >= other.RootSeq && r.Ready })
	if back.RootSeq == other.RootSeq && back.Root != other.Root {
		t.Fatalf("roots at %d differ: %s and %s", back.RootSeq, back.Root, other.Root)
	}
}

// All replicas at once, as after a power loss: what was answered is there.
func TestAllNodesRestart(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	for i := range 20 {
		mustPut(a, 4, fmt.Sprint("k", i))
	}
	for i := range 4 {
		c.stop(i)
	}
	for i := range 4 {
		c.start(i)
	}
	for i := range 20 {
		mustGet(a, 4, fmt.Sprint("k", i))
	}
}

// A wiped replica rejoins by itself, and its amnesia ends on disk too
// (PROTOCOL.md §8).
func TestWipedNodeRejoins(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	for i := range 20 {
		mustPut(a, 4, fmt.Sprint("k", i))
	}
	c.stop(3)
	if err := os.RemoveAll(c.homes[3]); err != nil {
		t.Fatal(err)
	}
	c.start(3)
	a.statusOf(3, "R3 to rejoin", func(r Report) bool { return !r.Rejoining && r.Ready && r.Stable > 20 })
	mustGet(a, 4, "k19")
	identity := c.nodes[3].identity
	c.stop(3)
	if origin, err := storage.Birth(c.homes[3], identity); err != nil || origin != storage.Born {
		t.Fatalf("after rejoining the home is %v, %v", origin, err)
	}
}

// Nobody can vouch for a replica that forgot, if none may fail.
func TestWipedNodeOfASmallClusterIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	mustPutAlone(c)
	c.stop(0)
	if err := os.RemoveAll(c.homes[0]); err != nil {
		t.Fatal(err)
	}
	if n, err := Start(c.config(0)); !errors.Is(err, ErrWiped) {
		t.Fatalf("started as %v, %v", n, err)
	}
}

// mustPutAlone puts with a client that believes one reply.
func mustPutAlone(c *cluster) {
	c.t.Helper()
	a := c.dial("client")
	r := a.request(kv.Put([]byte("k"), nil))
	a.until("a reply", func() { a.network.Send(0, r.Raw) }, func() bool { return a.replies[r.Digest][0] != nil })
}

// One cluster for what only asks or is refused.
func TestRunningCluster(t *testing.T) {
	c := newCluster(t, 4)
	a := c.dial("client")
	t.Run("hostile requests are refused", func(t *testing.T) { hostile(t, c, a) })
	t.Run("failures to start", func(t *testing.T) { startFailures(t, c) })
	t.Run("admin endpoint", func(t *testing.T) { adminEndpoint(t, c, a) })
}

// PROTOCOL.md §3: refusals are typed, by whoever gives them.
func hostile(t *testing.T, c *cluster, a *caller) {
	good := a.request(kv.Get([]byte("k")))
	forged := append([]byte(nil), good.Raw...)
	forged[len(forged)-1] ^= 1
	tooLarge := a.request(make([]byte, c.genesis.Limits.OperationBytes+1))
	cases := []struct {
		name  string
		frame []byte
		want  consensus.RefusalCode
	}{
		{"bad signature", forged, consensus.RefusedSignature},
		{"too large", tooLarge.Raw, consensus.RefusedTooLarge},
		{"not a request", []byte{consensus.KindRequest, 1, 2}, consensus.RefusedMalformed},
		{"a vote", append([]byte{consensus.FirstProtocolKind}, make([]byte, 200)...), consensus.RefusedMalformed},
	}
	for _, tc := range cases {
		var digest crypto.Digest
		if r, err := consensus.DecodeRequest(tc.frame); err == nil {
			digest = r.Digest
		}
		a.until(tc.name, func() { a.network.Send(1, tc.frame) }, func() bool {
			code, ok := a.refused[digest][1]
			if ok && code != tc.want {
				t.Errorf("%s: refused as %s, want %s", tc.name, code, tc.want)
			}
			delete(a.refused, digest)
			return ok
		})
	}
	mustPut(a, 4, "still works")
}

func adminEndpoint(t *testing.T, c *cluster, a *caller) {
	mustPut(a, 4, "k")
	a.statusOf(3, "readiness", func(r Report) bool { return r.Ready })
	base := "http://" + c.nodes[3].AdminAddress()
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/status": `"Ready":true`, "/metrics": "quorate_log_sync_seconds_count",
		"/debug/pprof/cmdline": "node.test",
	} {
		code, body := get(t, base+path)
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %.200s; want %q in it", path, code, body, want)
		}
	}
	c.stop(0)
	c.stop(1)
	a.statusOf(3, "the loss of the quorum to show", func(r Report) bool { return !r.Ready })
	if code, body := get(t, base+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "needs 3") {
		t.Errorf("/readyz without a quorum: %d, %s", code, body)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// A replica that cannot start says why in one line and leaves nothing behind.
func startFailures(t *testing.T, c *cluster) {
	cases := []struct {
		name string
		do   func(*Config)
		want error
	}{
		{"home in use", func(*Config) {}, storage.ErrInUse},
		{"port in use", func(cfg *Config) { cfg.Disk.Data = fresh(c, 1) }, p2p.ErrAddressInUse},
		{"other key", func(cfg *Config) { cfg.Seed = seed("somebody") }, ErrConfig},
		{"other genesis", func(cfg *Config) { cfg.Disk.Data = fresh(c, 2) }, storage.ErrForeign},
		{"addresses", func(cfg *Config) { cfg.Network.Addresses = cfg.Network.Addresses[:3] }, ErrConfig},
		{"admin", func(cfg *Config) { cfg.Admin = "here" }, ErrConfig},
		{"bounds", func(cfg *Config) { cfg.Bounds.Jobs = -1 }, ErrConfig},
		{"tick", func(cfg *Config) { cfg.Tick = time.Hour }, ErrConfig},
	}
	for _, tc := range cases {
		cfg := c.config(1)
		tc.do(&cfg)
		n, err := Start(cfg)
		if err == nil {
			n.Stop()
			t.Errorf("%s: it starts", tc.name)
			continue
		}
		if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, want one line with %q", tc.name, err, tc.want)
		}
	}
}

// fresh is a new home for replica id, born under this cluster's genesis.
func fresh(c *cluster, id consensus.ReplicaID) string {
	data := filepath.Join(c.t.TempDir(), "data")
	if err := storage.Init(data, storage.Identity{Cluster: c.genesis.ID(), Replica: id}); err != nil {
		c.t.Fatal(err)
	}
	return data
}
