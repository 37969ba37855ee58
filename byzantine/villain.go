package byzantine

import (
	"cmp"
	"fmt"
	"math/rand/v2"

	"quorate/consensus"
	"quorate/crypto"
)

// Villain is a Byzantine client: a source of frames. Its host calls Next every
// so often, sends what comes out, and reads what replicas answer, or does not:
// a villain believes nobody. Not safe for concurrent use.
type Villain struct {
	genesis consensus.Genesis
	cluster crypto.Digest
	signer  crypto.Signer
	draw    func() []byte // an operation of the application
	dice    *rand.Rand
	epoch   uint64
	counter uint64
	plot    plot
	past    []*consensus.Request // its own, oldest first, at most maxPast
	out     []Parcel
	spec    Spec
	since   consensus.Time
	started bool
}

// Parcel is a frame of a client for one replica.
type Parcel struct {
	To    consensus.ReplicaID
	Class consensus.Class
	Bytes []byte // read-only
}

// plot is what a villain does when its turn comes.
type plot func(v *Villain, now consensus.Time)

// Bounds of a villain: requests that it remembers, and frames and bytes that it
// sends in one turn.
const (
	maxPast        = 64
	maxParcels     = 4096
	maxParcelBytes = 32 << 20
)

// NewVillain makes a client with key s that does what spec says. The operation
// that its requests carry comes from draw, so that it knows no application; one
// of epoch is enough for its whole life, and a restarted villain needs a higher
// one. The key need not be in the genesis. It fails if spec is not a client's.
func NewVillain(g consensus.Genesis, s crypto.Signer, spec Spec, epoch, seed uint64, draw func() []byte) (*Villain, error) {
	key := s.Public()
	d := crypto.Hash(fmt.Appendf(nil, "quorate/byzantine/villain/%d/%s/%s", seed, key, spec))
	v := &Villain{
		genesis: g, cluster: g.ID(), signer: s, draw: draw, epoch: max(1, epoch),
		dice: rand.New(rand.NewPCG(word(d[:8]), word(d[8:16]))),
	}
	e, full, err := complete(spec, true, g.Protocol)
	if err == nil {
		err = cmp.Or((&Env{Genesis: g}).check(&full), villainKinds(&full))
	}
	if err == nil {
		v.spec = full
		v.plot, err = e.villain(v, full)
	}
	if err != nil {
		return nil, fmt.Errorf("no such villain: %w", err)
	}
	return v, nil
}

// villainKinds refuses kinds: a client sends requests, and what only looks like them.
func villainKinds(s *Spec) error {
	if s.Kinds == nil {
		return nil
	}
	return &ParamError{Behaviour: s.Name, Word: "kind", Why: "a client's frames have no kinds to choose from"}
}

// Next returns what the villain sends now, at most maxParcels frames and
// maxParcelBytes. The clock is its host's.
func (v *Villain) Next(now consensus.Time) []Parcel {
	if !v.started {
		v.started, v.since = true, now
	}
	v.out = nil
	if v.spec.open(now-v.since) && (v.spec.Chance == 0 || v.dice.IntN(million) < v.spec.Chance) {
		v.plot(v, now)
	}
	bytes := 0
	for i, p := range v.out {
		if bytes += len(p.Bytes); bytes > maxParcelBytes || i >= maxParcels {
			v.out = v.out[:i]
			break
		}
	}
	return v.out
}

// Public is the villain's key.
func (v *Villain) Public() crypto.PublicKey { return v.signer.Public() }
