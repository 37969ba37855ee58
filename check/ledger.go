package check

import (
	"slices"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ledger is who asked for what, where it was executed, and what was answered.
// From it follow validity, that only what clients signed is agreed on and
// executed, and that it is executed once.
type ledger struct {
	requests   map[crypto.Digest]*consensus.Request
	batched    map[crypto.Digest]bool // requests that stood in a batch
	operations map[string]*operation  // by client and bytes
	order      map[uint64]*operation  // which one stands at which place of the history
	scratch    []byte
}

// operation is one operation of one client; those with equal bytes share it.
type operation struct {
	issued  bool // by an honest client
	asked   int  // how often it stands in requests that were agreed on
	places  []place
	answers []told // of the honest
	found   []told // ... to READs
}

// place is where an operation stands in the common history.
type place struct {
	seq   consensus.Seq
	order uint64
	who   consensus.ReplicaID
	name  string // the operation's key in the ledger, where it is needed
}

// keySize is where the operation's bytes begin in its key.
const keySize = crypto.PublicKeySize

// told is the result of an operation as an honest replica told it.
type told struct {
	seq  consensus.Seq
	code consensus.ResultCode
	data string
}

func newLedger() ledger {
	return ledger{
		requests: map[crypto.Digest]*consensus.Request{}, batched: map[crypto.Digest]bool{},
		operations: map[string]*operation{}, order: map[uint64]*operation{},
	}
}

// of is the entry of an operation. To look one up again costs no memory.
func (l *ledger) of(client crypto.PublicKey, op []byte) *operation {
	l.scratch = append(append(l.scratch[:0], client[:]...), op...)
	o := l.operations[string(l.scratch)]
	if o == nil {
		o = &operation{}
		l.operations[string(l.scratch)] = o
	}
	return o
}

// honestClient reports whether everything that a client signs is told.
func (j *Judge) honestClient(k crypto.PublicKey) bool {
	return j.cfg.Clients == nil || j.cfg.Clients(k)
}

// validBatch judges what is agreed on: a request that nobody signed has no
// place in it, whether or not its execution would be refused later.
func (j *Judge) validBatch(at consensus.Time, r consensus.ReplicaID, c *consensus.Commit) {
	if c.Batch == nil {
		return
	}
	for _, req := range c.Batch.Requests {
		if j.ledger.batched[req.Digest] {
			continue
		}
		j.ledger.batched[req.Digest] = true
		if !j.authentic(req) {
			j.violate(at, Validity, "R%d commits at %d a request that no client signed: %s #%d", r, c.Seq, req.Client.Short(), req.Sequence.Counter)
			continue
		}
		for _, op := range req.Operations {
			j.ledger.of(req.Client, op).asked++
		}
	}
}

// authentic reports whether a request's client signed it. An honest one's word
// counts, not its signature: that it might be forged is what is judged.
func (j *Judge) authentic(req *consensus.Request) bool {
	if j.honestClient(req.Client) {
		return j.ledger.requests[req.Digest] != nil
	}
	if j.roles.Of(req.Client) == consensus.RoleNone {
		return false
	}
	ok := j.cfg.Verifier.Verify([]crypto.Claim{req.Claim(j.ballots.cluster)})
	if len(ok) != 1 || !ok[0] {
		return false
	}
	j.ledger.requests[req.Digest] = req
	return true
}

// executed judges an execution: it was asked for, and it stands at one place
// of the common history and at no other. A replica that restarts executes
// again what its disk lacks, from the state before it: the same operations at
// the same places.
func (j *Judge) executed(at consensus.Time, r consensus.ReplicaID, ctx *app.Context, op []byte) {
	o := j.ledger.of(ctx.Client, op)
	honest := j.honestClient(ctx.Client)
	if honest && !o.issued || !honest && o.asked == 0 {
		j.violate(at, Validity, "%s executes at %d an operation that %s never signed", name(r), ctx.Seq, ctx.Client.Short())
	}
	here := place{seq: ctx.Seq, order: ctx.Order, who: r}
	if other, taken := j.ledger.order[ctx.Order]; taken && other != o {
		j.violate(at, Divergence, "%s executes another operation than others at order %d, height %d", name(r), ctx.Order, ctx.Seq)
		return
	}
	j.ledger.order[ctx.Order] = o
	if slices.ContainsFunc(o.places, func(p place) bool { return p.seq == here.seq && p.order == here.order }) {
		return
	}
	// Others than the honest may ask twice for what looks the same, each time
	// in a request of its own.
	limit := 1
	if !honest {
		limit = max(1, o.asked)
	}
	if o.places = append(o.places, here); len(o.places) > limit {
		first := o.places[0]
		j.violate(at, Twice, "one operation is executed at %d (order %d, by %s) and at %d (order %d, by %s), and may be executed %d times",
			first.seq, first.order, name(first.who), here.seq, here.order, name(r), limit)
	}
}
