package p2p

import (
	"crypto/ed25519"
	"fmt"
	"net/netip"

	lcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// PeerID is the libp2p name of an Ed25519 key: the key itself, wrapped.
func PeerID(k crypto.PublicKey) (peer.ID, error) {
	pub, err := lcrypto.UnmarshalEd25519PublicKey(k[:])
	if err != nil {
		return "", fmt.Errorf("peer id of key %s: %w", k.Short(), err)
	}
	return peer.IDFromPublicKey(pub)
}

// keyOfPeer is the Ed25519 key inside a peer id. Peers with keys of any other
// kind have none: they are nobody here, and their large keys are never parsed.
func keyOfPeer(id peer.ID) (crypto.PublicKey, error) {
	pub, err := id.ExtractPublicKey()
	if err != nil {
		return crypto.PublicKey{}, fmt.Errorf("peer %s names no key: %w", id, err)
	}
	raw, err := pub.Raw()
	if err != nil || pub.Type() != lcrypto.Ed25519 || len(raw) != crypto.PublicKeySize {
		return crypto.PublicKey{}, fmt.Errorf("%w: peer %s has no Ed25519 key", errConfig, id)
	}
	return crypto.PublicKey(raw), nil
}

// privateKey reads a seed, or a seed with its public key.
func privateKey(b []byte) (lcrypto.PrivKey, error) {
	switch len(b) {
	case ed25519.SeedSize:
		b = ed25519.NewKeyFromSeed(b)
	case ed25519.PrivateKeySize:
	default:
		return nil, fmt.Errorf("%w: a private key has %d or %d bytes, not %d", errConfig, ed25519.SeedSize, ed25519.PrivateKeySize, len(b))
	}
	key, err := lcrypto.UnmarshalEd25519PrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: private key: %w", errConfig, err)
	}
	return key, nil
}

// roster knows who is who by peer id. It does not change.
type roster struct {
	key       lcrypto.PrivKey
	own       crypto.PublicKey
	id        peer.ID
	isMember  bool
	replica   consensus.ReplicaID // own, if isMember
	members   map[peer.ID]member
	observers map[peer.ID]crypto.PublicKey
}

// member is a Member whose texts are understood.
type member struct {
	replica consensus.ReplicaID
	key     crypto.PublicKey
	id      peer.ID
	addr    ma.Multiaddr // nil: never dialled
	where   string       // the same, as the configuration has it
}

// newRoster finds the peer ids of all who are named in the configuration. Two
// members with one key, or one id, would be one peer with two votes: refused.
func newRoster(key lcrypto.PrivKey, members []Member, observers []crypto.PublicKey) (*roster, error) {
	r := &roster{key: key, members: make(map[peer.ID]member), observers: make(map[peer.ID]crypto.PublicKey)}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: private key: %w", errConfig, err)
	}
	if r.own, err = keyOfPeer(id); err != nil {
		return nil, err
	}
	r.id = id
	if len(members) == 0 || len(members) > consensus.MaxReplicas {
		return nil, fmt.Errorf("%w: %d members: 1 to %d are possible", errConfig, len(members), consensus.MaxReplicas)
	}
	for _, m := range members {
		if err := r.add(m); err != nil {
			return nil, err
		}
	}
	for _, k := range observers {
		id, err := PeerID(k)
		if err != nil {
			return nil, err
		}
		r.observers[id] = k
	}
	return r, nil
}

func (r *roster) add(m Member) error {
	id, err := PeerID(m.Key)
	if err != nil {
		return fmt.Errorf("%w: member R%d: %w", errConfig, m.Replica, err)
	}
	for _, other := range r.members {
		if other.replica == m.Replica || other.id == id {
			return fmt.Errorf("%w: members R%d and R%d have the same id or key", errConfig, other.replica, m.Replica)
		}
	}
	known := member{replica: m.Replica, key: m.Key, id: id, where: m.Addr}
	if m.Addr != "" {
		if known.addr, err = parseAddr(m.Addr); err != nil {
			return fmt.Errorf("member R%d: %w", m.Replica, err)
		}
	}
	r.members[id] = known
	if id == r.id {
		r.isMember, r.replica = true, m.Replica
	}
	return nil
}

// networks are the addresses of members that are numbers. A name may stand for
// any.
func (r *roster) networks() map[netip.Prefix]bool {
	known := make(map[netip.Prefix]bool)
	for _, m := range r.members {
		if at := addressOf(m.addr); at.IsValid() {
			known[at] = true
		}
	}
	return known
}
