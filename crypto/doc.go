// Package crypto holds digests, keys, domain-separated signatures, group
// verification and the format of key files. It knows nothing of replicas, and
// it works on bytes: whoever has a file reads it first.
//
// Engines sign inside a step, because signing is a pure function of key, domain
// and body. Workers verify, in groups, when a protocol's Open is called.
//
// One rule for Ed25519, everywhere: ZIP-215, which is cofactored. Every batch
// verifier is cofactored too, so a signature means the same whether it is
// checked alone or in a group. The standard library's Verify is cofactorless:
// crafted signatures exist on which the two differ, and replicas that mixed
// them could be split by one client (PROTOCOL.md §3). Nothing in the project
// may verify a protocol signature by any other means than a Verifier of this
// package.
//
// Where a batch has several claims of each key, those of one key share a term of its
// equation, and the coefficients are a hash of all of them (merged.go); else it is the
// library's, which draws them from the operating system. They do not make outcomes
// random: under the cofactored rule a batch of valid signatures passes for every choice
// of coefficients, and one with an invalid signature passes with a chance of 2^-128.
//
// Simulations may replace Ed25519 by the keyed hashes of a Keyring, which are
// as unforgeable inside one process and many times cheaper.
//
// It keeps no state between calls except a bounded cache of expanded public
// keys, never decides who may sign what, and never writes or logs a secret.
//
// Invariants: a Verifier answers true only for a claim that the ZIP-215 rule
// accepts; what a Memory remembers was proven; one key file has one encoding.
//
// Source: RFC 8032; ZIP-215; Castro & Liskov (OSDI 1999) §2 for what a
// signature must give.
package crypto
