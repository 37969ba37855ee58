// Package kv is the key-value store that the project ships: an
// app.Application, and the operations and results that clients and tools
// exchange with it.
//
// Get, Put, Delete, CompareAndSwap, Range and Txn build operations;
// ParseGet and its like read results; Decode reads an operation back, for
// checkers and tools. One value has one encoding and every other is refused.
//
// Every entry carries a revision: the place of the operation that last wrote
// it among all that ever changed the store (app.Context.Revision). A put is a
// change, also of what stands there already, and so are the deletion of a key
// that exists and a compare-and-swap that writes or deletes; reads and whatever
// fails are none. The revision grows with every change and is never used twice
// by different operations, so comparing revisions detects every change; the
// batch's sequence number would not, since one batch may write a key several
// times. An absent key has revision 0. The changes of one transaction share its
// revision. A cluster that was made before changes were counted goes on with
// the place among all operations (app.Context.Order).
//
// It is an application like any other and knows nothing of sessions or protocols.
//
// Invariants: an empty value is not an absent one; an operation that fails
// writes nothing; a result never exceeds the room that its context gives, and
// nothing is allocated beyond the operation's and the result's size.
package kv
