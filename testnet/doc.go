// Package testnet is one documented layout of a cluster on one machine, and
// every way to run the network in it, disturb it and watch it.
//
// # Layout
//
//	D/testnet.toml             the manifest: who listens where, and where each home is
//	D/genesis.toml             what all members agree on, and (not part of it) their addresses
//	D/client.key               the default client's key
//	D/clients/1.key ... 7.key  more client keys: each command takes a free one, for a key has one session
//	D/bench.key                the key that quorate bench uses, so that it disturbs nobody else's session
//	D/replica-0/config.toml    the replica's own settings
//	D/replica-0/genesis.toml   its copy of the genesis
//	D/replica-0/key            its key, mode 0600
//	D/replica-0/data/          what it keeps; begins with a birth record (PROTOCOL.md §8)
//	D/replica-0/pid            the running process: pid, start time and boot id
//	D/replica-0/log            what it wrote to stderr
//	D/replica-0/transcript/    what it wrote down for judges: package check reads it
//	D/replica-0/byzantine.toml what makes a traitor of it; the honest have none
//
// A home (D/replica-0) stands alone: LoadHome reads it wherever it lies, and
// `quorate node --home` runs it on any machine.
//
// Settings of a home come from, in this order, flags, the environment
// (QUORATE_ and the key in capitals, dots as underscores), the file, and the
// defaults. A key that nobody knows is an error that names it and its line.
//
// Replicas run as processes of their own, each in a session of its own, so
// that what ends a terminal does not end them. A process is known by its pid
// and the time it started: a pid that the system has given to somebody else is
// never signalled.
//
// Called by: cmd/quorate and tests. It knows nothing of a protocol's rules; it
// never writes into a data directory but for the birth record, and never
// removes one but in Wipe.
//
// Invariants: ports are chosen once, outside the range from which the system
// takes ports for outgoing connections, so that a restart finds its port free;
// Down and Kill may be repeated; nothing is signalled that this package did not
// start.
//
// # Goroutines
//
//	goroutine       number               ends
//	Statuses        1 per replica        with the call
//	warnWhenAlone   1 per Home.Run       with the run
//	master.follow   1 per Home.Run       with the run
//	scribe.run      1 per Home.Run       after the run, with all that is left written
//	Cluster.reap    1 per child process  when the child ends
//
// Source: ARCHITECTURE §4; PROTOCOL.md §8 for birth, wiping and amnesia.
package testnet
