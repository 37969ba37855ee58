// Package pending holds the requests that wait at a replica: admitted and not
// yet executed. Lanes by origin, and clients within them, are served in turn.
//
// It is what every engine owes its clients: admission, answers and refusals,
// telling again, and the question to the session table. Elected is all of that for
// protocols whose leader is elected: it forwards to whoever leads, and says so when
// nobody does. Who leads, and ticks, are what callers hand in. What it says goes to
// the outbox of an engine, from inside a step.
//
// Invariants: what it holds is bounded by New's arguments, per lane; nothing is
// taken twice between two Restarts; what is removed leaves no memory behind for
// long. What it remembers of executed sequences is a hint: the session table in
// the state decides.
//
// Source: PROTOCOL §3; Aardvark (Clement et al., NSDI 2009) for fair lanes.
package pending
