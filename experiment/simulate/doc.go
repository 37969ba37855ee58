// Package simulate runs experiments in the simulator.
//
//	simulate.go  a Spec, in the simulator's words, run and judged
//	scenario.go  a scenario, with its log, state, status and views after each set
//	client.go    what the clients of a scenario invoke
//
// Invariants: one Spec gives one Outcome, always; how a run ends is never an
// error.
package simulate
