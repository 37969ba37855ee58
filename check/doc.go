// Package check judges runs: simulated ones while they happen, real ones by
// what their replicas and clients wrote down.
//
// A Judge is told facts (a frame was sent, a batch was committed, an operation
// executed, a result believed) and says what must never have happened and did:
//
//   - agreement by digest and by state root, equal replies (agreement.go);
//   - certificates recounted over everything that anybody sent (ballots.go);
//   - validity and exactly once (ledger.go);
//   - no honest replica contradicts itself over all its lives (promises.go);
//   - what a client believed was answered by an honest replica, and stays (accepted.go);
//   - linearizability per key, and culprits after a fork, by evidence that
//     package evidence verifies from the genesis alone (verdict.go).
//
// Its callers measure growth and progress, and tell the Judge. Replay tells it
// what stands in the logs of a real run (log.go, entry.go), and executes the
// batches again.
//
// Frames of PBFT it reads by package evidence, the judges' own reader, through
// which no message passes on its way into the engine. What the frames of protocols
// that sign nothing promise, package protocol tells it. It shares no other code
// with what it judges, except the application and the machine under it, which it runs
// again.
//
// Invariants: it touches nothing that it judges; only the honest are judged,
// and a traitor's word alone convicts nobody; what is undecided is said to be
// unknown, never counted as good; memory grows with the facts of a run, whose
// number its caller bounds (maxFacts).
//
// Source: PROTOCOL.md for what must never happen; docs/ADVERSARIES.md for the lies
// that must not bring it about.
package check
