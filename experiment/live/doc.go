// Package live is the one harness for experiments with real processes over libp2p.
//
//	cluster.go    a cluster: made, started, called, ended, judged
//	faults.go     faults as they begin and end; rig.go what those of links and disks take
//	load.go       callers in a closed loop
//	run.go        Run: a Spec, run and judged
//	byzantine.go  its clients that misbehave
//
// Cut links and full disks need Linux and root.
//
// Invariants: no process outlives Close; what callers ask is written down before
// it is asked, and what they believe when they do; how a run ends is never an error.
//
// # Goroutines
//
//	goroutine    number            ends
//	Load.call    1 per caller      with the load
//	run.happen   1 per Run         with the load
//	misbehaving  1 per client      with the load
//	Judge        1 per call        when it has judged; nobody waits once ctx has ended
package live
