// Package bench measures a cluster of processes under a load.
//
//	bench.go      Measurement: what is measured; Run, Temporary, Dial
//	load.go       its callers, in a closed or an open loop, and the sessions that they share
//	keys.go       what they ask for, and the keys that they leave
//	meter.go      what comes of it over time; the times without any answer
//	histogram.go  latencies, in bounded room
//	processes.go  what the replicas' processes used
//	report.go     Result: what comes out of one measurement
//	plan.go       Plan: loads and sides in turns; medians, ratios and their spread
//	other.go      a side that is another program
//	peers.go      figures of other systems, from a file
//	summary.go    Report as a table and for programs
//	page.go       ... and as a page
//
// What it measures says more about the machine than about the code: nothing here
// is a timed test.
//
// Invariants: latencies are of operations that lie wholly within the measured time, so
// that neither the warm-up nor the end flatters the result, and of an open loop count
// from the moment when each was due; a time without an answer counts also where it
// meets an end; everything that is kept of a load is bounded; no process and no
// directory outlives Temporary or Other.Measure.
//
// # Goroutines
//
//	goroutine      number                                      ends
//	load.run       1 per Run                                   with Run
//	load.one       1 per operation under way of an open loop   with Run
//	a removal      1 per 256 keys                              with Sweep
package bench
