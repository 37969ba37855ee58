// Package check judges runs: simulated ones while they happen, real ones by
// what their replicas and clients wrote down.
//
// A Judge is told facts (a frame was sent, a batch was committed, an operation
// executed, a result believed) and says what must never have happened and did:
//
//   - agreement by digest and by state root, equal replies (agreement.go);
//   - certificates recounted over everything that anybody sent (ballots.go);
//   - validity and exactly once (ledger.go);
//   - no contradiction of the honest over all their lives (promises.go);
//   - what was believed was answered by somebody honest, and stays (accepted.go);
//   - linearizability per key, and culprits after a fork, by evidence that
//     package evidence verifies from the genesis alone (verdict.go).
//
// Growth and progress are for those to measure who can; they tell the Judge.
// Replay does it for the logs of a real run (log.go, entry.go), and executes the
// batches again.
//
// It reads the frames of protocols that sign by itself: how a frame of PBFT
// names its signer and its slot. What those of others promise it asks package
// protocol. It shares no other code with what it judges, but for the application
// and the machine under it, which it runs again.
//
// Invariants: it touches nothing that it judges; only the honest are judged,
// and a traitor's word alone convicts nobody; what is undecided is said to be
// unknown, never counted as good; memory grows with the facts of a run, whose
// number its caller bounds (maxFacts).
//
// Source: ADVERSARIES.md §4.
package check
