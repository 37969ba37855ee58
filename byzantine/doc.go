// Package byzantine makes traitors.
//
// A Behaviour wraps a protocol, like middleware. The honest engine inside runs
// unchanged; what it receives and sends passes through an Interceptor, which
// drops, delays, alters or adds messages. A selector before each interceptor
// hands it what its Spec selects: by victim, kind of frame, moment and chance. A
// ReplyFilter does the same to replies on their way to clients. A few behaviours
// change instead how an engine starts: with a twin, or without its log.
//
// A Profile is a behaviour that can be named: its parameters, its row in the
// catalogue of attacks, the outcome that it must have, what a run of it needs,
// and how simulated seeds draw it. This package has those that need to know no
// protocol (Neutral). byzantine/pbft and byzantine/raft have the lies about one
// protocol, byzantine/client the clients; byzantine/catalogue puts them together.
//
// No honest package imports this one, or has a branch for it: a node is handed a
// protocol.
//
// It keeps the rules below the line: no goroutines, no clock, no I/O. All that
// is drawn at random comes from the seed in Env, so that a traitor in the
// simulator does the same every time.
//
// Invariants: an interceptor that is taken off leaves nothing behind but the
// messages that it holds, which are sent or dropped; a step in which a traitor
// lied has a note of the kind Lied; memory is bounded (maxHeld, maxRecent,
// maxTwin).
//
// Source: docs/ADVERSARIES.md for the behaviours; Twins (Bano et al., 2020) for
// one identity with two engines.
package byzantine
