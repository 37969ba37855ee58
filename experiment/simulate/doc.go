// Package simulate runs experiments in the simulator.
//
//	simulate.go  a Spec, run and judged
//	faults.go    its faults in the simulator's words
//	scenario.go  a scenario, with its log, state, status and views after each set
//	client.go    what the clients of a scenario invoke
//
// Invariants: one Spec gives one Outcome, always; how a run ends is never an
// error.
package simulate
