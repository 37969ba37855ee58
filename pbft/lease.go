package pbft

import (
	"encoding/binary"
	"fmt"

	"quorate.dev/quorate/consensus"
)

// lease lets PREPAREs and PRE-PREPAREs go before they are on disk (PROTOCOL.md §4).
// A record says that votes of a view, for slots up to one, may be out. Once that
// record is durable they are said at once, and reach the disk beside the COMMIT.
//
// Whoever starts from a log with such a record may have forgotten votes up to
// there. In those slots it votes no more, in that view.
//
// It says what may be said, and what to record. It never sends.
type lease struct {
	view   consensus.View
	silent consensus.Seq // an earlier life may have voted up to here, and the log not hold it
	until  consensus.Seq // what this life has recorded; 0 is nothing
	output uint64        // ... with this output
	held   consensus.Seq // of it, what is on disk
	used   int           // tick of the last vote
}

// leaseSpan is how far ahead of a vote a lease goes, in slots. It bounds how long a
// replica that restarts is silent, and what may be under way while the next record
// waits for a sync: two pipelines at the default, as it is renewed at half of it.
const leaseSpan = 16

// leaseRecord is the first byte of the record. It stands under the slot up to
// which the lease goes: where nothing is voted for any more, it may be cut.
const leaseRecord = 0xf1

func (l *lease) record(until consensus.Seq) []byte {
	b := binary.BigEndian.AppendUint64([]byte{leaseRecord}, uint64(l.view))
	return binary.BigEndian.AppendUint64(b, uint64(until))
}

// recall takes a record of an earlier life, in the order in which they were
// written: the last one of the highest view counts.
func (l *lease) recall(b []byte) error {
	if len(b) != 17 {
		return fmt.Errorf("vote lease: %w", consensus.ErrMalformed)
	}
	if v := consensus.View(binary.BigEndian.Uint64(b[1:])); v >= l.view {
		*l = lease{view: v, silent: consensus.Seq(binary.BigEndian.Uint64(b[9:]))}
	}
	return nil
}

// forgets reports whether a vote may have been said that the log does not hold.
func (l *lease) forgets(v consensus.View, n consensus.Seq) bool { return v == l.view && n <= l.silent }

// covers reports whether a vote may be said before it is on disk.
func (l *lease) covers(v consensus.View, n consensus.Seq) bool { return v == l.view && n <= l.held }

// durable takes in that the records of the first outputs, so many of them, are on
// disk.
func (l *lease) durable(outputs uint64) {
	if outputs >= l.output {
		l.held = l.until
	}
}

// extend makes the lease go on from n, within the window, if little is left of
// it. It reports whether there is something to record, with an output.
func (l *lease) extend(v consensus.View, n, high consensus.Seq, output uint64) bool {
	if v != l.view {
		*l = lease{view: v, used: l.used}
	}
	next := min(n+leaseSpan, high)
	if l.until >= n+leaseSpan/2 || l.until >= next {
		return false
	}
	l.until, l.output = next, output
	return true
}

// end gives the lease back. What was said under it is recorded before that.
func (l *lease) end() (record []byte) {
	l.until, l.held = 0, 0
	return l.record(l.silent)
}

// leased is what a replica says and records by its lease.
type leased struct{ *replica }

// cast says a vote of mine: at once if the lease covers it, and else once it is on
// disk itself.
func (r leased) cast(n consensus.Seq, class consensus.Class, frame []byte) {
	if r.lease.covers(r.view.number, n) {
		r.out.RecordLazy(n, frame)
		r.out.SendEarly(consensus.Peer{Kind: consensus.Everyone}, class, frame)
	} else {
		r.out.Record(n, frame)
		r.out.Broadcast(class, frame)
	}
	r.lease.used = r.tick
	r.extend(n)
}

// extend sees to it that votes a little above n need not wait. The record
// waits for a sync that something else needs.
func (r leased) extend(n consensus.Seq) {
	if r.lease.extend(r.view.number, n, r.high(), r.outputs) {
		r.out.RecordLazy(r.lease.until, r.lease.record(r.lease.until))
	}
}

// rest gives the lease back when nothing has been voted for in a while: who
// restarts at rest has forgotten nothing, and need not be silent.
func (r leased) rest() {
	if r.lease.until > 0 && !r.view.changing && r.tick-r.lease.used > r.cfg.Patience {
		at := r.lease.until
		r.out.Record(at, r.lease.end())
	}
}

// mayPrepare is mayVote for a PREPARE or a PRE-PREPARE: not where an earlier life
// may have said another one. A COMMIT may be said there, because it is never said
// before it is on disk.
func (r leased) mayPrepare(v consensus.View, n consensus.Seq) bool {
	return r.mayVote(v, n) && !r.lease.forgets(v, n)
}
