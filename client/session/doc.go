// Package session is the caller's side of the protocol as a state machine:
// which operations travel under one signature, to whom a request goes, when it
// is sent again, and which answer is believed.
//
// Events go in by methods (Advance, Invoke, Cancel, Connected, Disconnected,
// Receive), then Flush says everything to do about them: frames to send,
// tickets that are done, and when to call again. Operations that were invoked
// between two Flush calls are gathered.
//
// It has no goroutine, no clock and no randomness: the same calls in the same
// order give the same outputs. It knows no protocol by name: how many replies
// are believed and whether leaders are elected are settings.
//
// Invariants:
//   - a result is believed from f+1 replicas that agree on the request, the
//     sequence number and all results (from one where nobody lies); what a
//     single replica says is a hint at most;
//   - a sequence is never used for two requests, and the counters in flight
//     span at most consensus.SessionWindow, so that none falls out of the
//     replicas' window;
//   - an operation is sent again under another sequence only if it certainly
//     left nothing behind;
//   - every ticket is done exactly once, with the outcome, or with an error
//     that says whether the operation may have been executed (channels deliver
//     a frame at most once, as streams do);
//   - everything is bounded: what waits, what is in flight, how long an
//     abandoned request is retried.
//
// Source: Castro & Liskov (OSDI 1999) §4.1; PROTOCOL §3.
package session
