// Package enginetest is a laboratory for engines: a cluster of them that a test
// moves by hand. Every frame waits until it is delivered, every record is kept,
// time passes by ticks, and a test holds all keys, so that it can speak as a
// liar.
//
// Its hosts execute by chaining digests: the root of a state is the head of the
// chain. A state has one part, the list of the digests. The lab fails a test if
// two replicas execute different batches in one place, unless it may fork.
//
// It knows no protocol. A Lab is of one type of engine, so that a test within
// the engine's package sees inside.
package enginetest
