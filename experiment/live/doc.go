// Package live runs experiments with real processes over libp2p.
//
//	live.go    a Spec, run and judged
//	load.go    the clients of a run, and those that misbehave
//	faults.go  what happens to processes and links, and when
//
// Faults of the network need Linux and root.
//
// Invariants: no process outlives a run; how a run ends is never an error.
package live
