// Package trial runs one experiment and says how it ended: so many replicas of
// a protocol, so many traitors and faults, clients under load, in the simulator
// or as real processes, judged by the same checkers.
//
// Called by: bounds, cmd/quorate.
//
// Invariants: one Spec gives one Outcome in the simulator, always; a real run
// leaves no process behind; whatever a run does, its Outcome comes from package
// check and from nobody's hopes.
package trial
