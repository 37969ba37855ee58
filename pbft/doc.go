// Package pbft is Practical Byzantine Fault Tolerance as an engine: the normal
// case, catching up, recovery, and the joining of checkpoint and viewchange.
//
// A replica is one value that only Step changes. Step takes a burst of events
// and returns everything to do about it; the rules are those of PROTOCOL.md,
// quoted by section where they are carried out:
//
//	config.go     what an operator may choose, with limits
//	protocol.go   Open and New
//	replica.go    the joining of the parts, and the one switch over events
//	requests.go   from submission to pending (§3); what waits stands in package pending
//	reads.go      reads that are not ordered (§11)
//	normal.go     PRE-PREPARE, PREPARE, COMMIT (§4)
//	lease.go      what may be said before it is on disk (§4), and the silence after
//	execute.go    committed slots to the host, checkpoints, the log's end (§5)
//	opening.go    what a view is opened with (§6)
//	view.go       leaving and entering views (§6); pace.go: whether a primary is slow
//	catchup.go    STATUS (§7); helping.go: what answers it; fetch.go: asking and giving
//	restore.go    which state is fetched, and when (§7); how: package transfer
//	accuse.go     who contradicts itself, and what that may cost (§9)
//	rejoin.go     a wiped replica, and those who help it (§8);
//	              rejoin_setback.go: one whose disk was set back to an older copy
//	recover.go    back to the replica it was (§8); replay.go: what its disk says
//	ignore.go     every reason to ignore an authentic message, in one place
//	status.go     what people ask: where is it, what is it waiting for
//	invariants.go what must hold after each step
//
// The parts keep their own rules and emit nothing: position.go (among the
// views), slotlog.go and slot.go (what is known of each sequence number),
// execution.go (what the host has done), peers.go (what is known of others, and
// what they said too early), rejoining.go (what a wiped replica may sign), and
// the packages checkpoint, viewchange and pending.
//
// It never does I/O, has no clock, no goroutine and no randomness.
//
// Source: Castro & Liskov, OSDI 1999; Castro's thesis, 2001.
package pbft
