// Package client has Byzantine clients: sources of frames that no honest client
// sends.
//
// A Client has a key and a strategy. Its host lets it take a turn every so
// often, and sends what comes out; a client believes nobody, so that what
// replicas answer is read and dropped, or, for some strategies, not even read.
//
// A new strategy is a function and an entry in strategies.go.
//
// It has no clock, no goroutines and no I/O: what it draws comes from a seed, so
// that a seed's client does the same every time. Frames and bytes of a turn are
// bounded (maxSends, maxSendBytes), and so is what it remembers (maxPast).
//
// Source: docs/ADVERSARIES.md for the behaviours and their outcomes.
package client
