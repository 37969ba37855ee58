// Package course reads the course of a simulated run: what its frames say, which
// of its steps decided how it ended, and how far each slot has come.
//
//	record.go  the steps that may turn out to be decisive, kept while a run goes on
//	slice.go   the part of a trace that shows why a run ended as it did
//	log.go     who led, and what was proposed and decided at each slot
//	slots.go   the table of slots that courses ask a replica to print
//
// A frame is decoded by its protocol's codec, as far as charts need it.
//
// It verifies nothing and judges nothing.
//
// Invariants: what it keeps is bounded; the same steps give the same slice.
package course
