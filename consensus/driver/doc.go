// Package driver sequences what an engine puts out by the durability law.
//
// The law (consensus/engine.go): nothing but Early and Lookups may be seen outside the replica
// before the records of this and every earlier output are durable. The driver
// is the only place where it is kept, so that neither an engine nor a host has
// to think of it: the engine counts its own vote when it casts it, the host
// syncs when it likes, and the driver holds each output back until it may go.
// It steps on while earlier outputs are still being synced, so that one sync
// may cover many steps. It tells the engine which of its outputs are on disk
// (Burst.Durable), so that a record may speak for what is said Early after it.
//
// A node performs a Host's duties with goroutines; a simulation schedules their
// completions adversarially.
//
// It never does I/O, never waits, never reorders outputs, and knows no protocol.
//
// Invariants: outputs are released in the order of their steps; an output is
// released only when every gating record of its own and of every earlier step
// is durable; a Forget reaches the log only after the output that asked for it
// was released; after a Halt the engine is not stepped again.
package driver
