// Package pbft has the lies about PBFT: what a traitor sends that the protocol
// gives it no right to.
//
// A lie is an interceptor of package byzantine. It learns from what its replica
// receives, records and sends (seen), and in each step drops, alters or adds
// messages (step). Its signatures come from a forger, which holds the traitor's
// own key, those of its coalition if it has one, and no other.
//
// A new lie is a function in the file of its kind, and an entry in that file's
// list of profiles: what it is called, what must come of it, what a run of it
// needs, and how simulated seeds draw it.
//
// Invariants: nothing is signed with a key that the traitor was not given; each
// step in which a lie is told leaves a note; memory is bounded (maxKnown,
// maxDecided, maxHeldProposals).
//
// Source: docs/ADVERSARIES.md for the lies and their outcomes.
package pbft
