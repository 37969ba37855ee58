// Package transfer moves a state in verified parts. It decides which parts to ask
// from which peer (fetcher) and how much to serve to each (server, Throttle), and
// encodes the lists that both sides exchange.
//
// A Mover joins both sides to the outbox of an engine, which says in its own
// words what it sends and decides which state is fetched and when. Where members
// believe each other, Framed are these words, and Heights is how far their host and
// their disk are.
//
// It does not know what a part is. The tree of a state, its hashes and its
// verification live behind the jobs and events of package consensus
// (RestoreBegin, RestorePut, RestoreEnd; Staged, Restored; ChunkRead, Chunk).
// The fetcher turns events into asks and jobs, and nothing else. It never
// verifies and never looks at a clock: time is the number of Tick calls.
//
// Invariants:
//   - an item is wanted, in flight, handed in or staged, never two of these;
//   - memory is bounded by config, whatever the sources send;
//   - a part for which its sender was not asked is ignored;
//   - with one source left that serves the target, the fetch ends;
//   - the same calls in the same order give the same decisions.
//
// Source: Castro's thesis (2001) §5.3.2 (hierarchical state transfer);
// PROTOCOL §7.
package transfer
