// Package genesis reads and writes genesis files: what all members of a cluster
// agree on before they start, as a consensus.Genesis, and beside it what helps to
// find them, their addresses.
//
// What Load returns is checked, down to the keys: it can be used without a
// further look. What Save writes states every key, so that a default that changes
// in a later version does not change a cluster's id.
//
// It never makes a genesis, and never decides who may be a member.
//
// Invariant: a file that Save wrote is read back as the same cluster.
//
// Source: docs/PROTOCOL.md, section 1.
package genesis
