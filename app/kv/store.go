package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// The texts of the store's failed results. They are part of the replicated
// history and never change.
const (
	TextMalformed = "malformed operation"
	TextEmptyKey  = "key is empty"
	TextLongKey   = "key is too long"
	TextLongValue = "value is too long"
	TextBadRange  = "range ends before it begins"
)

// Store is the key-value store. It has no state of its own.
type Store struct{}

var _ app.Application = Store{}

// Name implements app.Application: that of clusters which name none.
func (Store) Name() string { return "" }

// Execute executes one operation of this package.
func (Store) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	o, err := Decode(op)
	if err != nil {
		return app.Failed(TextMalformed)
	}
	x := execution{tx: tx, limits: &ctx.Limits, revision: ctx.Revision}
	if x.revision == 0 { // an older cluster, which counts every operation
		x.revision, x.idle = ctx.Order, ctx.Order
	}
	if o.Kind == KindTxn {
		return verdict(x.transact(&o, ctx.ResultBytes))
	}
	return verdict(x.perform(&o, ctx.ResultBytes))
}

// failure is an error whose text is the data of a failed result.
type failure string

func (f failure) Error() string { return string(f) }

// errTooLarge says that a result does not fit the room it has.
var errTooLarge = errors.New("result too large")

// verdict turns what an operation came to into its result.
func verdict(data []byte, err error) consensus.Result {
	switch {
	case err == nil:
		return app.OK(data)
	case errors.Is(err, errTooLarge):
		return consensus.Result{Code: consensus.ResultTooLarge}
	}
	return app.Failed(err.Error())
}

// execution is one operation being executed, transaction or not.
type execution struct {
	tx       app.Tx
	limits   *consensus.Limits
	revision uint64 // of what this operation writes
	idle     uint64 // told as the revision where nothing had to be written
}

// perform executes anything but a transaction; room is how long the data of
// its result may be.
func (x *execution) perform(o *Operation, room int) ([]byte, error) {
	if o.Kind == KindRange {
		return x.list(o, room)
	}
	if err := x.checkKey(o.Key); err != nil {
		return nil, err
	}
	if len(o.Value) > x.limits.ValueBytes {
		return nil, failure(TextLongValue)
	}
	switch o.Kind {
	case KindGet:
		record, _ := x.tx.Get(o.Key)
		return fit(record, room)
	case KindPut:
		x.put(o.Key, o.Value)
		return fit(binary.BigEndian.AppendUint64(nil, x.revision), room)
	case KindDelete:
		_, existed := x.tx.Get(o.Key)
		if existed {
			x.tx.Delete(o.Key)
		}
		return fit([]byte{flag(existed)}, room)
	default:
		return x.swap(o, room)
	}
}

func (x *execution) checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return failure(TextEmptyKey)
	case len(key) > x.limits.KeyBytes:
		return failure(TextLongKey)
	}
	return nil
}

func (x *execution) put(key, value []byte) {
	record := make([]byte, 0, revisionSize+len(value))
	x.tx.Put(key, sealRecord(record, x.revision, value))
}

// get reads the entry under key.
func (x *execution) get(key []byte) (Entry, bool) {
	record, found := x.tx.Get(key)
	if !found {
		return Entry{}, false
	}
	return mustOpen(record), true
}

// mustOpen opens a record that this package wrote; nothing else writes here.
func mustOpen(record []byte) Entry {
	e, ok := openRecord(record)
	if !ok {
		panic(fmt.Sprintf("kv: stored record of %d bytes, want at least %d", len(record), revisionSize))
	}
	return e
}

func (x *execution) swap(o *Operation, room int) ([]byte, error) {
	record, present := x.tx.Get(o.Key)
	holds := present != o.Absent
	if holds && present {
		holds = bytes.Equal(mustOpen(record).Value, o.Expect)
	}
	switch {
	case holds:
		return fit(binary.BigEndian.AppendUint64([]byte{swapDone}, x.replace(o, present)), room)
	case !present:
		return fit([]byte{swapAbsent}, room)
	case 1+len(record) > room: // before copying it
		return nil, errTooLarge
	}
	return append([]byte{swapOther}, record...), nil
}

// replace writes what a compare-and-swap whose condition held asks for, and
// returns the revision of the change.
func (x *execution) replace(o *Operation, present bool) uint64 {
	switch {
	case !o.Remove:
		x.put(o.Key, o.Value)
	case present:
		x.tx.Delete(o.Key)
	default:
		return x.idle
	}
	return x.revision
}

// fit checks data against the room that a result has.
func fit(data []byte, room int) ([]byte, error) {
	if len(data) > room {
		return nil, errTooLarge
	}
	return data, nil
}
