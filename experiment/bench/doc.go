// Package bench measures a cluster of processes under a closed loop of callers.
//
//	bench.go      Measurement: what is measured; Run, Temporary
//	load.go       its callers, and the keys that they leave
//	processes.go  what the replicas' processes used
//	report.go     what comes out; two protocols, in turns
//
// What it measures says more about the machine than about the code: nothing here
// is a timed test.
//
// Invariants: only operations that lie wholly within the measured time count, so
// that neither the warm-up nor the end flatters the result; no process and no
// directory outlives Temporary.
//
// # Goroutines
//
//	goroutine      number          ends
//	live.Load.Run  1 per Run       with Run
//	a removal      1 per 256 keys  with Run
package bench
