// Package synod decides what Paxos decides: what an acceptor may promise and
// accept, what a proposer must propose, what is chosen (Lamport, "The Part-Time
// Parliament", 1998, and "Paxos Made Simple", 2001, PMS below).
//
// Choose is the safety heart: of the votes that a quorum of acceptors named for
// one slot, the one that has to be proposed again. An Acceptor holds the promise
// and the votes of one acceptor, a Round the two phases of one proposer under one
// ballot, a Learner what is known to be chosen, a Tally the votes for one slot
// where acceptors tell them to learners without a leader between them.
//
// All work on many slots at once, because one promise covers every slot (PMS §3):
// an engine takes a window of them, a single decree is a window of one. A value
// is a digest here; whoever has the body may propose it.
//
// Nothing here sends, waits, writes, measures time or judges who sent what: what
// is handed in was authenticated. Whoever calls makes durable what a call changed
// before anybody is told of it, and hands it in again after a restart (Restore).
// Durability is thus the caller's, and everything else about safety is here.
//
// Invariants, whatever is handed in:
//
//   - a promise never goes down, and no vote is below the promise that stood when
//     it was cast;
//   - an acceptor has one value for a ballot and a slot, and its vote for a slot is
//     replaced by one of a higher ballot only;
//   - a Round proposes nothing before a quorum has promised its ballot, one value
//     for a slot, and what Choose says where Choose says something;
//   - a Round and a Tally call chosen what a quorum accepted under one ballot;
//   - memory is bounded by the window, and by the number of acceptors.
package synod
