package app

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Application is the state machine that the cluster replicates. A user who
// wants something other than the key-value store implements these two methods;
// examples/bank does it in under a hundred lines.
//
// What the Machine promises to Execute:
//
//   - It is called for one operation at a time, in the same order at every
//     replica: by sequence number, then by place in the batch, then by place
//     in the request. Calls never overlap.
//   - Each operation is executed at most once per history, however often its
//     client sends it. After a restart or a state transfer a replica may
//     execute again what came after the state on its disk, from exactly that
//     state; what happened in between is gone, not half there.
//   - The operation's bytes come from an authentic request of ctx.Client, who
//     has ctx.Role. Nothing else about them is checked: they are hostile until
//     decoded. Their length is within ctx.Limits.OperationBytes.
//   - Writes become visible to later operations only if the result's code is
//     ResultOK. Every other code undoes all of them.
//   - A panic is caught and undone, and yields ResultPanic with no data: its
//     text may differ between replicas and never leaves this one.
//   - Exceeding ctx.Limits.OperationSteps, or WriteBytes, or writing a key or
//     value over the limits ends the operation on the spot with ResultLimit.
//     The call to Tx that did it does not return.
//   - A write by a client with RoleReader ends the operation on the spot with
//     ResultFailed and the text DeniedText. An application need not look at
//     ctx.Role to keep readers from writing.
//   - Results longer than ctx.ResultBytes are replaced by ResultTooLarge, and
//     the operation is undone.
//
// What Execute promises in return:
//
//   - It is a deterministic function of ctx, op and what it reads through tx:
//     no clock but ctx.Time, no randomness, no iteration over a map that
//     reaches a write or a result, no floating point that differs between
//     machines, no goroutines, no variables that survive the call. A cache
//     in memory is such a variable: state transfer would not carry it.
//   - It returns in bounded time. Steps are counted for calls to tx only; a
//     loop that never calls tx is the application's own to bound. So is
//     memory that it allocates itself: what cannot be recovered (a stack
//     overflow, exhausted memory) stops every replica alike.
//   - It keeps neither tx nor op nor any slice that tx gave it beyond the
//     call, and writes to none of them. Result.Data may alias them.
//   - It does not hold on to a panic: recovering one of tx's own does not
//     undo the verdict, and only hides a bug.
//   - It uses ResultOK, ResultFailed, and ResultTooLarge without data; other
//     codes are the Machine's, and returning one counts as a panic.
type Application interface {
	// Name is what a genesis calls the application; "" is the key-value store's.
	// Replicas of different applications never meet: their genesis differs, and
	// so does their cluster id. See Suits.
	Name() string
	Execute(ctx Context, tx Tx, op []byte) consensus.Result
}

// ErrApplication: a genesis names another application than the one at hand.
var ErrApplication = errors.New("another application")

// Suits fails, wrapping ErrApplication, unless a is the application of the genesis.
func Suits(a Application, g *consensus.Genesis) error {
	if a.Name() == g.Application {
		return nil
	}
	return fmt.Errorf("%w: the genesis is for %s, this program runs %s: run the program that was written for this cluster",
		ErrApplication, title(g.Application), title(a.Name()))
}

// title is how people are told of an application.
func title(name string) string {
	if name == "" {
		return "the key-value store"
	}
	return fmt.Sprintf("the application %q", name)
}

// Initialiser is an Application that has a state before the first batch.
// Initialise is called on an empty state of height 0, with no step limit and
// no role; it must write the same at every replica, so whatever it depends on
// belongs into the genesis or the program. It may be called again after a
// restart at height 0. An error keeps the replica from starting.
type Initialiser interface {
	Initialise(tx Tx) error
}

// Context is what an operation may know beside the state. All of it is the
// same at every correct replica.
//
// Revision counts changes: an operation counts if its result is ResultOK and it
// called Put or Delete, whatever stood there before. One that does not write has
// the Revision of the next one that does, and must not give it away as its own.
// It is 0 in a cluster that was made before changes were counted: there Order
// serves, which counts every operation.
//
// A read that is not ordered (ReadOnly) stands at no place: Seq, Time and Order are
// those of what was executed last. Replicas execute it at heights of their own
// choice, and a client believes what f+1 yield equally; so its result had better
// not depend on these. To write ends it with ResultFailed and a text that says so.
type Context struct {
	Client      crypto.PublicKey // who signed the request
	Role        consensus.Role   // what the genesis lets that client do
	Seq         consensus.Seq    // the batch's sequence number
	Order       uint64           // this operation's place among all that were ever executed, from 1; unique
	Revision    uint64           // this operation's place among all that ever wrote, from 1, if it writes; see below
	Time        consensus.Time   // executed time: the same for a whole batch, greater than in every batch before
	Limits      consensus.Limits // the genesis limits
	ResultBytes int              // how long Result.Data may be: what earlier operations of the request left over
	ReadOnly    bool             // a read that is not ordered: see above
}

// Tx reads and writes the application's part of the replicated state during
// one operation. It sees its own writes. Its methods return no errors: a
// limit ends the operation, a failing disk ends the process, and neither
// returns to the caller.
//
// Steps: each call costs one step, each entry that Range visits another, and
// each full StepBytes of keys and values read or written one more. Entries
// count whether they lie in memory or on disk, so that the sum is the same
// everywhere.
type Tx interface {
	// Get returns the value under key, and whether there is one: an empty
	// value is not an absent one. The value is read-only.
	Get(key []byte) (value []byte, found bool)
	// Put stores a copy of value under a copy of key.
	Put(key, value []byte)
	// Delete removes key; it need not exist.
	Delete(key []byte)
	// Range visits the entries with from <= key < to in ascending byte
	// order until visit returns false; a nil or empty to means no upper
	// bound. Keys and values are read-only and valid during the visit only.
	// Visit must not call tx: doing so counts as a panic.
	Range(from, to []byte, visit func(key, value []byte) bool)
	// Steps returns how many steps are left, for an operation that would
	// rather stop early with a partial result than run into the limit.
	Steps() int
}

// Fixed limits and texts of execution. They are part of the protocol:
// replicas that differ in them diverge.
const (
	// StepBytes is how many bytes read or written cost one more step.
	StepBytes = 4096
	// WriteBytes bounds the keys and values written by one operation.
	WriteBytes = 16 << 20
	// ValueOverhead is what an application may store beside a value of
	// Limits.ValueBytes bytes, such as its revision.
	ValueOverhead = 64
	// DeniedText is the data of the ResultFailed that a reader's write yields.
	DeniedText = "readers may not write"
	// noWriteText is the data of the ResultFailed that a write yields in a read
	// that is not ordered.
	noWriteText = "a read may not write"
)

// Failed returns the result of an operation that the application refuses,
// with a text for people that must be the same everywhere.
func Failed(text string) consensus.Result {
	return consensus.Result{Code: consensus.ResultFailed, Data: []byte(text)}
}

// OK returns the result of an operation that succeeded.
func OK(data []byte) consensus.Result {
	return consensus.Result{Code: consensus.ResultOK, Data: data}
}
