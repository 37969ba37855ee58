// Package costs counts what agreement costs, and holds it against arithmetic.
//
// It runs the replicas' own code in the simulator, on a quiet network without
// faults, and counts between two moments: frames and bytes by kind, signatures
// made and checked, writes that something waits for. Message delays and serial
// syncs are read off the virtual clock, with the disk taking no time and with
// the network taking none. Theory (protocol.Costs) says what each count must be.
//
//	run.go    the runs that are measured
//	meter.go  what is counted, how it is told apart, and what came of a run
//	table.go  tables, as text and as Markdown in a document
//	plot.go   the plot, as SVG
//
// Invariants: one seed, one result, on every machine; nothing is taken from a
// formula that claims to be counted; a run in which anything else happened than
// agreement and upkeep is an error and no measurement.
//
// Source: Castro & Liskov (OSDI 1999) §4 and §5; Ongaro & Ousterhout (USENIX
// ATC 2014) §5.
package costs
