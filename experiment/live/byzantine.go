package live

import (
	"context"
	"fmt"
	"time"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/byzantine/catalogue"
	byzclient "quorate.dev/quorate/byzantine/client"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/home"
	"quorate.dev/quorate/p2p"
)

// misbehavesEvery is how often a Byzantine client has its turn.
const misbehavesEvery = 20 * time.Millisecond

// misbehaving connects a Byzantine client; it has a key that the genesis admits,
// from the other end of the pool.
func (r *run) misbehaving(ctx context.Context, i int, text string) (func(), error) {
	b, err := catalogue.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", spec.ErrSpec, err)
	}
	keys := r.cluster.ClientKeys()
	if r.spec.Clients+i >= len(keys) {
		return nil, fmt.Errorf("%w: %d clients and %d Byzantine ones: a real cluster has keys for %d", spec.ErrSpec, r.spec.Clients, len(r.spec.ByzantineClients), len(keys))
	}
	seed, err := home.ReadKey(keys[len(keys)-1-i], nil)
	if err != nil {
		return nil, err
	}
	g := r.cluster.Genesis
	n := 0
	v, err := byzclient.New(g, crypto.NewSigner(seed), b, r.spec.Seed, func() []byte {
		n++
		return kv.Put([]byte("byzantine"), fmt.Appendf(nil, "%d", n))
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", spec.ErrSpec, err)
	}
	var members []p2p.Member
	for id, address := range r.cluster.Addresses() {
		members = append(members, p2p.Member{Replica: consensus.ReplicaID(id), Key: g.Replicas[id], Addr: address})
	}
	hear := func(consensus.ReplicaID, [][]byte) {
		if v.Deaf() {
			<-ctx.Done()
		}
	}
	network, err := p2p.Dial(ctx, p2p.ClientConfig{Key: seed[:], Cluster: g.ID(), Members: members, Receive: hear})
	if err != nil {
		return nil, err
	}
	return func() {
		turns := time.NewTicker(misbehavesEvery)
		defer turns.Stop()
		for {
			select {
			case <-ctx.Done():
				_ = network.Close()
				return
			case <-turns.C:
			}
			for _, p := range v.Next(consensus.Time(time.Now().UnixNano())) {
				network.Send(p.To.Replica, p.Bytes)
			}
		}
	}, nil
}
