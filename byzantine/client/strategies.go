package client

import (
	"slices"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Ways of the strategies; "any" draws one in each turn.
var (
	conflictWays = []string{"any", "halves", "each", "both"}
	forgeries    = []string{"any", "flip", "zero", "key", "cluster", "form"}
	excesses     = []string{"any", "operation", "many", "request", "frame"}
	poisons      = []string{"any", "empty", "random", "cut", "flip", "long", "many"}
	counterWays  = []string{"any", "zero", "old", "beyond", "huge", "last", "random"}
	epochWays    = []string{"any", "zero", "now", "past", "future", "huge", "last"}
)

// behaviour is a profile with what makes a client's strategy of it.
type behaviour struct {
	byzantine.Profile
	make func(*Client, byzantine.Spec) (strategy, error)
}

// Behaviours are what clients do.
func Behaviours() byzantine.Catalogue {
	var all byzantine.Catalogue
	for _, b := range behaviours() {
		all = append(all, b.Profile)
	}
	return all
}

// behaviours may be any number of clients': the outcome does not depend on how
// many, so that both columns are the same.
func behaviours() []behaviour {
	one := func(name, group, sentence string, make func(*Client, byzantine.Spec) (strategy, error), params ...byzantine.Param) behaviour {
		outcome := byzantine.SafeLive
		if group == "FLOOD" || group == "C-HUGE" || group == "LINK" {
			outcome = byzantine.SafeSlow
		}
		p := byzantine.Profile{Name: name, Group: group, Sentence: sentence, Client: true, Params: params, AtF: outcome, AtF1: outcome}
		return behaviour{p, make}
	}
	drawn := func(b behaviour, mains ...string) behaviour {
		b.Drawn = mains
		return b
	}
	how := func(ways []string) byzantine.Param {
		return byzantine.Param{Name: "how", Default: "any", Help: byzantine.OneOf(ways)}
	}
	rate := func(n string) byzantine.Param {
		return byzantine.Param{Name: "rate", Default: n, Help: "requests in each turn, up to 1000"}
	}
	return []behaviour{
		one("conflict", "C-SAME-TS", "signs different operations for one sequence number, and sends different ones to different replicas",
			chosen(conflictWays, conflict), how(conflictWays)),
		one("multi", "C-MULTI", "sends each replica a valid request that no other replica gets", always(multi)),
		one("bad-signature", "C-BADSIG", "sends requests with an invalid signature",
			chosen(forgeries, badSignature), how(forgeries)),
		one("partial", "C-PARTIAL", "sends some replicas a valid request, and others (to=) the same request with an invalid signature", always(partial)),
		one("replay-requests", "C-REPLAY", "repeats its old requests", rated(replayRequests), rate("4")),
		drawn(one("request-flood", "FLOOD", "sends many valid requests at once", rated(requestFlood), rate("32")), "4"),
		one("oversize", "C-HUGE", "exceeds a limit of the genesis", chosen(excesses, oversize), how(excesses)),
		one("poison", "C-POISON", "sends valid requests with operations that no application understands, or that are expensive",
			chosen(poisons, poison), how(poisons)),
		one("counters", "C-OLD/NEWTS", "uses counters that no honest client reaches", chosen(counterWays, counters), how(counterWays)),
		one("epoch-jump", "C-OLD/NEWTS", "claims to have started at another time", chosen(epochWays, epochJump), how(epochWays)),
		one("outsider", "V-FORGE", "signs with a key that the genesis does not admit", newOutsider),
		one("garbage-client", "V-GARBAGE", "sends corrupt frames, and kinds that only replicas may send",
			chosen(byzantine.Breakages, garbageClient), how(byzantine.Breakages)),
		drawn(one("silent-reader", "LINK", "sends many requests and never reads the replies", newSilentReader, rate("8")), "2"),
		one("vanish", "C-DROP", "sends a request to one replica, and never repeats it", always(vanish)),
	}
}

// always makes a strategy that needs no parameters.
func always(p strategy) func(*Client, byzantine.Spec) (strategy, error) {
	return func(*Client, byzantine.Spec) (strategy, error) { return p, nil }
}

// chosen makes a strategy in one of several ways, the first of which may be "any":
// then each turn draws one.
func chosen(ways []string, p func(c *Client, how string, now consensus.Time)) func(*Client, byzantine.Spec) (strategy, error) {
	return func(_ *Client, s byzantine.Spec) (strategy, error) {
		how, err := s.Word("", ways...)
		return func(c *Client, now consensus.Time) {
			if how == "any" {
				p(c, ways[1+c.dice.IntN(len(ways)-1)], now)
			} else {
				p(c, how, now)
			}
		}, err
	}
}

// rated makes a strategy with a number of requests in each turn.
func rated(p func(c *Client, n int)) func(*Client, byzantine.Spec) (strategy, error) {
	return func(_ *Client, s byzantine.Spec) (strategy, error) {
		n, err := s.Number("", 1, 1000)
		return func(c *Client, _ consensus.Time) { p(c, n) }, err
	}
}

// conflict signs different operations for one sequence number.
func conflict(c *Client, how string, _ consensus.Time) {
	seq := c.next()
	two := [2]*consensus.Request{c.signed(seq, c.draw()), c.signed(seq, c.draw())}
	for i, to := range c.victims() {
		switch how {
		case "each":
			c.post(to, c.signed(seq, c.draw()).Raw)
		case "both":
			c.post(to, two[i%2].Raw)
			c.post(to, two[1-i%2].Raw)
		default:
			c.post(to, two[i%2].Raw)
		}
	}
}

// multi sends each replica a request of its own, and no other one that request.
func multi(c *Client, _ consensus.Time) {
	for _, to := range c.victims() {
		c.post(to, c.request().Raw)
	}
}

// unsigned is a copy of a request whose signature proves nothing.
func (c *Client) unsigned(how string) []byte {
	r := c.request()
	switch how {
	case "cluster":
		return consensus.SignRequest(c.signer, crypto.Hash(r.Raw), r.Sequence, r.Operations).Raw
	case "form": // what was signed is not what the kind says
		b := slices.Clone(r.Raw)
		if c.dice.IntN(2) == 0 {
			b = slices.Clone(consensus.SignOldRequest(c.signer, c.cluster, r.Sequence, r.Operations).Raw)
		}
		b[0] ^= consensus.KindRequest ^ consensus.KindOldRequest
		return b
	case "key":
		stranger := crypto.NewSigner(crypto.Hash(r.Raw))
		b := slices.Clone(consensus.SignRequest(stranger, c.cluster, r.Sequence, r.Operations).Raw)
		own := c.signer.Public()
		copy(b[1:], own[:])
		return b
	}
	b := slices.Clone(r.Raw)
	sig := b[len(b)-crypto.SignatureSize:]
	if how == "zero" {
		clear(sig)
	} else {
		sig[c.dice.IntN(len(sig))] ^= 1 << c.dice.IntN(8)
	}
	return b
}

// badSignature sends requests that are not authentic.
func badSignature(c *Client, how string, _ consensus.Time) { c.tell(c.unsigned(how)) }

// partial sends what is authentic to some only: those of to=, or the upper
// half, get a signature that is not.
func partial(c *Client, _ consensus.Time) {
	r := c.request()
	bad := slices.Clone(r.Raw)
	bad[len(bad)-1] ^= 1
	n := len(c.genesis.Replicas)
	for i := range n {
		to := consensus.ReplicaID(i)
		meant := slices.Contains(c.spec.To, to) || c.spec.To == nil && i >= n/2
		if meant {
			c.post(to, bad)
		} else {
			c.post(to, r.Raw)
		}
	}
}

// replayRequests sends one new request, and then old ones again and again.
func replayRequests(c *Client, n int) {
	c.tell(c.request().Raw)
	for range n {
		c.tell(c.past[c.dice.IntN(len(c.past))].Raw)
	}
}

// requestFlood sends many requests at once.
func requestFlood(c *Client, n int) {
	for range n {
		c.tell(c.request().Raw)
	}
}

// oversize sends what is over one of the genesis' limits.
func oversize(c *Client, how string, _ consensus.Time) {
	l := &c.genesis.Limits
	switch how {
	case "operation":
		c.tell(c.signed(c.next(), make([]byte, l.OperationBytes+1)).Raw)
	case "many":
		ops := make([][]byte, min(l.RequestOperations+1, consensus.MaxOperations))
		c.tell(c.signed(c.next(), ops...).Raw)
	case "request":
		var ops [][]byte
		for left := l.RequestBytes; left > 0; left -= l.OperationBytes {
			ops = append(ops, make([]byte, min(left, l.OperationBytes)))
		}
		c.tell(c.signed(c.next(), ops...).Raw)
	case "frame":
		c.tell(byzantine.Huge(c.request().Raw))
	}
}

// poison sends authentic requests whose operations no application can mean.
func poison(c *Client, how string, _ consensus.Time) {
	op := c.draw()
	switch how {
	case "empty":
		op = nil
	case "random":
		op = byzantine.RandomBytes(c.dice, 1+c.dice.IntN(256))
	case "cut":
		op = op[:c.dice.IntN(len(op)+1)]
	case "flip":
		if op = slices.Clone(op); len(op) > 0 {
			op[c.dice.IntN(len(op))] ^= 1 << c.dice.IntN(8)
		}
	case "long":
		op = append(slices.Clone(op), make([]byte, max(0, c.genesis.Limits.OperationBytes-len(op)))...)
	case "many":
		ops := slices.Repeat([][]byte{op}, c.genesis.Limits.RequestOperations)
		if r := c.signed(c.next(), ops...); len(r.Raw) <= c.genesis.Limits.RequestBytes {
			c.tell(r.Raw)
			return
		}
	}
	c.tell(c.signed(c.next(), op).Raw)
}

// counters uses counters that no honest client comes to.
func counters(c *Client, how string, _ consensus.Time) {
	counter := map[string]uint64{
		"zero": 0, "old": 1, "beyond": c.counter + consensus.SessionWindow + 1, "huge": 1 << 63, "last": 1<<64 - 1, "random": c.dice.Uint64(),
	}[how]
	c.tell(c.signed(consensus.Sequence{Epoch: c.epoch, Counter: counter}, c.draw()).Raw)
	// Beside that it lives on, so that there is a session to be disturbed.
	c.tell(c.request().Raw)
}

// epochJump claims to have been started at other times.
func epochJump(c *Client, how string, now consensus.Time) {
	idle := uint64(c.genesis.Limits.SessionIdle)
	epoch := map[string]uint64{
		"zero": 0, "now": uint64(now), "past": c.epoch - min(c.epoch, 2*idle), "future": uint64(now) + 2*idle, "huge": 1 << 63, "last": 1<<64 - 1,
	}[how]
	c.tell(c.signed(consensus.Sequence{Epoch: epoch, Counter: 1}, c.draw()).Raw)
	c.tell(c.request().Raw)
}

// newOutsider takes a key that nobody has admitted.
func newOutsider(c *Client, _ byzantine.Spec) (strategy, error) {
	key := c.signer.Public()
	c.signer = crypto.NewSigner(crypto.Hash(append([]byte("quorate/byzantine/outsider"), key[:]...)))
	return func(c *Client, _ consensus.Time) { c.tell(c.request().Raw) }, nil
}

// garbageClient sends what is no request, and what only replicas may send.
func garbageClient(c *Client, how string, _ consensus.Time) {
	for _, to := range c.victims() {
		c.post(to, byzantine.Spoil(c.dice, how, c.request().Raw))
	}
}

// newSilentReader asks and never reads the answers.
func newSilentReader(c *Client, s byzantine.Spec) (strategy, error) {
	c.deaf = true
	return rated(requestFlood)(c, s)
}

// vanish tells one replica about a request and is never heard of again with it.
func vanish(c *Client, _ consensus.Time) {
	to := c.victims()
	c.post(to[c.dice.IntN(len(to))], c.request().Raw)
}
