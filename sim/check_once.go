package sim

import (
	"fmt"

	"quorate/app"
	"quorate/consensus"
	"quorate/crypto"
)

// once judges that each operation is executed at one place of the common
// history and at no other. A replica that restarts executes again what its
// disk lacks, from the state before it: the same operations at the same places.
type once struct {
	places map[crypto.Digest]place
	order  map[uint64]crypto.Digest // which operation stands at which place
}

// place is where an operation stands in the common history.
type place struct {
	seq   consensus.Seq
	order uint64
	who   consensus.ReplicaID
}

func newOnce() once {
	return once{places: map[crypto.Digest]place{}, order: map[uint64]crypto.Digest{}}
}

func (o *once) executed(r *replica, ctx app.Context, op []byte) string {
	// Operations carry a token, so that equal bytes are the same operation;
	// the client is part of the name in case a token is ever confused.
	id := crypto.Hash(append(ctx.Client[:], op...))
	at := place{seq: ctx.Seq, order: ctx.Order, who: r.id}
	first, known := o.places[id]
	if known && (first.seq != at.seq || first.order != at.order) {
		return fmt.Sprintf("EXECUTED TWICE: one operation at %d (order %d, by R%d) and at %d (order %d, by R%d)",
			first.seq, first.order, first.who, at.seq, at.order, at.who)
	}
	if other, taken := o.order[ctx.Order]; taken && other != id {
		return fmt.Sprintf("R%d executes another operation than others at order %d, height %d", r.id, ctx.Order, ctx.Seq)
	}
	o.places[id], o.order[ctx.Order] = at, id
	return ""
}
