// Package consensus is the contract between a protocol and its host.
//
// A protocol is a pure engine: a Burst of events goes in, everything to do
// about it comes out as an Output. A driver does it: durable, then sent, then
// executed. Whether the driver stands on libp2p and a disk or on a seed,
// neither can tell. The package also holds the words that every protocol
// shares: requests, batches, replies, refusals, and the genesis.
//
// It never does I/O and knows no protocol.
//
// Invariants: one value has one encoding and decoders refuse every other;
// bytes once handed over are never written to; what Open returns is authentic.
//
// Source: Castro & Liskov (OSDI 1999) §4.1 for requests and
// replies.
package consensus
