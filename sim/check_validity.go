package sim

import (
	"fmt"

	"quorate/app"
	"quorate/consensus"
	"quorate/crypto"
)

// validity judges that only what clients asked for is agreed on and executed.
type validity struct {
	requests   map[crypto.Digest]*consensus.Request
	operations map[crypto.Digest]bool // of client and operation
}

func newValidity() validity {
	return validity{requests: map[crypto.Digest]*consensus.Request{}, operations: map[crypto.Digest]bool{}}
}

// issue enters what a client asks.
func (v *validity) issue(_ int, r *consensus.Request) {
	v.requests[r.Digest] = r
	for _, op := range r.Operations {
		v.operations[crypto.Hash(append(r.Client[:], op...))] = true
	}
}

// batch judges what is committed: a request that nobody signed has no place in
// it, whether or not its execution would be refused later.
func (v *validity) batch(r *replica, b *consensus.Batch) string {
	if b == nil {
		return ""
	}
	for _, req := range b.Requests {
		if v.requests[req.Digest] == nil {
			return fmt.Sprintf("%v commits a request that no client issued: %s #%d", r, req.Client.Short(), req.Sequence.Counter)
		}
	}
	return ""
}

func (v *validity) operation(r *replica, ctx app.Context, op []byte) string {
	if !v.operations[crypto.Hash(append(ctx.Client[:], op...))] {
		return fmt.Sprintf("%v executes at %d an operation that %s never issued", r, ctx.Seq, ctx.Client.Short())
	}
	return ""
}
