// Package testnet is a cluster on this machine: it makes one, starts and stops
// its processes, disturbs them, makes traitors of them, and watches.
//
// # Layout
//
//	D/testnet.toml             the manifest: who listens where, and where each home is
//	D/genesis.toml             what all members agree on, and (not part of it) their addresses
//	D/client.key               the default client's key
//	D/clients/1.key ... 7.key  more client keys: each command takes a free one, for a key has one session
//	D/client.key.epoch         the last epoch of that key which the cluster accepted; so for each key
//	D/bench.key                the key that quorate bench uses, so that it disturbs nobody else's session
//	D/replica-0/               the home of a replica: see package home
//	D/replica-0/pid            the running process: pid, start time and boot id, and which directory is its home; data/lock tells the same
//	D/replica-0/log            what it wrote to stderr
//	D/replica-0/byzantine.toml how it lies; the honest have none
//	D/histories/               what clients wrote down
//
// Replicas run as processes of their own, each in a session of its own, so
// that what ends a terminal does not end them. A process is known by its pid
// and the time it started, and by the directory that is its home: a pid that the
// system has given to somebody else is never signalled, and a copy of a cluster
// does not command the original. One whose pid file was removed is known by the lock of
// its data. A process that was started is known by its pid file, or it ends: it goes on
// only when whoever started it says that the file is written. One whose home is removed or moved ends by itself.
//
// A traitor is a replica that RunTraitor runs: a home with a wrapper around its
// protocol and its replies, which follows byzantine.toml. Up starts all replicas
// so; without the file they are honest.
//
// It knows nothing of a protocol's rules, and never removes a data directory but
// in Wipe.
//
// Invariants: ports are chosen once, outside the range from which the system
// takes ports for outgoing connections, so that a restart finds its port free;
// Down and Kill may be repeated; nothing is signalled that this package did not
// start.
//
// # Goroutines
//
//	goroutine          number               ends
//	Statuses           1 per replica        with the call
//	controller.follow  1 per RunTraitor     with the run
//	Cluster.launch     1 per child process  when the child ends
//	Leashed            1 in a tied process  with the process
package testnet
