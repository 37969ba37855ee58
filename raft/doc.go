// Package raft is the crash-fault protocol: etcd-raft as a consensus.Engine,
// with the same clients, requests, application, storage and transport as PBFT.
//
//	protocol.go  what Open checks, and the wire
//	replica.go   the engine: one switch over events, one loop over the library's Ready
//	room.go      how far the log may reach
//	order.go     appends that overtook each other
//	terms.go     terms that no elections reach
//	clock.go     elections: who counts what (PROTOCOL §10)
//	requests.go  from submission to the leader's log
//	execute.go   committed entries, checkpoints, compaction
//	restore.go   a leader's snapshot: a handle, and the state in verified parts
//	recover.go   from the log on disk
//	forgetful.go members that lost their disks
//	status.go    what people see
//
// What it checks: client signatures, limits and sessions, as PBFT does, at
// every replica and not at the leader alone: an entry that holds a request
// which no client signed is refused with its message. Parts of a snapshot are
// checked against the root that the leader named. A message comes from whom it
// says it does, because the channel is authenticated.
//
// What it must trust: its members, in all the rest. Nobody proves that a vote
// was given once, that an entry is the same at all followers, that what is
// acknowledged is on disk, or that a root is that of the agreed history. One
// member that lies can fork it, and no message of its own convicts it, for no
// message is signed. A member that lost its disk is such a liar against its
// will: it has forgotten what it acknowledged.
//
// Invariants: the same bursts give the same outputs: the library draws election
// timeouts from a global source, so it is never asked to count them; commits
// come in order, once, without gaps but for a restore; what the library's Step
// panics on is dropped, counted and named.
//
// Source: Ongaro & Ousterhout (USENIX ATC 2014); Ongaro's thesis (2014) §9.6
// for PreVote; PROTOCOL §10.
package raft
