// Package quorate is a replicated service that survives liars; README.md shows
// it. This package is empty: the module's public packages are
//
//	app             what is replicated: implement Application, and the rest comes with it
//	app/kv          the application that ships: a key-value store
//	client          Dial a cluster and Invoke operations
//	client/session  the errors of Invoke
//	consensus       the contract between an engine and its host, and the types that all share
//	consensus/quorum  how many replicas suffice for what
//	crypto          keys, signatures, digests
//	evidence        proofs that a replica lied, verified offline
//	genesis         the file that all members and clients of a cluster share
//	home            a replica's directory, and how to run the replica in it
//	node            the same without a directory
//	protocol        the protocols that there are, and how to add one
//	testnet         clusters on one machine, for tests and demonstrations
//
// All others serve these and may change without notice.
package quorate
