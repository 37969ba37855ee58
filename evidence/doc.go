// Package evidence judges contradictions: two signed messages of one replica
// that no honest replica signs both (PROTOCOL.md §9). Such a pair proves a
// fault, not malice: a wiped disk contradicts itself too.
//
// It works on bytes and on the genesis alone, so that anybody can check offline
// what a replica exported. It shares nothing with the way a message normally
// takes: its own reading of the frames, its own knowledge of domains, of who
// may be named and of who is primary, and one signature at a time, without a
// batch and without a memory of what was proven before. A mistake there does
// not excuse anybody here, and the other way round. What it needs of the frames
// is little: kind, position, signer, what was said; the rest of a VIEW-CHANGE
// or NEW-VIEW it does not interpret, because a replica signs one per view.
//
// On the rule for signatures: it is the verifier's, ZIP-215, although the
// standard library would be a more independent judge. Its rule is cofactorless
// and thereby stricter: whoever holds a key can craft signatures that the
// replicas count and that the standard library refuses. A liar would sign its
// contradictions in that way and be beyond proof. The other direction is safe:
// under ZIP-215 nobody signs for an honest key either. Only keys of small order,
// for which anybody can sign, prove nothing; Verify refuses them.
//
// Called by: pbft (which reports contradictions as notes), node (which stores
// and exports them), the offline verifier, the simulator's checkers. It never
// accuses on one message, on a missing one, or on anybody's word, and it keeps
// nothing but what is put into a Store.
//
// Invariants: one contradiction has one encoding; what Verify accepts, its
// named signer has signed, both times; a Store holds at most MaxPerReplica
// entries of a signer, one per position.
package evidence
