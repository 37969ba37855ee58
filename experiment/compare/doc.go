// Package compare runs a Raft and a PBFT cluster side by side, as processes,
// under the same load and the same faults, and tells what each of them did.
//
//	run.go      Run: what is compared, and the phases of a comparison
//	side.go     one of the clusters: made, started, disturbed, ended
//	callers.go  its callers, and reading back what was acknowledged
//	count.go    answers by the second
//	meter.go    frames and bytes between replicas, by their own counters
//	verdict.go  what the judges say of its records
//	report.go   what comes out
//	screen.go   the two columns of a terminal, or plain lines
//	page.go     the HTML page and its plots
//
// A decision is a sequence number that was executed: a batch of requests in
// PBFT, an entry of the log in Raft. What is between replicas is what they
// handed to each other's links, with all that runs in the background, such as
// heartbeats and checkpoints; what clients send and are answered is not in it.
// What a replica sent in the moment between the last look at its counters and its
// end by SIGKILL is lost to the count.
//
// What it measures on one machine are clusters that share it, unless they
// take turns. It says so, and nothing here is a timed test.
//
// Invariants: no process outlives Run; all sides get the same faults at the
// same moments since their load began; an operation counts in the second in
// which its answer came.
//
// # Goroutines
//
//	goroutine      number                 ends
//	together       1 per side and phase   with the phase
//	live.Load.Run  1 per side             when the load stops
//	suffer         1 per side             with the load
//	watch          1 per group            with the load
package compare
