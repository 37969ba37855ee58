// Package quorum is the one place for the arithmetic of agreement: how many
// replicas may fail, how many must agree, how many equal replies a client
// needs, who is primary.
//
// Model is what those do that fail, System the arithmetic for one cluster, Set
// a set of replicas.
//
// It knows no protocol by name, no messages, verifies nothing and sends
// nothing: what is counted by it was authenticated by Open.
//
// Invariants, for every n: any two quorums share at least f+1 replicas in
// Byzantine mode and at least one in crash mode; the n-f replicas that do not
// fail are a quorum.
//
// Source: Castro & Liskov (OSDI 1999) §3 and §4; PROTOCOL.md §1. Hard-coding
// 2f+1, the quorum of n = 3f+1, forks n = 5 and n = 6 with one liar.
package quorum
