package gossip

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const observerKey = 100

var (
	patience    = 10 * time.Second
	testCluster = crypto.Hash([]byte("test cluster"))
)

func seedOf(n int) []byte {
	d := crypto.Hash(fmt.Appendf(nil, "key %d", n))
	return d[:]
}

func keyOf(n int) crypto.PublicKey {
	return crypto.PublicKey(ed25519.NewKeyFromSeed(seedOf(n)).Public().(ed25519.PublicKey))
}

// party is a replica, or an observer if its network is nil.
type party struct {
	network *p2p.Network
	topic   *topic
	heard   chan []byte
}

// join is Join that remembers the topic, to ask the library about its peers.
func (h *party) join(ctx context.Context, config p2p.TopicConfig) (p2p.Topic, error) {
	joined, err := Join(ctx, config)
	if err == nil {
		h.topic = joined.(*topic)
	}
	return joined, err
}

// Frames implements p2p.Receiver.
func (h *party) Frames(group []consensus.Frame) {
	for _, f := range group {
		if f.From.Kind == consensus.Topic {
			h.heard <- f.Bytes
		}
	}
}

// startAll runs n replicas that dial those before them.
func startAll(t *testing.T, n int) ([]*party, []p2p.Member) {
	t.Helper()
	var hosts []*party
	members := make([]p2p.Member, n)
	for i := range members {
		members[i] = p2p.Member{Replica: consensus.ReplicaID(i), Key: keyOf(i)}
	}
	for i := range n {
		h := &party{heard: make(chan []byte, 64)}
		network, err := p2p.Listen(p2p.Config{
			Key: seedOf(i), Cluster: testCluster, Listen: "127.0.0.1:0", Members: slices.Clone(members), Receiver: h,
			Gossip: h.join, Observers: []crypto.PublicKey{keyOf(observerKey)},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.network = network
		members[i].Addr = network.Addr()
		hosts = append(hosts, h)
		t.Cleanup(func() {
			if err := network.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return hosts, members
}

// observe dials all replicas as the observer that they know.
func observe(t *testing.T, members []p2p.Member) *party {
	t.Helper()
	o := &party{heard: make(chan []byte, 64)}
	client, err := p2p.Dial(t.Context(), p2p.ClientConfig{
		Key: seedOf(observerKey), Cluster: testCluster, Members: members,
		Receive: func(consensus.ReplicaID, [][]byte) {},
		Topic:   func(frame []byte) { o.heard <- frame }, Gossip: o.join,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// await polls for what has no event of its own: a counter, a library's state.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// meet waits until all know each other: the library learns of its peers in its
// own time, and what it is given before then goes nowhere.
func meet(t *testing.T, hosts ...*party) {
	t.Helper()
	await(t, "gossip peers", func() bool {
		return !slices.ContainsFunc(hosts, func(h *party) bool { return len(h.topic.topic.ListPeers()) < len(hosts)-1 })
	})
}

func (h *party) hears(t *testing.T, want string) {
	t.Helper()
	select {
	case frame := <-h.heard:
		if string(frame) != want {
			t.Fatalf("heard %q, want %q", frame, want)
		}
	case <-time.After(patience):
		t.Fatalf("never heard %q", want)
	}
}

func TestReachesAll(t *testing.T) {
	hosts, _ := startAll(t, 4)
	meet(t, hosts...)
	for i, h := range hosts {
		frame := fmt.Sprintf("from %d", i)
		if !h.network.Send(consensus.Peer{Kind: consensus.Topic}, consensus.Bodies, []byte(frame)) {
			t.Fatal("not queued")
		}
		for j, other := range hosts {
			if i != j {
				other.hears(t, frame)
			}
		}
	}
	for i, h := range hosts {
		if got := h.network.Stats().Topic; got.Traffic.Sent != 1 || got.Traffic.Received != 3 || got.Lost != 0 {
			t.Errorf("R%d: %+v", i, got)
		}
		if len(h.heard) > 0 {
			t.Errorf("R%d got something twice", i)
		}
		if h.network.Publish(make([]byte, consensus.MaxFrame+1)) {
			t.Errorf("R%d publishes what is too large", i)
		}
	}
}

func TestObserverListensOnly(t *testing.T) {
	hosts, members := startAll(t, 2)
	o := observe(t, members)
	// The observer's two peers are the replicas, and theirs are two as well.
	meet(t, append(hosts, o)...)
	hosts[0].network.Publish([]byte("announcement"))
	o.hears(t, "announcement")
	hosts[1].hears(t, "announcement")
	if err := o.topic.Publish(t.Context(), []byte("rumour")); err != nil {
		t.Fatal(err)
	}
	await(t, "rejection", func() bool {
		return hosts[0].network.Stats().Topic.Rejected+hosts[1].network.Stats().Topic.Rejected >= 2
	})
	if len(hosts[0].heard)+len(hosts[1].heard) > 0 {
		t.Fatal("an observer published")
	}
}
