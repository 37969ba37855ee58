package sim

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/driver"
)

// disk is one replica's log of records on a virtual disk. What is written is
// not yet there: a sync covers everything written when it began, and a crash
// keeps a random part of the rest, always a beginning of it, because a torn
// tail is cut where it is torn.
type disk struct {
	dice     *stream
	size     int // records in one segment
	holes    bool
	segments [][]consensus.Record // synced
	written  []written            // not yet synced, in order
	forget   consensus.Seq
	bytes    int // in segments
}

// written is one append that waits for its sync.
type written struct {
	ticket  driver.Ticket
	records []consensus.Record
}

func newDisk(dice *stream, d Disks) *disk {
	return &disk{dice: dice, size: max(1, d.Segment), holes: d.Holes}
}

// write appends without syncing.
func (d *disk) write(t driver.Ticket, records []consensus.Record, forget consensus.Seq) {
	d.written = append(d.written, written{ticket: t, records: records})
	if forget > d.forget {
		d.forget = forget
		d.drop()
	}
}

// sync makes durable everything up to ticket t.
func (d *disk) sync(t driver.Ticket) {
	for len(d.written) > 0 && d.written[0].ticket <= t {
		d.keep(d.written[0].records)
		d.written = d.written[1:]
	}
}

// gates reports whether something waits for what is not yet synced.
func (d *disk) gates() bool {
	return slices.ContainsFunc(d.written, func(w written) bool {
		return slices.ContainsFunc(w.records, func(r consensus.Record) bool { return !r.Lazy })
	})
}

// keep adds records to the synced part.
func (d *disk) keep(records []consensus.Record) {
	for _, r := range records {
		last := len(d.segments) - 1
		if last < 0 || len(d.segments[last]) >= d.size {
			d.segments = append(d.segments, nil)
			last++
		}
		d.segments[last] = append(d.segments[last], r)
		d.bytes += len(r.Bytes)
	}
}

// drop removes the segments that the contract allows to be dropped. The last
// one is still being written, and stays.
func (d *disk) drop() {
	kept := d.segments[:0]
	open := len(d.segments) - 1
	blocked := false
	for i, s := range d.segments {
		if i == open || blocked || !d.forgotten(s) {
			kept = append(kept, s)
			blocked = blocked || !d.holes
			continue
		}
		for _, r := range s {
			d.bytes -= len(r.Bytes)
		}
	}
	clear(d.segments[len(kept):])
	d.segments = kept
}

func (d *disk) forgotten(segment []consensus.Record) bool {
	for _, r := range segment {
		if r.Slot > d.forget {
			return false
		}
	}
	return true
}

// crash loses what was not synced, but for a beginning that the disk happened
// to write already. It returns how many records survived by such luck, and those
// that were lost.
func (d *disk) crash() (lucky int, lost []consensus.Record) {
	var all []consensus.Record
	for _, w := range d.written {
		all = append(all, w.records...)
	}
	lucky = d.dice.upTo(len(all))
	d.keep(all[:lucky])
	d.written = nil
	return lucky, all[lucky:]
}

// records returns the log as a restart finds it.
func (d *disk) records() []consensus.Record {
	var all []consensus.Record
	for _, s := range d.segments {
		all = append(all, s...)
	}
	return all
}
