// Package state is what is replicated, as one authenticated, ordered map from
// byte keys to byte values.
//
// Its duty is threefold: to execute (transactions on a bounded overlay above a
// store), to authenticate (a root hash over everything, at a cost in proportion
// to what changed), and to move (a snapshot at a certified height is served in
// parts, and taken over in parts, each verified against the root as it
// arrives). Castro & Liskov (OSDI 1999) §4.3 and §5.3; Castro's thesis (2001)
// §5.3, whose partition tree this Merkle trie replaces (ADR 2 says why).
//
// Package app gives prefixes of the keyspace their meaning; package storage and
// NewMemory supply the Store below.
//
// It never interprets a key or a value, starts no goroutine, reads no clock and
// touches no file. A State belongs to one goroutine; only Snapshot.Read and
// Task.Step may be called from others.
//
// # How it is built
//
// A Tx writes into the open layer. A mark closes the layer, which costs nothing, and
// leaves a Task that computes the root of the state below it; layers pile up until
// the task of a Keep merges all of them up to a certified height into one atomic,
// synced batch. Tasks are done in steps, in their order, and may be done beside
// execution: the layers hide from it how far they are. So the store is always at
// exactly one certified height, the log re-executes the rest, and drop returns
// to the store's height at any time.
//
// Most Keeps are light: they write values and which keys changed, and leave the
// trie's nodes in memory, from where a full one stores them when they are many,
// when others fetch the state, and before a restore. Open makes those anew that
// the store lacks (save.go; ADR 15).
//
// The root is that of a trie over SHA-256(key) with 16 children to a node. A
// subtree of at most leafEntries entries is one leaf, a larger one an inner
// node. Leaves split as they grow and merge as they shrink, so that nobody can make
// one large by aiming keys at it.
//
// In the store: d/<key> is a value, t/<path> a node (the path in hexadecimal
// digits from the root), m/… the height, the keys changed since nodes were
// stored, and the marks of a restore, s/… the side space of a restore.
//
// # Invariants
//
//   - The shape of the trie and so the root depend on the content only, never
//     on the order of the updates that led to it.
//   - The store holds exactly the data of its height, and exactly the trie of
//     the height at which nodes were stored last; m/dirty/… lists every key that
//     differs between the two. The one exception is a restore that is being
//     swapped in; its marker makes Open finish it first.
//   - Bytes that came from a peer are stored only under a hash that a certified
//     root commits to, and malformed ones are reported, never trusted.
package state
