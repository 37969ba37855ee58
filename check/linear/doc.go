// Package linear decides whether a history of concurrent calls is linearizable:
// whether there is one order of them all, true to real time, in which one
// caller after the other would have got the same results. Each key has a
// history of its own (linearizability is local: Herlihy & Wing, 1990), and the
// search is that of porcupine.
//
// The search is exponential at worst. Its bound is a number of steps, not a
// time, so that one history has one answer on every machine; what is not
// decided within it is unknown.
//
// It knows no store: a Model says what operations do.
//
// Invariants: a history is called good only if an order was found for every
// key of it; a call without an answer may have happened at any time from its
// beginning on, or never; memory is bounded (maxMemory).
//
// Source: ADVERSARIES.md §4.6; Athalye, porcupine.
package linear
