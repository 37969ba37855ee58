package kv

import (
	"bytes"
	"encoding/binary"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/consensus"
)

// list executes a range: as many entries as the limit, the room and the steps
// allow, and the key at which to go on.
func (x *execution) list(o *Operation, room int) ([]byte, error) {
	switch {
	// A page's Next is one byte longer than the longest key.
	case len(o.Key) > x.limits.KeyBytes+1 || len(o.To) > x.limits.KeyBytes+1:
		return nil, failure(TextLongKey)
	case len(o.To) > 0 && bytes.Compare(o.Key, o.To) > 0:
		return nil, failure(TextBadRange)
	}
	p := pageBuilder{limit: o.Limit, keysOnly: o.KeysOnly, room: room - pageHead}
	// What visiting the largest possible entry costs: with less than that
	// left the page ends here, for running out of steps would undo it all.
	reserve := 1 + (x.limits.KeyBytes+x.limits.ValueBytes+app.ValueOverhead)/app.StepBytes
	tx := x.tx // so that only it, not the whole execution, moves to the heap
	tx.Range(o.Key, o.To, func(key, record []byte) bool {
		if !p.add(key, record) {
			return false
		}
		p.more = tx.Steps() < reserve
		return !p.more
	})
	return p.encode()
}

// pageBuilder gathers a Range's result.
type pageBuilder struct {
	limit    uint32
	keysOnly bool
	room     int // what is left for entries and the key to go on from, in bytes
	entries  []byte
	count    uint32
	last     []byte // the last entry's key
	more     bool   // there are, or may be, entries after it
}

// add takes in one entry and reports whether it did; if not, the page is full.
func (p *pageBuilder) add(key, record []byte) bool {
	if p.keysOnly {
		record = record[:min(len(record), revisionSize)]
	}
	size := 2 + len(key) + 3 + len(record)
	// Should this become the last entry, the page must still have room for
	// the key to go on from, which is one byte longer than this one.
	if p.limit > 0 && p.count == p.limit || size+len(key)+1 > p.room {
		p.more = true
		return false
	}
	p.room -= size
	p.count++
	p.entries = consensus.AppendBytes(appendKey(p.entries, key), record)
	p.last = p.entries[len(p.entries)-size+2:][:len(key)]
	return true
}

// encode returns the page. One that cannot hold even its first entry would
// have its reader ask for the same page for ever, so that is an error.
func (p *pageBuilder) encode() ([]byte, error) {
	if p.more && p.count == 0 || p.room < 0 {
		return nil, errTooLarge
	}
	data := make([]byte, 0, pageHead+len(p.last)+1+len(p.entries))
	data = append(data, flag(p.more))
	if p.more {
		// The smallest key above the last one is it with a zero byte behind.
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(p.last)+1)), p.last...)
		data = append(data, 0)
	} else {
		data = append(data, 0, 0)
	}
	data = binary.BigEndian.AppendUint32(data, p.count)
	return append(data, p.entries...), nil
}

// transact executes a transaction. Its result's parts share the room.
func (x *execution) transact(o *Operation, room int) ([]byte, error) {
	held, err := x.allHold(o.If)
	if err != nil {
		return nil, err
	}
	list := o.Else
	if held {
		list = o.Then
	}
	data := binary.BigEndian.AppendUint16([]byte{flag(held)}, uint16(len(list)))
	// Every later result takes at least its length.
	left := room - len(data) - 3*len(list)
	if left < 0 {
		return nil, errTooLarge
	}
	for i := range list {
		part, err := x.perform(&list[i], left)
		if err != nil {
			return nil, err
		}
		left -= len(part)
		data = consensus.AppendBytes(data, part)
	}
	return data, nil
}

// allHold judges all compares, also after one that does not hold: a key over
// the limits fails the transaction whatever the others say.
func (x *execution) allHold(compares []Compare) (bool, error) {
	held := true
	for i := range compares {
		c := &compares[i]
		if err := x.checkKey(c.Key); err != nil {
			return false, err
		}
		entry, present := x.get(c.Key)
		held = c.holds(entry, present) && held
	}
	return held, nil
}
