package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/client/session"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
	"quorate.dev/quorate/protocol"
)

func dial(t testing.TB, c *cluster, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Genesis: &c.genesis, Key: seedOf(clientKey), Connect: c.connect(0),
		Session: session.Config{Patience: 5e6, MaxPatience: 20e6},
	}
	if change != nil {
		change(&cfg)
	}
	cl, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.Close(); err != nil {
			t.Error(err)
		}
	})
	return cl
}

// Concurrent callers each get their own result, though the network loses a
// tenth and a liar answers; they share requests.
func TestConcurrentInvoke(t *testing.T) {
	c := newCluster(t)
	c.liars = quorum.SetOf(2)
	store := KV{dial(t, c, func(cfg *Config) { cfg.Connect = c.connect(10) })}
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			key := fmt.Appendf(nil, "key %d", i)
			for round := range 5 {
				value := fmt.Sprintf("value %d of %d", round, i)
				if _, err := store.Put(t.Context(), key, []byte(value)); err != nil {
					t.Error(err)
					return
				}
				if e, found, err := store.Get(t.Context(), key); err != nil || !found || string(e.Value) != value {
					t.Errorf("got %q, %v, %v, want %q", e.Value, found, err, value)
				}
			}
		})
	}
	callers.Wait()
	// Every put, and those gets that found too few answers.
	if got := c.machine.Operations(); got < 64*5 || got > 64*5*2 {
		t.Errorf("%d operations were executed, want %d to %d", got, 64*5, 64*5*2)
	}
}

// The whole road over libp2p: streams, gathering, f+1 replies, status, and a
// replica that is gone.
func TestOverLibp2p(t *testing.T) {
	c := newCluster(t)
	addresses, networks := c.listen()
	defer func() {
		for _, n := range networks {
			_ = n.Close()
		}
	}()
	cl := dial(t, c, func(cfg *Config) { cfg.Connect, cfg.Addresses = nil, addresses })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	store := KV{cl}
	if _, err := store.Put(ctx, []byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	if s, err := cl.Status(ctx, 3); err != nil || s.Replica != 3 || s.Executed == 0 {
		t.Fatalf("status %+v, %v", s, err)
	}
	if err := networks[0].Close(); err != nil { // the primary
		t.Fatal(err)
	}
	c.mu.Lock()
	c.silent.Add(0)
	c.mu.Unlock()
	if e, found, err := store.Get(ctx, []byte("a")); err != nil || !found || len(e.Value) != 0 {
		t.Fatalf("got %v, %v, %v", e, found, err)
	}
}

// Replicas' hosts let a stranger say one thing and tell it why not.
func TestUnknownClientOverLibp2p(t *testing.T) {
	c := newCluster(t)
	addresses, networks := c.listen()
	defer func() {
		for _, n := range networks {
			_ = n.Close()
		}
	}()
	cl := dial(t, c, func(cfg *Config) { cfg.Connect, cfg.Addresses, cfg.Key = nil, addresses, seedOf(7) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := cl.Invoke(ctx, kv.Get([]byte("a"))); !errors.Is(err, session.ErrUnknownClient) {
		t.Fatalf("error: %v", err)
	}
}

// receiver carries what comes to a replica's host to the cluster.
type receiver func(group []consensus.Frame)

func (r receiver) Frames(group []consensus.Frame) { r(group) }

// listen makes each replica a libp2p host.
func (c *cluster) listen() (addresses []string, networks []*p2p.Network) {
	client := crypto.PublicOf(seedOf(clientKey))
	var members []p2p.Member
	for i := range replicas {
		members = append(members, p2p.Member{Replica: consensus.ReplicaID(i), Key: c.genesis.Replicas[i]})
	}
	networks = make([]*p2p.Network, replicas)
	started := make(chan struct{})
	for i := range replicas {
		seed := seedOf(i)
		n, err := p2p.Listen(p2p.Config{
			Key: seed[:], Cluster: c.genesis.ID(), Listen: "127.0.0.1:0", Members: members,
			Admit: func(k crypto.PublicKey) bool { return k == client },
			Receiver: receiver(func(group []consensus.Frame) {
				<-started
				for _, f := range group {
					for _, a := range c.serve(consensus.ReplicaID(i), f.Bytes) {
						networks[a.from].Send(consensus.ClientPeer(client), consensus.Votes, a.frame)
					}
				}
			}),
		})
		if err != nil {
			c.t.Fatal(err)
		}
		networks[i] = n
		addresses = append(addresses, n.Addr())
	}
	close(started)
	return addresses, networks
}

// A context that ends says whether the operation may have been executed.
func TestContext(t *testing.T) {
	c := newCluster(t)
	for id := range consensus.ReplicaID(replicas) {
		c.silent.Add(id)
	}
	cl := dial(t, c, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := cl.Invoke(ctx, kv.Get([]byte("a")))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, session.ErrUnknown) {
		t.Fatalf("sent: %v", err)
	}
	if _, err = cl.Invoke(ctx, kv.Get([]byte("a"))); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, session.ErrNotSent) {
		t.Fatalf("never sent: %v", err)
	}
	if _, err := cl.Status(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("status: %v", err)
	}
}

// Close ends calls that are under way, and calls after it fail.
// Where nobody listens, a status is not waited for: the error says where, and why.
// A call whose caller has left is not used again: run may have yet to hear of it, and
// would cancel another one.
func TestCancelledCallsAreNotUsedAgain(t *testing.T) {
	c := &Client{inbox: newInbox()}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const calls = 100
	var run sync.WaitGroup
	run.Go(func() {
		left := map[*call]bool{}
		for n := 0; n < calls; {
			<-c.inbox.wake
			calls, cancels, _ := c.inbox.take()
			for _, call := range calls {
				if n++; left[call] {
					t.Error("a call is used again")
				}
				left[call] = slices.Contains(cancels, call)
				call.done <- session.Done{}
			}
			for _, call := range cancels {
				left[call] = true
			}
		}
	})
	for range calls {
		if _, err := c.make(ctx, nil, false); err != nil {
			t.Error(err)
		}
	}
	run.Wait()
}

func TestStatusOfNobodyEndsAtOnce(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	where := nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	key := crypto.PublicOf([32]byte{1})
	g := consensus.NewGenesis("nobody", protocol.PBFT, []crypto.PublicKey{key})
	g.Clients = []consensus.ClientEntry{{Key: crypto.PublicOf([32]byte{2}), Role: consensus.RoleWriter}}
	cl, err := Dial(t.Context(), Config{Genesis: &g, Key: [32]byte{2}, Addresses: []string{where}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cl.Close() }()
	var why *p2p.Unreachable
	if _, err := cl.Status(t.Context(), 0); !errors.As(err, &why) || why.Address != where || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("status: %v", err)
	}
}

func TestClose(t *testing.T) {
	c := newCluster(t)
	for id := range consensus.ReplicaID(replicas) {
		c.silent.Add(id)
	}
	cl := dial(t, c, nil)
	failed := make(chan error)
	for range 10 {
		go func() {
			_, err := cl.Invoke(context.Background(), kv.Get([]byte("a")))
			failed <- err
		}()
	}
	for range 2 {
		if err := cl.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		if err := <-failed; !errors.Is(err, session.ErrClosed) {
			t.Errorf("call: %v", err)
		}
	}
	if _, err := cl.Invoke(t.Context(), nil); !errors.Is(err, session.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := cl.Status(t.Context(), 0); !errors.Is(err, session.ErrClosed) {
		t.Errorf("status after Close: %v", err)
	}
}

// A key that the genesis does not admit gets its typed error.
func TestUnknownClient(t *testing.T) {
	c := newCluster(t)
	cl := dial(t, c, func(cfg *Config) { cfg.Key = seedOf(7) })
	if _, err := cl.Invoke(t.Context(), kv.Get([]byte("a"))); !errors.Is(err, session.ErrUnknownClient) {
		t.Fatalf("error: %v", err)
	}
}

func TestDialRefusesBadConfig(t *testing.T) {
	c := newCluster(t)
	weak, twice := c.genesis, c.genesis
	weak.Replicas, twice.Replicas = slices.Clone(weak.Replicas), slices.Clone(twice.Replicas)
	weak.Replicas[2], twice.Replicas[2] = crypto.PublicKey{1}, twice.Replicas[1]
	for name, cfg := range map[string]Config{
		"weak key":      {Genesis: &weak, Key: seedOf(clientKey), Connect: c.connect(0)},
		"one key twice": {Genesis: &twice, Key: seedOf(clientKey), Connect: c.connect(0)},
		"no genesis":    {},
		"no addresses":  {Genesis: &c.genesis, Key: seedOf(clientKey)},
		"bad address":   {Genesis: &c.genesis, Key: seedOf(clientKey), Addresses: []string{"a", "b", "c", "d"}},
		"bad in flight": {Genesis: &c.genesis, Session: session.Config{InFlight: 1000}, Connect: c.connect(0)},
	} {
		if _, err := Dial(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// KV's methods against the store itself.
func TestKV(t *testing.T) {
	c := newCluster(t)
	s, ctx := KV{dial(t, c, nil)}, t.Context()
	if _, found, err := s.Get(ctx, []byte("a")); found || err != nil {
		t.Fatalf("get: %v, %v", found, err)
	}
	first, err := s.Put(ctx, []byte("a"), []byte("1"))
	if err != nil || first == 0 {
		t.Fatalf("put: %d, %v", first, err)
	}
	swapped, err := s.CompareAndSwap(ctx, []byte("a"), kv.Some([]byte("1")), kv.Some([]byte("2")))
	if err != nil || !swapped.Done || swapped.Revision <= first {
		t.Fatalf("swap: %+v, %v", swapped, err)
	}
	swapped, err = s.CompareAndSwap(ctx, []byte("a"), kv.None, kv.Some(nil))
	if err != nil || swapped.Done || string(swapped.Current.Value) != "2" {
		t.Fatalf("swap: %+v, %v", swapped, err)
	}
	branch, err := s.Txn(ctx, []kv.Compare{kv.Exists([]byte("a"))}, [][]byte{kv.Put([]byte("b"), []byte("3")), kv.Get([]byte("a"))}, nil)
	if err != nil || !branch.Held || len(branch.Results) != 2 {
		t.Fatalf("txn: %+v, %v", branch, err)
	}
	page, err := s.Range(ctx, nil, nil, 1, false)
	if err != nil || len(page.Entries) != 1 || !page.More {
		t.Fatalf("range: %+v, %v", page, err)
	}
	if existed, err := s.Delete(ctx, []byte("a")); !existed || err != nil {
		t.Fatalf("delete: %v, %v", existed, err)
	}
	_, err = s.Put(ctx, []byte(strings.Repeat("k", c.genesis.Limits.KeyBytes+1)), nil)
	var failure *ResultError
	if !errors.Is(err, ErrFailed) || !errors.As(err, &failure) || failure.Text == "" {
		t.Fatalf("a key over the limit: %v", err)
	}
}

// Large values are read page by page, and results that do not fit together
// are fetched one by one.
func TestScanLargeValues(t *testing.T) {
	c := newCluster(t)
	s, ctx := KV{dial(t, c, func(cfg *Config) { cfg.Session = session.Config{} })}, t.Context()
	value := strings.Repeat("v", 1<<20)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			if _, err := s.Put(ctx, fmt.Appendf(nil, "p/%d", i), []byte(value)); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	n := 0
	for e, err := range s.Scan(ctx, []byte("p/"), false) {
		if err != nil || len(e.Value) != len(value) || string(e.Key) != fmt.Sprintf("p/%d", n) {
			t.Fatalf("entry %d: %q, %d bytes, %v", n, e.Key, len(e.Value), err)
		}
		n++
	}
	if n != 8 {
		t.Fatalf("%d entries", n)
	}
	for i := range 8 {
		callers.Go(func() {
			if e, found, err := s.Get(ctx, fmt.Appendf(nil, "p/%d", i)); err != nil || !found || len(e.Value) != len(value) {
				t.Errorf("get: %d bytes, %v, %v", len(e.Value), found, err)
			}
		})
	}
	callers.Wait()
}

// The signatures that gathering saves, in the numbers of a benchmark.
func BenchmarkInvoke(b *testing.B) {
	for _, one := range []bool{false, true} {
		b.Run(fmt.Sprintf("one each %v", one), func(b *testing.B) {
			c := newCluster(b)
			s := KV{dial(b, c, func(cfg *Config) { cfg.Session = session.Config{OneEach: one} })}
			value := make([]byte, 256)
			b.SetParallelism(128)
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					if _, err := s.Put(b.Context(), fmt.Appendf(nil, "key %d", i%1000), value); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(c.machine.Operations())/float64(max(c.requests, 1)), "ops/request")
		})
	}
}

// repeat invokes again what ended because another client took the session.
type repeat struct{ inner Invoker }

func (r repeat) Invoke(ctx context.Context, op []byte) (Result, error) {
	for range 1000 {
		if result, err := r.inner.Invoke(ctx, op); !errors.Is(err, session.ErrStale) {
			return result, err
		}
	}
	return Result{}, session.ErrStale
}

// Two clients with one key take each other's sessions away; what may be
// repeated gets through all the same.
func TestSharedKey(t *testing.T) {
	c := newCluster(t)
	var callers sync.WaitGroup
	for i := range 2 {
		s := KV{repeat{dial(t, c, nil)}}
		for j := range 4 {
			callers.Go(func() {
				for round := range 20 {
					if _, err := s.Put(t.Context(), fmt.Appendf(nil, "key %d %d", i, j), fmt.Append(nil, round)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	callers.Wait()
	for i := range 2 {
		e, found, err := KV{dial(t, c, nil)}.Get(t.Context(), fmt.Appendf(nil, "key %d 3", i))
		if err != nil || !found || string(e.Value) != "19" {
			t.Fatalf("got %q, %v, %v", e.Value, found, err)
		}
	}
}

// Operations that are handed in together travel in one request, in their order;
// one that fails is a result among the others.
func TestInvokeAll(t *testing.T) {
	c := newCluster(t)
	cl := dial(t, c, nil)
	ops := [][]byte{kv.Put([]byte("a"), []byte("1")), kv.Get([]byte("a")), {0xff}, kv.Get([]byte("b"))}
	results, err := cl.InvokeAll(t.Context(), ops)
	if err != nil || len(results) != len(ops) {
		t.Fatalf("got %d results, %v", len(results), err)
	}
	if e, found, err := kv.ParseGet(results[1].Data); err != nil || !found || string(e.Value) != "1" {
		t.Errorf("what was put before reads as %+v, %t, %v", e, found, err)
	}
	if results[2].Code != consensus.ResultFailed || results[3].Code != consensus.ResultOK {
		t.Errorf("codes %v and %v", results[2].Code, results[3].Code)
	}
	c.mu.Lock()
	if n := len(c.asked); n != 1 {
		t.Errorf("%d requests came, want 1", n)
	}
	c.mu.Unlock()
	if _, err := cl.InvokeAll(t.Context(), [][]byte{kv.Get([]byte("a")), make([]byte, c.genesis.Limits.OperationBytes+1)}); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("one of them is too large: %v", err)
	}
}
