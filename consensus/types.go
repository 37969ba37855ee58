package consensus

import (
	"fmt"
	"slices"
	"time"

	"quorate.dev/quorate/crypto"
)

// ReplicaID numbers the replicas of a cluster from 0 to n-1, in genesis order.
type ReplicaID uint16

// View numbers the periods of one primary each. In Raft mode it holds the term.
type View uint64

// Seq is a sequence number: the height at which a batch is executed. The
// first batch has sequence number 1; 0 is the state of the genesis.
type Seq uint64

// MaxSeq bounds the sequence numbers that anybody is told of: nobody gets there by
// counting, and a liar who is there cannot make a sum overflow.
const MaxSeq Seq = 1 << 62

// Time is nanoseconds since 1970-01-01 UTC. It is what clocks hand in and what
// the application sees; the engine measures durations in ticks.
type Time int64

// Std converts t for display.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// PeerKind says who is at the other end of a channel or of a send.
type PeerKind uint8

// The kinds of peers. The first three are ends of authenticated channels; the
// last two are destinations of a Send; a frame that came by the topic has that
// as its From, for its propagation proves no author.
const (
	PeerReplica  PeerKind = iota + 1 // the member with id Replica
	PeerClient                       // the client with public key Key
	PeerObserver                     // an admitted reader of what proves itself
	Everyone                         // every other replica
	Topic                            // the gossip topic: lossy, reaches replicas and observers
)

// Peer is one end of a channel.
type Peer struct {
	Kind    PeerKind
	Replica ReplicaID        // with PeerReplica
	Key     crypto.PublicKey // with PeerClient and PeerObserver
}

// Others lists the replicas of a cluster of n that are not among but, ascending.
func Others(n int, but ...ReplicaID) []ReplicaID {
	var out []ReplicaID
	for r := range ReplicaID(n) {
		if !slices.Contains(but, r) {
			out = append(out, r)
		}
	}
	return out
}

// ReplicaPeer is the channel to the member with id r.
func ReplicaPeer(r ReplicaID) Peer { return Peer{Kind: PeerReplica, Replica: r} }

// ClientPeer is the channel to the client with key k.
func ClientPeer(k crypto.PublicKey) Peer { return Peer{Kind: PeerClient, Key: k} }

// String names the peer for people.
func (p Peer) String() string {
	switch p.Kind {
	case PeerReplica:
		return fmt.Sprintf("R%d", p.Replica)
	case PeerClient:
		return "client " + p.Key.Short()
	case PeerObserver:
		return "observer " + p.Key.Short()
	case Everyone:
		return "all"
	case Topic:
		return "topic"
	}
	return "nobody"
}

// Class is a kind of traffic with a stream and a bounded queue of its own, so
// that a snapshot never stalls a vote.
type Class uint8

// The classes of traffic, most urgent first.
const (
	Votes  Class = iota // small and urgent: votes, view changes, status
	Bodies              // batches and requests
	Bulk                // parts of a state
	Classes
)

// String names the class.
func (c Class) String() string { return [...]string{"votes", "bodies", "bulk", "?"}[min(c, Classes)] }
