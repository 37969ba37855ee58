// Package kv is the key-value store that the project ships: an
// app.Application, and the operations and results that clients and tools
// exchange with it.
//
// Get, Put, Delete, CompareAndSwap, Range and Txn build operations;
// ParseGet and its like read results; Decode reads an operation back, for
// checkers and tools. One value has one encoding and every other is refused.
//
// Every entry carries a revision: the place of the operation that last wrote
// it among all operations ever executed (app.Context.Order). It grows with
// every write and is never used twice by different operations, so comparing
// revisions detects every change; the batch's sequence number would not, since
// one batch may write a key several times. An absent key has revision 0. The
// writes of one transaction share its revision.
//
// It is an application like any other and knows nothing of sessions or protocols.
//
// Invariants: an empty value is not an absent one; an operation that fails
// writes nothing; a result never exceeds the room that its context gives, and
// nothing is allocated beyond the operation's and the result's size.
package kv
