// Package evidence judges what replicas have signed (PROTOCOL.md §9). A proof
// convicts one replica to anybody who holds the genesis, of a fault and not of
// malice: a wiped disk contradicts itself too. There are three kinds:
//
//   - Contradiction: two messages of which an honest replica signs one;
//   - Omission: a COMMIT, and a VIEW-CHANGE for a later view that hides what the
//     COMMIT says had prepared. After a fork across views these name the
//     culprits, which need not have contradicted themselves in any view;
//   - Unfounded: one VIEW-CHANGE or NEW-VIEW that refutes itself.
//
// An Investigator searches transcripts for them, and for forks.
//
// It works on bytes and on the genesis alone, so that anybody can check offline
// what a replica exported. It shares nothing with the way a message normally
// takes. It reads the frames by itself, and knows by itself the domains, the
// members that may be named, the primary of a view, the size of a quorum and what
// a view must propose. It checks one signature at a time, without a batch and
// without a memory of what was proven before. A mistake there excuses nobody
// here, and the other way round. (An Investigator does remember signatures, to
// search faster. What it finds is judged anew.)
//
// The rule for signatures is the verifier's, ZIP-215, although the standard
// library would be a more independent judge. The library's rule is cofactorless
// and thereby stricter: whoever holds a key can craft signatures that the
// replicas count and that the standard library refuses. A liar would sign its
// contradictions in that way and be beyond proof; and an honest replica that
// passes such a signature on, inside of a certificate, would stand convicted.
// The other direction is safe: under ZIP-215 nobody signs for an honest key
// either. Only keys of small order, for which anybody can sign, prove nothing;
// Verify refuses them.
//
// It never accuses on a missing message or on anybody's word. Its verdicts rest on the
// honest keeping to PROTOCOL.md §4-§8; where the engine's rules change, so must
// the argument in §9 that an honest replica never convicts itself.
//
// Invariants: one proof has one encoding; what Verify accepts, its named signer
// has signed, all of it; a Store holds at most maxPerReplica entries of a
// signer, one per fault; memory is bounded, by the input for a judgement and by
// constants for an Investigator.
package evidence
