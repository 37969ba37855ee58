// Package model searches everything that can happen to one slot of a small
// cluster: two values, three to seven replicas, up to three views in which votes
// are cast, votes lost in every combination, silent replicas, liars who say
// whatever their keys and the votes of others can prove, a replica that loses
// its disk, and checkpoints. It is the oracle of viewchange.Select and of the
// arithmetic in package quorum, both of which it calls, and finds the shortest
// execution that breaks them where they can be broken.
//
// What is searched and what is left out:
//
//   - A message once sent may reach anybody at any later time, or never; so a
//     state is what was signed, and an action needs only what was signed before.
//   - Actions of a view never depend on those of a later one. Every execution is
//     therefore, reordered, one in which the views come one after the other, and
//     within a view all PREPAREs come before all COMMITs: only those are searched.
//   - Liars share their keys and everything they saw, equivocate as primaries in
//     PRE-PREPAREs and NEW-VIEWs, vote for everything, and put any certificate
//     that exists, or none, into their VIEW-CHANGEs. They cannot forge: that is
//     the business of package pbft/message and of its tests.
//   - A disk is lost at most once, in any view; the second life votes in that
//     view and in later ones. Under the rule of PROTOCOL.md §8 it does not vote
//     in this slot at all, because its votes begin above a checkpoint that covers
//     the slot.
//   - With power loss, a replica may forget that it voted, and says COMMIT for what
//     others have prepared in its view all the same.
//   - With checkpoints, the slot is one at which replicas say CHECKPOINT.
//   - Time, null batches beside other slots, bodies, and the transport are left
//     out; package sim has them.
//
// The cost of an execution is the number of steps of replicas that do not lie: a
// proposal or its acceptance, a COMMIT, an execution, a VIEW-CHANGE, a lost
// disk. What liars do costs nothing.
//
// It never touches a clock, a disk or the network.
package model
