package p2p

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

var testCluster = crypto.Hash([]byte("test cluster"))

// seedOf is a private key of which a test only has to say the number.
func seedOf(n int) []byte {
	d := crypto.Hash(fmt.Appendf(nil, "key %d", n))
	return d[:]
}

func keyOf(n int) crypto.PublicKey {
	return crypto.PublicKey(ed25519.NewKeyFromSeed(seedOf(n)).Public().(ed25519.PublicKey))
}

const (
	clientKey   = 100 // admitted
	observerKey = 101
	unknownKey  = 102 // and above
)

// inbox is a receiver that keeps what comes. A receiver that blocks is an
// inbox that nobody empties.
type inbox chan consensus.Frame

func (b inbox) Frames(group []consensus.Frame) {
	for _, f := range group {
		b <- f
	}
}

// next waits for one frame.
func (b inbox) next(t *testing.T) consensus.Frame {
	t.Helper()
	select {
	case f := <-b:
		return f
	case <-time.After(patience):
		t.Fatal("no frame came")
		return consensus.Frame{}
	}
}

// node is one replica under test.
type node struct {
	*Network
	config    Config
	in        inbox
	connected chan consensus.Peer
}

func memberOf(r int, addr string) Member {
	return Member{Replica: consensus.ReplicaID(r), Key: keyOf(r), Addr: addr}
}

// start runs replica r of n. The others' addresses are those in known; who has
// none dials us.
func start(t *testing.T, r, n int, known []string, change func(*Config)) *node {
	t.Helper()
	s := &node{in: make(inbox, 1024), connected: make(chan consensus.Peer, 64)}
	s.config = Config{
		Key: seedOf(r), Cluster: testCluster, Listen: "127.0.0.1:0", Receiver: s.in,
		Admit:     func(k crypto.PublicKey) bool { return k == keyOf(clientKey) },
		Observers: []crypto.PublicKey{keyOf(observerKey)},
		OnConnect: func(p consensus.Peer) { s.connected <- p },
	}
	for i := range n {
		addr := ""
		if i < len(known) {
			addr = known[i]
		}
		s.config.Members = append(s.config.Members, memberOf(i, addr))
	}
	if change != nil {
		change(&s.config)
	}
	s.listen(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *node) listen(t *testing.T) {
	t.Helper()
	network, err := Listen(s.config)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s.Network = network
}

// stop closes the network while emptying the inbox, so that no reader hangs in it.
func (s *node) stop(t *testing.T) {
	t.Helper()
	if s.Network == nil {
		return
	}
	done := make(chan error, 1)
	go func() { done <- s.Network.Close() }()
	for {
		select {
		case <-s.in:
			continue
		case err := <-done:
			if err != nil {
				t.Errorf("close: %v", err)
			}
		case <-time.After(patience):
			t.Error("close hangs")
		}
		s.Network = nil
		return
	}
}

func (s *node) awaitConnect(t *testing.T, peers int) {
	t.Helper()
	seen := make(map[consensus.Peer]bool)
	for len(seen) < peers {
		select {
		case p := <-s.connected:
			seen[p] = true
		case <-time.After(patience):
			t.Fatalf("connected to %d of %d", len(seen), peers)
		}
	}
}

// startAll runs n replicas that are connected to each other.
func startAll(t *testing.T, n int, change func(*Config)) []*node {
	t.Helper()
	var nodes []*node
	var known []string
	for r := range n {
		s := start(t, r, n, known, change)
		nodes, known = append(nodes, s), append(known, s.Addr())
	}
	for _, s := range nodes {
		s.awaitConnect(t, n-1)
	}
	return nodes
}

// await polls for what has no event of its own: a counter, a library's state.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
