package leaderless

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
)

// Versions says how replicas tell which of two values is newer.
type Versions string

// The kinds of versions.
const (
	// LastWriter: each value has a stamp, and the larger one stays. A stamp is the
	// coordinator's clock, or with Atomic one more than a quorum has seen.
	LastWriter Versions = "lww"
	// Dotted: each value has a dot, which names the write that it is from, and a
	// cell knows which writes it has seen. What has not been seen by the other
	// stands beside it.
	Dotted Versions = "dvv"
)

// Stamp names a version: of LastWriter a time and a replica, of Dotted the number
// of a write in a life of a replica.
type Stamp struct {
	Count uint64
	By    uint64
}

// compare orders stamps by count, and equal ones by whose they are.
func (s Stamp) compare(o Stamp) int {
	return cmp.Or(cmp.Compare(s.Count, o.Count), cmp.Compare(s.By, o.By))
}

// Value is one version of what a key holds.
type Value struct {
	Stamp Stamp
	Of    uint64 // the beginning of the digest of the request that wrote it
	Dead  bool   // a tombstone of LastWriter: the key was deleted
	Data  []byte
}

// Cell is all that a replica holds of a key. Cells are not written to.
type Cell struct {
	Seen   []Stamp // of Dotted: the last write of each life that it knows, ascending by life
	Values []Value // ascending by stamp; of LastWriter one at most
}

// Live are the values that a get finds.
func (c *Cell) Live() [][]byte {
	var all [][]byte
	for _, v := range c.Values {
		if !v.Dead {
			all = append(all, v.Data)
		}
	}
	return all
}

// stamp is the largest one; zero if there is none.
func (c *Cell) stamp() Stamp {
	if len(c.Values) == 0 {
		return Stamp{}
	}
	return c.Values[len(c.Values)-1].Stamp
}

// from reports whether a request has written here before.
func (c *Cell) from(request uint64) bool {
	return slices.ContainsFunc(c.Values, func(v Value) bool { return v.Of == request })
}

// buried reports whether nothing is left but the memory of what was deleted.
func (c *Cell) buried() bool { return len(c.Live()) == 0 && len(c.Seen)+len(c.Values) > 0 }

// merge makes one cell of two replicas'.
func (v Versions) merge(a, b Cell) Cell {
	if v == LastWriter {
		if a.stamp().compare(b.stamp()) >= 0 {
			return a
		}
		return b
	}
	m := Cell{Seen: mergeSeen(a.Seen, b.Seen)}
	for _, x := range a.Values {
		if b.holds(x.Stamp) || !knows(b.Seen, x.Stamp) {
			m.Values = append(m.Values, x)
		}
	}
	for _, x := range b.Values {
		if !a.holds(x.Stamp) && !knows(a.Seen, x.Stamp) {
			m.Values = append(m.Values, x)
		}
	}
	slices.SortFunc(m.Values, func(x, y Value) int { return x.Stamp.compare(y.Stamp) })
	return m
}

// holds reports whether the value of a dot is here.
func (c *Cell) holds(dot Stamp) bool {
	return slices.ContainsFunc(c.Values, func(v Value) bool { return v.Stamp == dot })
}

// knows reports whether a write was seen, by the last one of its life that was.
func knows(seen []Stamp, dot Stamp) bool { return last(seen, dot.By) >= dot.Count }

// last is the last write of a life that was seen; 0 = none.
func last(seen []Stamp, life uint64) uint64 {
	for _, s := range seen {
		if s.By == life {
			return s.Count
		}
	}
	return 0
}

// mergeSeen is what either has seen.
func mergeSeen(a, b []Stamp) []Stamp {
	all := slices.Clone(a)
	for _, s := range b {
		i, found := slices.BinarySearchFunc(all, s.By, func(x Stamp, life uint64) int { return cmp.Compare(x.By, life) })
		if !found {
			all = slices.Insert(all, i, s)
		}
		all[i].Count = max(all[i].Count, s.Count)
	}
	return all
}

// write replaces what a writer had seen by its value, under the next dot of a life.
// What it had not seen stays beside it. A nil value replaces by nothing.
func (c *Cell) write(seen []Stamp, life uint64, v *Value) Cell {
	w := Cell{Seen: mergeSeen(c.Seen, seen)}
	for _, x := range c.Values {
		if !knows(seen, x.Stamp) {
			w.Values = append(w.Values, x)
		}
	}
	if v == nil {
		return w
	}
	dot := Stamp{Count: last(w.Seen, life) + 1, By: life}
	w.Seen = mergeSeen(w.Seen, []Stamp{dot})
	v.Stamp = dot
	w.Values = append(w.Values, *v)
	slices.SortFunc(w.Values, func(x, y Value) int { return x.Stamp.compare(y.Stamp) })
	return w
}

// Limits of a cell. A life that ends leaves a number in every cell that it wrote to.
const (
	maxSiblings = 256
	maxLives    = 1024
)

// appendSeen appends what was seen.
func appendSeen(dst []byte, seen []Stamp) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(seen)))
	for _, s := range seen {
		dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, s.By), s.Count)
	}
	return dst
}

// readSeen reads what appendSeen wrote, in its one order.
func readSeen(s *cryptobyte.String, seen *[]Stamp) bool {
	var n uint16
	if !s.ReadUint16(&n) || n > maxLives {
		return false
	}
	for i := range int(n) {
		var x Stamp
		if !s.ReadUint64(&x.By) || !s.ReadUint64(&x.Count) || i > 0 && x.By <= (*seen)[i-1].By {
			return false
		}
		*seen = append(*seen, x)
	}
	return true
}

// append appends the cell's one encoding.
func (c *Cell) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(appendSeen(dst, c.Seen), uint16(len(c.Values)))
	for _, v := range c.Values {
		dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, v.Stamp.Count), v.Stamp.By)
		dst = append(binary.BigEndian.AppendUint64(dst, v.Of), 0)
		if v.Dead {
			dst[len(dst)-1] = 1
		}
		dst = consensus.AppendBytes(dst, v.Data)
	}
	return dst
}

// readCell reads what append wrote. Values alias s.
func readCell(s *cryptobyte.String, c *Cell) bool {
	var n uint16
	if !readSeen(s, &c.Seen) || !s.ReadUint16(&n) || n > 2*maxSiblings {
		return false
	}
	for i := range int(n) {
		var v Value
		var dead uint8
		if !s.ReadUint64(&v.Stamp.Count) || !s.ReadUint64(&v.Stamp.By) || !s.ReadUint64(&v.Of) || !s.ReadUint8(&dead) || dead > 1 ||
			!consensus.ReadBytes(s, &v.Data) || i > 0 && v.Stamp.compare(c.Values[i-1].Stamp) <= 0 {
			return false
		}
		v.Dead = dead == 1
		c.Values = append(c.Values, v)
	}
	return true
}

// String is the cell for people, as traces show it.
func (c *Cell) String() string {
	text := ""
	for i, v := range c.Values {
		if i > 0 {
			text += " | "
		}
		if v.Dead {
			text += "(deleted)"
		} else {
			text += string(v.Data)
		}
	}
	if text == "" {
		return "(nothing)"
	}
	return fmt.Sprintf("“%s”", text)
}
