// Package gossip is the cluster's topic: libp2p's GossipSub, fenced in. A
// replica or an observer gives Join to package p2p, which then has something to
// publish to. It is apart from p2p so that a client, which needs no topic, does
// not link the library.
//
// Only members publish and forward, each within a rate; observers listen; nobody
// else gets a stream of the gossip protocol in either direction. Messages are
// unsigned, because what travels proves itself, and are named by their hash, so
// that equal payloads are one message.
//
// It never decodes a message, never carries a vote, and promises no delivery.
//
// Invariants: nothing is spent on a message of a peer that is no member or
// exceeds its rate; after Close nothing is delivered and no goroutine of the
// package is left.
//
// Source: GossipSub v1.1 and v1.2, with the library's defaults where nothing is
// said here.
package gossip
