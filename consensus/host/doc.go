// Package host holds the queues of a replica's process: what waits for a
// verifying worker (Intake), for the engine (Inbox) and for the machine (Jobs),
// who is served next, and what a full queue does.
//
// They are plain data. A node puts a lock around each and lets goroutines wait;
// the simulator calls them from its one goroutine, with bounds so small that
// they fill. Both therefore run the same rules.
//
//	frame → Intake.Offer → Take, Protocol.Open, Done → Inbox.Offer → Burst → engine
//	engine's jobs → Jobs.Put, Jobs.Read → Take → machine → Inbox.Own
//
// What offers something gets a Verdict. Taken: it waits now. Refused: it is
// lost, and Refusal says what its sender is told. Held: there is no room yet,
// so whoever brings it waits, with all that comes behind it, and offers it
// again.
//
// It never waits, never looks at a clock, and never looks into a message: it
// knows a vote by its size, a client by its channel, and a request because the
// contract names it (consensus.Submit).
//
// Invariants: what one source sends costs another one neither a frame nor its
// turn; frames of one replica and priority, and events of one class, keep their
// order; every queue is bounded, in number and in bytes, but for the inbox's
// own events, of which there are as many as jobs, reads and tasks under way.
//
// Source: PROTOCOL.md §7 (liveness never rests on a delivery, so anything may
// be dropped) and §3 (requests need no order).
package host
