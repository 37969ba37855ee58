package byzantine

import (
	"cmp"
	"fmt"
	"math/rand/v2"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Villain is a Byzantine client: a source of frames. Its host calls Next every
// so often, sends what comes out, and reads what replicas answer, or does not:
// a villain believes nobody. Not safe for concurrent use.
type Villain struct {
	genesis  consensus.Genesis
	cluster  crypto.Digest
	signer   crypto.Signer
	draw     func() []byte // an operation of the application
	dice     *rand.Rand
	epoch    uint64 // its first moment
	counter  uint64 // of its last request
	deaf     bool
	strategy strategy
	past     []*consensus.Request // its own, oldest first, at most maxPast
	out      []Parcel
	spec     Spec
	since    consensus.Time
	started  bool
}

// Parcel is a frame of a client for one replica.
type Parcel struct {
	To    consensus.ReplicaID
	Class consensus.Class
	Bytes []byte // read-only
}

// plot is what a villain does when its turn comes.
type strategy func(v *Villain, now consensus.Time)

// Bounds of a villain: requests that it remembers, and frames and bytes that it
// sends in one turn.
const (
	maxPast        = 64
	maxParcels     = 4096
	maxParcelBytes = 32 << 20
)

// NewVillain makes a client with key s that does what spec says. The operations
// that its requests carry come from draw, so that it knows no application. The
// key need not be in the genesis. It fails if spec is not a client's.
func NewVillain(g consensus.Genesis, s crypto.Signer, spec Spec, seed uint64, draw func() []byte) (*Villain, error) {
	key := s.Public()
	d := crypto.Hash(fmt.Appendf(nil, "quorate/byzantine/villain/%d/%s/%s", seed, key, spec))
	v := &Villain{
		genesis: g, cluster: g.ID(), signer: s, draw: draw,
		dice: rand.New(rand.NewPCG(word(d[:8]), word(d[8:16]))),
	}
	e, full, err := complete(spec, true, g.Protocol)
	if err == nil {
		err = cmp.Or((&Env{Genesis: g}).check(&full), refuseKinds(&full))
	}
	if err == nil {
		v.spec = full
		v.strategy, err = e.villain(v, full)
	}
	if err != nil {
		return nil, fmt.Errorf("no such villain: %w", err)
	}
	return v, nil
}

// villainKinds refuses kinds: a client sends requests, and what only looks like them.
func refuseKinds(s *Spec) error {
	if s.Kinds == nil {
		return nil
	}
	return &ParamError{Behaviour: s.Name, Word: "kind", Why: "a client's frames have no kinds to choose from"}
}

// Next returns what the villain sends now, at most maxParcels frames and
// maxParcelBytes. The clock is its host's.
func (v *Villain) Next(now consensus.Time) []Parcel {
	if !v.started {
		v.started, v.since, v.epoch = true, now, uint64(max(1, now))
	}
	v.out = nil
	if v.spec.Active(now-v.since) && (v.spec.Chance == 0 || v.dice.IntN(million) < v.spec.Chance) {
		v.strategy(v, now)
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

// Deaf reports whether its host must not read what replicas answer: such a
// villain keeps its channels open, and full.
func (v *Villain) Deaf() bool { return v.deaf }

// victims are the replicas that it means.
func (v *Villain) victims() []consensus.ReplicaID {
	if v.spec.To != nil {
		return v.spec.To
	}
	all := make([]consensus.ReplicaID, len(v.genesis.Replicas))
	for i := range all {
		all[i] = consensus.ReplicaID(i)
	}
	return all
}

// signed makes a request; it may be a request that no honest client makes.
func (v *Villain) signed(seq consensus.Sequence, ops ...[]byte) *consensus.Request {
	return consensus.SignRequest(v.signer, v.cluster, seq, ops)
}

// request makes the next request as an honest client would.
func (v *Villain) request() *consensus.Request {
	r := v.signed(v.next(), v.draw())
	v.past = append(v.past, r)
	v.past = v.past[max(0, len(v.past)-maxPast):]
	return r
}

// next is the next sequence.
func (v *Villain) next() consensus.Sequence {
	v.counter++
	return consensus.Sequence{Epoch: v.epoch, Counter: v.counter}
}

// post sends a frame to one replica.
func (v *Villain) post(to consensus.ReplicaID, frame []byte) {
	if len(v.out) < maxParcels {
		v.out = append(v.out, Parcel{To: to, Class: consensus.Bodies, Bytes: frame})
	}
}

// tell sends a frame to all that it means.
func (v *Villain) tell(frame []byte) {
	for _, to := range v.victims() {
		v.post(to, frame)
	}
}
