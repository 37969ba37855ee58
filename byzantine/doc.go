// Package byzantine makes traitors.
//
// A Behaviour wraps a protocol, like middleware: the honest engine inside runs
// unchanged, and what it hears and says passes through masks that drop, delay,
// alter and invent. A filter before each mask hands it what its text selects,
// by victim, kind, moment and chance. Masks that need to know no protocol work
// on events and frames; lies are signed by a Forger, which holds the traitor's
// own key, and those of the gang if several traitors collude, and no other.
// Voices do to replies what masks do to frames, and wraps change how an engine
// is made: with a twin, or without its memory. Profiles are named behaviours
// with their parameters, their place in the catalogue of attacks, and the
// outcome that each must have; docs/ADVERSARIES.md lists them.
//
// Byzantine clients stand here too: a Villain is a source of frames.
//
// Called by: sim, testnet, live, cmd/quorate. No honest package imports it,
// none has a branch for it: a node is handed a protocol and does not know.
//
// It keeps the rules of the floors below the line: no goroutines, no clock, no
// I/O, and all that is drawn at random comes from the seed in Env, so that a
// traitor in the simulator does the same every time.
//
// Invariants: a traitor never signs with a key that it was not given; a mask
// that is turned off leaves nothing behind but the frames that it holds, which
// are let go or dropped; memory is bounded (maxHeld, maxPile, maxTwin).
//
// Source: ADVERSARIES.md §2 for the behaviours; Twins (Bano et al., 2020) for
// one identity with two engines.
package byzantine
