// Package client is the library that users of a cluster call: Dial, then
// Invoke, from as many goroutines as they like. Concurrent operations are
// gathered under one signature; an answer is believed from f+1 replicas that
// agree; what was lost is sent again, and executed once.
//
// KV speaks the operations of the key-value store that the project ships.
//
// A key belongs to one client at a time. A second one with the same key, in
// this process or another, begins a newer session, and the older one's requests
// fail with session.ErrStale. Within one process, share the Client.
//
// It decides nothing: what to send, when
// again, and what to believe is the business of package session; carrying
// frames is that of package p2p, or of what Config.Connect returns instead.
//
// Invariants: every Invoke returns, with a result that f+1 replicas vouch for,
// or with an error that says whether the operation may have been executed
// (errors.Is with session.ErrUnknown); after Close no goroutine is left.
//
// # Goroutines
//
//	goroutine        number       owns                        ends
//	Client.run       1            the session                 Close
//	those of p2p     see there    connections and streams     Close
//
// Callers hand operations and cancellations to the inbox, readers of p2p hand
// frames to a channel that holds them back; run takes everything that waits,
// feeds the session, and does what it says.
package client
