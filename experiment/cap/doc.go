// Package cap shows by runs what CAP means for a user: the same clients do the
// same things under the same cut, above protocols that refuse where they cannot be
// sure (package protocol), and above a store that answers everywhere (package
// leaderless).
//
//	column.go     what is compared: a protocol, or a store with its settings
//	theory.go     what theory says of each, all in one place
//	caller.go     what clients do: a cart, a counter, a color and a coupon
//	ordered.go    one run of a protocol, by the existing simulation
//	available.go  one run of the store, on the simulator's machines
//	result.go     what a run came to: counted, judged, held against theory
//	tell.go       three calls of a run in plain words
//	table.go      for the terminal and for programs
//	page.go       one page with a time line for each side
//
// Invariants: nothing of a table is written down in advance but theory; the same
// seed is the same bytes; calls and final states alone are judged (check.Weak), and
// protocols by their own judge besides.
//
// Source: Gilbert & Lynch (2002) for C and A; Abadi, PACELC (2012); Attiya, Bar-Noy,
// Dolev (1995).
package cap
