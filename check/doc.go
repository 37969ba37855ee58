// Package check judges runs: simulated ones while they happen, real ones by
// what their replicas and clients wrote down.
//
// A Judge is told facts (a frame was sent, a batch was committed, an operation
// executed, a result believed) and says what must never have happened and did:
// agreement by digest and by state root, uniqueness of certificates over
// everything that anybody sent, validity, exactly once, linearizability per
// key, no contradiction of the honest over all their lives, what was believed
// stays, and progress within a bound. After a fork it names the culprits, by
// evidence that package evidence verifies from the genesis alone.
//
// Called by: sim, testnet (which writes the logs), trial, cmd/quorate. It
// knows no protocol and shares no code with what it judges, but for the
// application, which it runs again.
//
// Invariants: it touches nothing that it judges; what is undecided is said to
// be unknown, never counted as good; memory grows with the facts of a run,
// whose number its caller bounds (MaxFacts).
//
// Source: ADVERSARIES.md §4.
package check
