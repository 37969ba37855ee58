// Package paxos has the lies about Paxos: what a member says that the protocol
// gives it no right to.
//
// A lie is an interceptor of package byzantine. It learns from what its replica
// receives, sends and executes (seen), and in each step drops, alters or adds
// messages (step). It forges no signature: members sign nothing, the channel
// tells who speaks, and a ballot tells who may propose under it. All else is
// believed.
//
// A new lie is a function in the file of its kind, and an entry in that file's
// list of profiles: what it is called, what must come of it, and what a run of
// it needs.
//
// Invariants: the requests in forged proposals are those that clients have
// signed; each step in which a lie is told leaves a note; memory is bounded
// (maxVotes, byzantine.Blank).
//
// Source: docs/ADVERSARIES.md for the lies and their outcomes.
package paxos
