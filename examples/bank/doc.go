// Package bank is an example of an application: accounts that belong to
// clients, and money that moves between them but is never made or lost.
//
// It shows everything that replacing the key-value store takes: a type with
// an Execute method, and optionally Initialise. app.Application says what the
// two promise and may rely on. To run it, hand bank.Bank{} to app.Open (or to
// whatever opens a machine for you) where the store's kv.Store{} stands:
//
//	machine, err := app.Open(store, bank.Bank{}, genesis, app.Options{Replica: id})
//
// What the example does not do, since the machine does it: check signatures,
// sequence requests, keep replies for retransmissions, undo the writes of an
// operation that fails, keep readers from writing, bound steps and sizes,
// compute roots, move the state to other replicas.
//
// Called by: its test, and whoever copies it. It keeps nothing in memory, reads
// no clock and iterates over no map; all of its state is in the transaction.
//
// Invariant: the balances of all accounts add up to Supply.
package bank
