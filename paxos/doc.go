// Package paxos is Multi-Paxos as a consensus.Engine, with the same clients,
// requests, application, storage and transport as the other protocols. What may be
// promised, accepted and proposed is decided by package synod, which sends nothing;
// here is what makes a service of it.
//
//	protocol.go  what Open checks
//	wire.go      the frames
//	replica.go   the engine: one switch over events
//	acceptor.go  promises and votes
//	proposer.go  phase 1, and what it leaves to the leader
//	leader.go    phase 2, and what a leader does as time passes
//	learner.go   what is chosen, and asking for what is missing
//	values.go    the bodies of votes and of what is chosen
//	clock.go     countdowns, leases, ticks
//	window.go    how far votes may reach
//	requests.go  from submission to a proposal
//	reads.go     reads by a quorum that still follows
//	execute.go   what is chosen, in order; checkpoints, the end of the log
//	restore.go   a named state, and its parts
//	recover.go   from the log on disk
//	status.go    what people see
//
// Every replica is proposer, acceptor and learner. A leader is whoever completed
// phase 1, until somebody is promised more: there is no vote about who leads. One
// phase 1 covers all slots, slots are chosen in any order and executed without
// gaps, and a leader may lack what its acceptors have: it is told, and learns.
//
// What it must trust is what package raft must: its members, in all but the
// signatures of clients, which every replica verifies. One member that lies can
// fork it, and nobody can name it, for no message between members is signed.
//
// Invariants: a promise and a vote are on disk before they are said; an ACCEPT may
// leave before, for it promises nothing, and nothing else that rests on the
// leader's own vote does; a ballot is used in one life only.
//
// Sources: Lamport, "The Part-Time Parliament" (1998) and "Paxos Made Simple"
// (2001, PMS); Chandra, Griesemer, Redstone, "Paxos Made Live" (PODC 2007); van
// Renesse & Altinbuken, "Paxos Made Moderately Complex" (2015); PROTOCOL §12.
package paxos
