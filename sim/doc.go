// Package sim runs a whole system in one goroutine from one seed.
//
// A World holds replicas, each an unchanged engine under an unchanged driver,
// on virtual time, a virtual network and virtual disks, with clients and a set
// of hazards: loss, delay, duplication, reordering, partitions in one or both
// directions, crash and restart, power loss of all, pause, wiped disks, slow
// disks and slow execution. The seed draws everything, the sizes of the system
// included (swarm testing).
//
// A run has two phases (phases.go). In the safety phase hazards are injected. In
// the liveness phase a core large enough is healed, everything asked must be
// answered within a bound, and the core must agree on one state. Package check
// follows both from outside: bytes sent, batches executed, roots, replies.
//
// Replicas may be traitors and clients Byzantine, by package byzantine. A
// traitor's protocol is wrapped in each of its lives, and its behaviours follow
// a schedule. Theory (theory.go) says what may then go wrong: with up to f of
// 3f+1 nothing, beyond it forks whose culprits must be named; where a protocol
// tolerates crashes alone, one liar may do anything. FromSeed draws all
// of it (draw*.go); WithoutTraitors is the distribution in which nobody lies.
// Coverage counts what many seeds have tried. Twins enumerates what one or two
// replicas with two bodies each can bring about. Golden traces drive the same
// world by hand, one delivery at a time, from testdata.
//
// What waits inside a replica waits in the queues of a node (consensus/host),
// with bounds from the seed that are now and then so small that they are met,
// before workers that take their time. Traitors and Byzantine clients may keep
// those workers busy by repeating themselves (flood.go). Nobody honest may then
// wait for more than a few turns (turns.go); what a queue loses it must count,
// and report to whom it is owed.
//
// The methods of World stand by duty: what is made (world.go), its phases
// (phases.go), frames under way (traffic.go), what goes wrong (hazard.go,
// fault.go, schedule.go), names and traces (trace.go), steps for charts
// (watch.go), and what callers read after a run (look.go).
//
// Protocols come from the registry, or from a Build of the test's own.
//
// It never reads the clock of the machine, never draws from a global source,
// and uses no goroutines: one seed is one history, whose hash Result carries.
//
// Invariants: every random decision comes from a stream derived from the seed,
// one stream per purpose; what was scheduled by a replica's earlier life never
// reaches a later one; an unsynced record is never seen by a recovery that the
// checkers do not know of.
//
// Source: FoundationDB's and TigerBeetle's simulators for the two phases and
// the swarm; Twins (Bano et al., 2020) for two bodies under one identity.
package sim
