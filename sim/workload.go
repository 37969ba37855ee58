package sim

import (
	"encoding/binary"
	"fmt"
	"slices"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// The operations of the workload. The first three are not idempotent: executed
// twice or in another order, they leave another state and other results.
const (
	opAdd    byte = 'a' // adds one to a counter, yields the sum
	opAppend byte = 'l' // appends the token to a list, yields its length
	opSwap   byte = 's' // writes a unique value, yields the one before, or nothing
	opRead   byte = 'r' // yields the value
	opDelete byte = 'd' // removes the value
	opFail   byte = 'f' // writes, then fails: nothing may stay of it
	opPanic  byte = 'p' // writes, then panics: the same
)

// token names one operation of the whole run; no two share one.
type token struct {
	client  int
	counter uint64
	place   int
}

const tokenSize = 2 + 8 + 2

func (t token) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(t.client))
	b = binary.BigEndian.AppendUint64(b, t.counter)
	return binary.BigEndian.AppendUint16(b, uint16(t.place))
}

func (t token) String() string { return fmt.Sprintf("C%d#%d.%d", t.client, t.counter, t.place) }

// drawOperation draws one operation: kind, key, token, padding.
func drawOperation(dice *stream, w Workload, t token) []byte {
	kind := pick(dice, opAdd, opAdd, opAdd, opAdd, opAppend, opAppend, opAppend, opSwap, opSwap, opSwap, opRead, opDelete, opFail)
	if dice.chance(million / 50) {
		kind = opPanic
	}
	op := t.append([]byte{kind, byte(dice.upTo(w.Keys - 1))})
	if kind == opSwap {
		op = append(op, dice.bytes(dice.upTo(w.ValueBytes))...)
	}
	return op
}

// describeOperation says what an operation does, for people.
func describeOperation(op []byte) string {
	verbs := map[byte]string{opAdd: "add to", opAppend: "append to", opSwap: "write", opRead: "read", opDelete: "delete", opFail: "write and undo", opPanic: "write and undo"}
	if len(op) < 2+tokenSize || verbs[op[0]] == "" {
		return "an operation"
	}
	return fmt.Sprintf("%s k%d", verbs[op[0]], op[1])
}

// ledger is the replicated application of a simulation. It tells the checkers
// of every execution by a replica, and is otherwise as pure as any.
type ledger struct{ replica *replica }

var _ app.Application = ledger{}

// Name implements app.Application.
func (ledger) Name() string { return "" }

// Execute performs one operation.
func (l ledger) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	if l.replica != nil && !ctx.ReadOnly {
		l.replica.world.checks.executed(l.replica, ctx, op)
	}
	if len(op) < 2+tokenSize {
		return app.Failed("short")
	}
	kind, tok := op[0], op[2:2+tokenSize]
	key := []byte{'k', kind, op[1]}
	switch kind {
	case opAdd:
		return app.OK(increment(tx, key))
	case opAppend: // to a list that is spread over entries of its own
		length := increment(tx, key)
		tx.Put(slices.Concat(key, length), tok)
		return app.OK(length)
	case opSwap, opDelete, opRead:
		return l.register(tx, kind, op)
	case opFail:
		tx.Put(key, tok)
		return app.Failed("on purpose")
	case opPanic:
		tx.Put(key, tok)
		panic("on purpose")
	}
	return app.Failed("unknown")
}

// increment adds one to the number under a key, and yields the sum.
func increment(tx app.Tx, key []byte) []byte {
	old, _ := tx.Get(key)
	var count uint64
	if len(old) == 8 {
		count = binary.BigEndian.Uint64(old)
	}
	sum := binary.BigEndian.AppendUint64(nil, count+1)
	tx.Put(key, sum)
	return sum
}

// register reads, writes or deletes one value.
func (l ledger) register(tx app.Tx, kind byte, op []byte) consensus.Result {
	key := []byte{'v', op[1]}
	old, found := tx.Get(key)
	switch kind {
	case opSwap:
		// What fails leaves nothing behind, so that the first write must
		// not.
		tx.Put(key, op[2:])
		if !found {
			return app.OK(nil)
		}
	case opDelete:
		tx.Delete(key)
	}
	if !found {
		return app.Failed("absent")
	}
	return app.OK(old)
}
