// Package checkpoint decides when a state is stable and how far the log may
// reach (PROTOCOL.md §5; Castro & Liskov, OSDI 1999, §4.3).
//
// A Tracker collects CHECKPOINT votes. When q replicas have signed the same
// root at the same sequence number, that checkpoint is stable: it becomes the
// low water mark h, and the log may reach up to h+L. Nothing less than q moves
// h: f+1 votes can be f liars and one mistake, and a state adopted on their
// word could not be undone.
//
// A Tracker keeps votes and answers questions; it never signs, never sends, and
// never judges a signature: what is handed in has been verified by message.Open.
//
// Invariants, whatever is handed in:
//
//   - h never falls, and every stable certificate holds exactly q signatures of
//     distinct members, ascending;
//   - the first vote of a replica for a sequence number is the one that counts;
//   - memory is bounded: of each replica at most 2L/K votes above h, and one
//     further ahead, its highest;
//   - of the certificates that h has passed, a number logarithmic in h is kept,
//     and which ones depends on their sequence numbers alone, so that replicas
//     that disagree find a number at which both can show their certificate
//     (PROTOCOL.md §9).
package checkpoint
