package byzantine

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// always makes a plot that needs no parameters.
func always(p strategy) func(*Villain, Spec) (strategy, error) {
	return func(*Villain, Spec) (strategy, error) { return p, nil }
}

// chosen makes a plot in one of several ways, the first of which may be "any":
// then each turn draws one.
func chosen(ways []string, p func(v *Villain, how string, now consensus.Time)) func(*Villain, Spec) (strategy, error) {
	return func(_ *Villain, s Spec) (strategy, error) {
		how, err := s.Word("", ways...)
		return func(v *Villain, now consensus.Time) {
			if how == "any" {
				p(v, ways[1+v.dice.IntN(len(ways)-1)], now)
			} else {
				p(v, how, now)
			}
		}, err
	}
}

// rated makes a plot with a number of requests in each turn.
func rated(p func(v *Villain, n int)) func(*Villain, Spec) (strategy, error) {
	return func(_ *Villain, s Spec) (strategy, error) {
		n, err := s.Number("", 1, 1000)
		return func(v *Villain, _ consensus.Time) { p(v, n) }, err
	}
}

// conflict signs different operations for one sequence number.
func conflict(v *Villain, how string, _ consensus.Time) {
	seq := v.next()
	two := [2]*consensus.Request{v.signed(seq, v.draw()), v.signed(seq, v.draw())}
	for i, to := range v.victims() {
		switch how {
		case "each":
			v.post(to, v.signed(seq, v.draw()).Raw)
		case "both":
			v.post(to, two[i%2].Raw)
			v.post(to, two[1-i%2].Raw)
		default:
			v.post(to, two[i%2].Raw)
		}
	}
}

// multi sends each replica a request of its own, and no other one that request.
func multi(v *Villain, _ consensus.Time) {
	for _, to := range v.victims() {
		v.post(to, v.request().Raw)
	}
}

// unsigned is a copy of a request whose signature proves nothing.
func (v *Villain) unsigned(how string) []byte {
	r := v.request()
	switch how {
	case "cluster":
		return consensus.SignRequest(v.signer, crypto.Hash(r.Raw), r.Sequence, r.Operations).Raw
	case "key":
		stranger := crypto.NewSigner(crypto.Hash(r.Raw))
		b := slices.Clone(consensus.SignRequest(stranger, v.cluster, r.Sequence, r.Operations).Raw)
		own := v.signer.Public()
		copy(b[1:], own[:])
		return b
	}
	b := slices.Clone(r.Raw)
	sig := b[len(b)-crypto.SignatureSize:]
	if how == "zero" {
		clear(sig)
	} else {
		sig[v.dice.IntN(len(sig))] ^= 1 << v.dice.IntN(8)
	}
	return b
}

// badSignature sends requests that are not authentic.
func badSignature(v *Villain, how string, _ consensus.Time) { v.tell(v.unsigned(how)) }

// partial sends what is authentic to some only: those of to=, or the upper
// half, get a signature that is not.
func partial(v *Villain, _ consensus.Time) {
	r := v.request()
	bad := slices.Clone(r.Raw)
	bad[len(bad)-1] ^= 1
	n := len(v.genesis.Replicas)
	for i := range n {
		to := consensus.ReplicaID(i)
		meant := slices.Contains(v.spec.To, to) || v.spec.To == nil && i >= n/2
		if meant {
			v.post(to, bad)
		} else {
			v.post(to, r.Raw)
		}
	}
}

// replayRequests sends one new request, and then old ones again and again.
func replayRequests(v *Villain, n int) {
	v.tell(v.request().Raw)
	for range n {
		v.tell(v.past[v.dice.IntN(len(v.past))].Raw)
	}
}

// requestFlood sends many requests at once.
func requestFlood(v *Villain, n int) {
	for range n {
		v.tell(v.request().Raw)
	}
}

// oversize sends what is over one of the genesis' limits.
func oversize(v *Villain, how string, _ consensus.Time) {
	l := &v.genesis.Limits
	switch how {
	case "operation":
		v.tell(v.signed(v.next(), make([]byte, l.OperationBytes+1)).Raw)
	case "many":
		ops := make([][]byte, min(l.RequestOperations+1, consensus.MaxOperations))
		v.tell(v.signed(v.next(), ops...).Raw)
	case "request":
		var ops [][]byte
		for left := l.RequestBytes; left > 0; left -= l.OperationBytes {
			ops = append(ops, make([]byte, min(left, l.OperationBytes)))
		}
		v.tell(v.signed(v.next(), ops...).Raw)
	case "frame":
		v.tell(Huge(v.request().Raw))
	}
}

// poison sends authentic requests whose operations no application can mean.
func poison(v *Villain, how string, _ consensus.Time) {
	op := v.draw()
	switch how {
	case "empty":
		op = nil
	case "random":
		op = RandomBytes(v.dice, 1+v.dice.IntN(256))
	case "cut":
		op = op[:v.dice.IntN(len(op)+1)]
	case "flip":
		if op = slices.Clone(op); len(op) > 0 {
			op[v.dice.IntN(len(op))] ^= 1 << v.dice.IntN(8)
		}
	case "long":
		op = append(slices.Clone(op), make([]byte, max(0, v.genesis.Limits.OperationBytes-len(op)))...)
	case "many":
		ops := slices.Repeat([][]byte{op}, v.genesis.Limits.RequestOperations)
		if r := v.signed(v.next(), ops...); len(r.Raw) <= v.genesis.Limits.RequestBytes {
			v.tell(r.Raw)
			return
		}
	}
	v.tell(v.signed(v.next(), op).Raw)
}

// counters uses counters that no honest client comes to.
func counters(v *Villain, how string, _ consensus.Time) {
	counter := map[string]uint64{
		"zero": 0, "old": 1, "beyond": v.counter + consensus.SessionWindow + 1, "huge": 1 << 63, "last": 1<<64 - 1, "random": v.dice.Uint64(),
	}[how]
	v.tell(v.signed(consensus.Sequence{Epoch: v.epoch, Counter: counter}, v.draw()).Raw)
	// Beside that it lives on, so that there is a session to be disturbed.
	v.tell(v.request().Raw)
}

// epochJump claims to have been started at other times.
func epochJump(v *Villain, how string, now consensus.Time) {
	idle := uint64(v.genesis.Limits.SessionIdle)
	epoch := map[string]uint64{
		"zero": 0, "now": uint64(now), "past": v.epoch - min(v.epoch, 2*idle), "future": uint64(now) + 2*idle, "huge": 1 << 63, "last": 1<<64 - 1,
	}[how]
	v.tell(v.signed(consensus.Sequence{Epoch: epoch, Counter: 1}, v.draw()).Raw)
	v.tell(v.request().Raw)
}

// newOutsider takes a key that nobody has admitted.
func newOutsider(v *Villain, _ Spec) (strategy, error) {
	key := v.signer.Public()
	v.signer = crypto.NewSigner(crypto.Hash(append([]byte("quorate/byzantine/outsider"), key[:]...)))
	return func(v *Villain, _ consensus.Time) { v.tell(v.request().Raw) }, nil
}

// garbageClient sends what is no request, and what only replicas may say.
func garbageClient(v *Villain, how string, _ consensus.Time) {
	for _, to := range v.victims() {
		v.post(to, Spoil(v.dice, how, v.request().Raw))
	}
}

// newSilentReader asks and never reads the answers.
func newSilentReader(v *Villain, s Spec) (strategy, error) {
	v.deaf = true
	return rated(requestFlood)(v, s)
}

// vanish tells one replica about a request and is never heard of again with it.
func vanish(v *Villain, _ consensus.Time) {
	to := v.victims()
	v.post(to[v.dice.IntN(len(to))], v.request().Raw)
}
