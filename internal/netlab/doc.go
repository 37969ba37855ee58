// Package netlab disturbs the network between real processes.
//
// A Lab is a bridge with one network namespace for each host, where the kernel
// has them and the caller may make them: links are cut in one direction or in
// both, and packets are lost on the way without a word to the sender, which is
// what no loopback interface does. A Relay stands between two processes on any
// machine: it delays what passes.
//
// It does nothing to processes.
//
// Invariants: Close takes away all that New made; names begin with the lab's
// prefix, so that what a killed test left behind can be told from other things.
//
// Source: ADVERSARIES.md §6 for the rig; ip-netns(8).
package netlab
