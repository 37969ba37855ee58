// Package transcript is what replicas and callers write down, and reading it
// again.
//
// A Recorder looks on while a replica works and leaves entries in a buffer; a
// writer of its own takes them to the newest segment of a rotating log in the
// replica's home. A History is the same for the calls of a client. Files finds
// both, and Judge has package check judge them; package check also has their
// format.
//
// Nothing is synced, and nobody is waited for: a transcript is no promise. What
// finds no room is dropped and counted, and what follows begins anew, as after a
// restart.
//
// Invariants: what a transcript says was said, was said, and durable before; each
// start of a replica begins a segment of its own, so that nothing is written
// behind what a crash tore; the oldest segments make room for the newest.
//
// # Goroutines
//
//	goroutine   number           ends
//	writer.run  1 per Recorder   with Close, after all that is left is written
//
// Source: docs/PROTOCOL.md, sections 5 and 9.
package transcript
