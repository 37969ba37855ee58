// Package protocol is the registry of protocols: one value for each, with all
// that the rest of the house must know about it. Its arithmetic, whether its
// replicas sign and elect, its words, how its frames are read, why it ignores
// messages, what its seeds should reach, what it costs, and how it is made.
//
// Whoever runs, judges, measures or explains a replica asks here for a property
// and never compares with a name. So a protocol is added in one file beside
// pbft.go and raft.go, and nothing else is edited. (Its lies, if it is to have
// any of its own, are package byzantine's.)
//
// What is registered is the one global state of the house. A genesis names its
// protocol by a string, and everything that reads a genesis must find the same
// protocol by it; a registry that is handed around would be one more parameter
// of every function that has a genesis, and always have the same value. It is
// fixed when the program starts: Register is for a test that brings a protocol
// of its own, and is called before anything runs.
//
// It never decides anything of a protocol: that is the engine's. Clients link
// this package and with it every engine, which are small; it links no host.
//
// Invariants: names are unique; a value and the slices in it are read-only once
// registered; what Codec returns has no nil function and verifies nothing.
package protocol
