package sim

import (
	"fmt"

	"quorate/app"
	"quorate/consensus"
	"quorate/crypto"
)

// validity judges that only what clients asked for is agreed on and executed.
type validity struct {
	requests   map[crypto.Digest]bool
	operations map[crypto.Digest]bool // of client and operation
}

func newValidity() validity {
	return validity{requests: map[crypto.Digest]bool{}, operations: map[crypto.Digest]bool{}}
}

// issue enters an operation that a client invokes.
func (v *validity) issue(client crypto.PublicKey, op []byte) {
	v.operations[crypto.Hash(append(client[:], op...))] = true
}

// sign enters a request that a client sends.
func (v *validity) sign(r *consensus.Request) { v.requests[r.Digest] = true }

// batch judges what is committed: a request that nobody signed has no place in
// it, whether or not its execution would be refused later.
func (v *validity) batch(r *replica, b *consensus.Batch) string {
	if b == nil {
		return ""
	}
	for _, req := range b.Requests {
		if !v.requests[req.Digest] {
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
