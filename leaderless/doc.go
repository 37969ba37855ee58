// Package leaderless is a store that answers on both sides of a cut, and what it
// pays for that: no replica leads, nothing is ordered, and whoever is asked
// coordinates the call. It is a laboratory, to be held against the protocols of
// this house, and no engine: it promises no order of commits, so that it has no
// place in the contract (package consensus).
//
// Every key is at all N replicas. A put is answered when W of them have it on
// disk, a get when R of them have said what they hold.
//
//	cell.go        what a key holds: versions, and how two replicas' become one
//	keep.go        what a replica holds, and what its disk is told
//	call.go        one call with its coordinator
//	spread.go      what replicas tell each other beside calls: hints, and trees compared
//	message.go     frames
//	replica.go     the pure machine: events in, Output out
//
// Versions are either stamps, of which the larger one stays (last writer wins),
// or dots under a version vector, which keeps side by side what nobody has seen
// together (dotted version vectors). Quorums are strict, or sloppy: then a
// coordinator keeps hints for those out of its reach, and counts them. Atomic makes a
// register of two rounds that is linearizable without a consensus.
//
// Replicas become equal by three ways, each of which can be switched off: a get
// repairs those who lacked what it found, hints are handed over when their owner
// is heard again, and every now and then two replicas compare hash trees.
//
// Left out, because the contrast does not need them: partitioning of keys among
// replicas (rings), gossip about who is a member, data types that merge by
// themselves (CRDTs), compaction of the log.
//
// It never reads a clock and draws nothing; what is true of it holds for honest
// replicas that crash, and of liars nothing is promised.
//
// Invariants: what a replica says of a value rests on records that came before;
// a life has a number of its own, so that no dot is dealt out twice; merging is
// commutative, associative and idempotent; nothing that comes in makes it panic,
// and all that it keeps of calls, hints and siblings is bounded.
//
// Source: DeCandia et al., Dynamo (SOSP 2007); Almeida et al., Scalable and
// Accurate Causality Tracking for Eventually Consistent Stores (DAIS 2014);
// Attiya, Bar-Noy, Dolev, Sharing Memory Robustly in Message-Passing Systems
// (JACM 1995) for Atomic.
package leaderless
