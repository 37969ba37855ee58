// Package storage is one replica's disk: the log of records, the birth record,
// the lock of its home, and the state.
//
// The log is what PROTOCOL.md §4 and §8 stand on: after a restart a replica
// never contradicts a vote that it sent, so every vote is here before it is
// sent, and a log that lost one in the middle must not open. goleveldb cannot
// do this (docs/adr/0003-segment-log.md has the experiment), hence a log of our
// own. It has preallocated segments of framed records. Each frame has its
// sequence number, a checksum that chains it to the one before, and the sequence
// number that was known to be synced when it was written. The last field tells a
// torn tail from damage: a bad frame that some later frame calls synced was lost
// by the disk, and any other was never promised to anyone.
//
// Nothing here starts a goroutine, and a Log is not safe for concurrent use: one
// goroutine of its owner appends.
//
// What it never does: repair in silence. A torn tail is cut and reported.
// Anything more that does not fit is a typed error of one line that says what to do,
// and the files stay as they were.
//
// Invariants:
//   - frames of one log have sequence numbers without gaps, across segments;
//   - every segment but the last is wholly synced, and sealed;
//   - after a failed write or sync the log takes nothing more;
//   - a file appears under its final name only when its content is synced.
//
// Layout of a data directory:
//
//	birth          the birth record: cluster id, replica id (PROTOCOL.md §8)
//	lock           held by flock while a process runs this home; says which one, and what that tells of itself
//	log/base       the number of the oldest segment that must be there
//	log/*.seg      segments, named by their number in hexadecimal
//	log/*.spare    forgotten segments that wait to be used again
//	state/         the state on goleveldb
//
// Source: Castro & Liskov (OSDI 1999) keeps its log in memory; PROTOCOL.md §4,
// §5 and §8 say what must be on disk and when.
package storage
