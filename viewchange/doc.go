// Package viewchange decides how a replica leaves a view and on what terms the
// next one begins (PROTOCOL.md §6; Castro & Liskov, OSDI 1999, §4.4; Castro's
// thesis §3).
//
// Select is the safety heart of PBFT: a pure function from q VIEW-CHANGEs to
// the slots that the next view must begin with, so that whatever was committed
// anywhere in an earlier view is chosen again. A Changer collects VIEW-CHANGEs
// and says when to join others, when patience for a NEW-VIEW starts, and, for
// the primary, when the view can be opened.
//
// The replica decides when to lose patience, and only it sends. A Changer signs this replica's VIEW-CHANGE and NEW-VIEW; it never sends,
// never measures time, and never judges a signature: what is handed in has been
// verified by message.Open, so that an invalid VIEW-CHANGE cannot shadow a
// valid one.
//
// Invariants, whatever is handed in:
//
//   - a VIEW-CHANGE of this replica is fixed once made: asked again for the same
//     view it returns the same bytes, and it never goes back to an earlier view;
//   - at most one NEW-VIEW is made per view;
//   - what Open makes, every correct replica's Accept accepts, and Accept accepts
//     nothing but what Select says;
//   - memory is bounded: two VIEW-CHANGEs per replica.
package viewchange
