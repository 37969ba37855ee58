// Package home is the front door of production: a replica's directory, and how
// to run the replica that lives in it.
//
//	config.toml   the replica's own settings
//	genesis.toml  its copy of the genesis: package genesis
//	key           its key, mode 0600
//	data/         what it keeps; begins with a birth record (docs/PROTOCOL.md, section 8)
//	transcript/   what it wrote down for judges: package transcript
//
// Create makes a home, Load reads and checks it, Check compares it with its data,
// and Run runs its replica with an application. A home stands alone: it can be
// moved to any machine.
//
// Settings come from, in this order, flags, the environment (QUORATE_ and the key
// in capitals, dots as underscores), the file, and the defaults. A key that nobody
// knows is an error that names it and its line.
//
// What it never does: lie. Nothing that it imports knows how; whoever wants a
// traitor hands RunWrapped a Wrapper, as package testnet does. It never writes
// into a data directory but for the birth record, and never overwrites a key.
//
// # Goroutines
//
//	goroutine      number        ends
//	guard          1 per Run     with the run, or when the home is gone
//	warnWhenAlone  1 per Run     with the run
package home
