package leaderless

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// keep is what a replica holds: cells, and hints for others. What changes in it is
// a record before anybody hears of it.
type keep struct {
	versions Versions
	cells    map[string]Cell
	died     map[string]consensus.Time // since when a key is buried here
	hints    map[int]map[string]Cell   // for whom
	hinted   int                       // in all
	buckets  [fanout]crypto.Digest     // hashes, as of when they were asked for
	dirty    uint16                    // buckets whose hash is out of date
	records  [][]byte                  // to be written
}

// fanout is how many buckets keys fall into: the leaves of the hash tree.
const fanout = 16

func newKeep(v Versions) keep {
	return keep{versions: v, cells: map[string]Cell{}, died: map[string]consensus.Time{}, hints: map[int]map[string]Cell{}, dirty: 1<<fanout - 1}
}

// bucketOf is where a key falls.
func bucketOf(key string) int { return int(crypto.Hash([]byte(key))[0] >> 4) }

// merge takes in what another holds of a key, or a write of one's own. It reports
// whether that was news.
func (k *keep) merge(now consensus.Time, key string, c Cell) bool {
	before := k.cells[key]
	after := k.versions.merge(before, c)
	if string(after.append(nil)) == string(before.append(nil)) {
		return false
	}
	k.put(now, key, after)
	k.record(recordCell, 0, key, &after)
	return true
}

// put sets a cell.
func (k *keep) put(now consensus.Time, key string, c Cell) {
	k.cells[key] = c
	k.dirty |= 1 << bucketOf(key)
	if !c.buried() {
		delete(k.died, key)
	} else if _, known := k.died[key]; !known {
		k.died[key] = now
	}
}

// forget drops a key with the memory that it was deleted.
func (k *keep) forget(key string) {
	delete(k.cells, key)
	delete(k.died, key)
	k.dirty |= 1 << bucketOf(key)
	k.record(recordForgotten, 0, key, &Cell{})
}

// hint keeps a cell for a replica that is out of reach.
func (k *keep) hint(peer int, key string, c Cell) {
	if k.hints[peer] == nil {
		k.hints[peer] = map[string]Cell{}
	}
	before, known := k.hints[peer][key]
	if !known {
		k.hinted++
	}
	c = k.versions.merge(before, c)
	k.hints[peer][key] = c
	k.record(recordHint, peer, key, &c)
}

// handed drops a hint whose owner has stored it.
func (k *keep) handed(peer int, key string) {
	if _, known := k.hints[peer][key]; known {
		k.hinted--
		delete(k.hints[peer], key)
		k.record(recordHanded, peer, key, &Cell{})
	}
}

// tree is the root of the hash tree with what is below it.
func (k *keep) tree() (root crypto.Digest, buckets []crypto.Digest) {
	for i := range k.buckets {
		if k.dirty&(1<<i) == 0 {
			continue
		}
		var all []byte
		for _, x := range k.in(1 << i) {
			all = x.cell.append(consensus.AppendBytes(all, []byte(x.key)))
		}
		k.buckets[i] = crypto.Hash(all)
	}
	k.dirty = 0
	var all []byte
	for _, h := range k.buckets {
		all = append(all, h[:]...)
	}
	return crypto.Hash(all), k.buckets[:]
}

// in lists the cells of some buckets, ascending by key.
func (k *keep) in(buckets uint16) (list []keyed) {
	for _, key := range slices.Sorted(maps.Keys(k.cells)) {
		if buckets&(1<<bucketOf(key)) != 0 {
			list = append(list, keyed{key, k.cells[key]})
		}
	}
	return list
}

// The kinds of records.
const (
	recordCell      byte = 1 // a key holds this from now on
	recordForgotten byte = 2 // a key is not known any more
	recordHint      byte = 3 // another is to get this
	recordHanded    byte = 4 // ... and has it
)

func (k *keep) record(kind byte, peer int, key string, c *Cell) {
	b := binary.BigEndian.AppendUint16([]byte{kind}, uint16(peer))
	k.records = append(k.records, c.append(consensus.AppendBytes(b, []byte(key))))
}

// replay takes in a record of an earlier life. The error wraps
// consensus.ErrMalformed.
func (k *keep) replay(now consensus.Time, record []byte) error {
	s := cryptobyte.String(record)
	var kind uint8
	var peer uint16
	var key []byte
	var c Cell
	if !s.ReadUint8(&kind) || !s.ReadUint16(&peer) || !consensus.ReadBytes(&s, &key) || !readCell(&s, &c) || !s.Empty() {
		return fmt.Errorf("record: %w", consensus.ErrMalformed)
	}
	switch kind {
	case recordCell:
		k.put(now, string(key), c)
	case recordForgotten:
		k.forget(string(key))
	case recordHint:
		k.hint(int(peer), string(key), c)
	case recordHanded:
		k.handed(int(peer), string(key))
	default:
		return fmt.Errorf("record of kind %d: %w", kind, consensus.ErrMalformed)
	}
	return nil
}
