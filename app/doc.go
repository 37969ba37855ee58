// Package app is what is replicated: an Application, the exactly-once session
// table around it, and the Machine that performs an engine's jobs on both.
//
// Everything replicated lives in one keyspace of package state, so that one
// root covers all of it (PROTOCOL.md §5). The first byte of a key says what
// it holds:
//
//	0x01                          position: cluster, n, executed time, running hash, counts (operations, changes, sessions)
//	0x02 client                   session: epoch, executed counters, when it was last used
//	0x03 client, counter mod 256  cached reply: counter, request digest, n, results
//	0x04 time, client             expiry index: one entry per session
//	0x10 key                      the application's own keys
//
// Applications implement Application; the one that ships with the project is
// package app/kv.
//
// Sources: PROTOCOL.md §3 (clients and exactly-once), §4 (execution), §5
// (what the root covers); Castro & Liskov (OSDI 1999) §4.1 and §4.2, where a
// replica keeps the last reply of each client. A window of them is the usual
// widening.
//
// The package never reads a clock, never draws a random number, starts no
// goroutine, and never lets the order of a map reach a result. It knows no
// protocol.
//
// Invariants:
//   - the replicated keyspace after batch n is a function of the genesis and
//     the batches 1..n alone; where it was kept, restored or restarted in
//     between leaves no trace;
//   - each (client, epoch, counter) is executed at most once, ever;
//   - an operation whose result code is not OK leaves no write behind;
//   - the number of sessions, the cached bytes of each, and the work of one
//     checkpoint's expiry are bounded by genesis limits and constants here.
package app
