// Package raft has the lies about Raft: what a member sends that the protocol
// gives it no right to.
//
// A lie is an interceptor of package byzantine. It learns from what its replica
// receives, sends and executes (seen), and in each step drops, alters or adds
// messages (step). It forges no signature: members sign nothing, the channel
// tells who sends, and all else is believed.
//
// A new lie is a function in the file of its kind, and an entry in that file's
// list of profiles: what it is called, what must come of it, and what a run of
// it needs.
//
// Invariants: the requests in forged entries are those that clients have signed;
// each step in which a lie is told leaves a note; memory is bounded (maxLog,
// maxBlank).
//
// Source: docs/ADVERSARIES.md for the lies and their outcomes.
package raft
