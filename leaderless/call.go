package leaderless

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/app/kv"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// call is one call with its coordinator. It gathers what replicas hold, or that
// they have stored, or the one after the other.
type call struct {
	id      uint64
	client  int
	digest  crypto.Digest
	op      kv.Operation
	until   consensus.Time
	storing bool         // else it gathers
	found   map[int]Cell // who holds what
	stored  map[int]bool // who has it, or for whom a hint is kept
	hinted  int          // of these, hints
	cell    Cell         // what is stored, or was found
	answer  []byte       // once there is one; the call lives on for late replies
}

// request takes a client's call. What is no request of the client's is ignored.
func (r *Replica) request(client int, frame []byte) {
	q, err := consensus.DecodeRequest(frame)
	if err != nil {
		return
	}
	if ok := r.cfg.Verifier.Verify([]crypto.Claim{q.Claim(r.cfg.Cluster)}); len(ok) != 1 || !ok[0] {
		return
	}
	if answer, known := r.recent.answers[q.Digest]; known {
		r.out.Sends = append(r.out.Sends, Send{To: client, Frame: answer})
		return
	}
	if r.open[q.Digest] != nil {
		return // it is answered when it is done
	}
	c := &call{client: client, digest: q.Digest, until: r.now + patience, found: map[int]Cell{}, stored: map[int]bool{}}
	seen, why := c.read(q.Operations)
	if why == "" {
		why = r.unable(c)
	}
	if why != "" {
		r.end(c, Answer{Outcome: Refused, Why: why})
		return
	}
	r.ids++
	c.id = r.ids
	r.calls[c.id], r.open[c.digest] = c, c
	switch {
	case c.op.Kind == kv.KindGet || r.cfg.Atomic:
		r.gather(c)
	default:
		r.store(c, r.version(c, seen))
	}
}

// read reads a request's operations; why not, if it is none that can be done.
func (c *call) read(operations [][]byte) (seen []Stamp, why string) {
	var err error
	if c.op, err = kv.Decode(operations[0]); err != nil || len(operations) > 2 {
		return nil, "not an operation of the store"
	}
	if len(operations) == 2 {
		if s := cryptobyte.String(operations[1]); !readSeen(&s, &seen) || !s.Empty() {
			return nil, "what was seen of the key cannot be read: hand back what the get has answered"
		}
	}
	switch c.op.Kind {
	case kv.KindGet, kv.KindPut, kv.KindDelete:
	default:
		return nil, "only get, put and delete: a compare-and-swap, a transaction or a range needs one order, and nothing here keeps one"
	}
	if len(c.op.Key) > maxKeyBytes || len(c.op.Value) > maxValue {
		return nil, fmt.Sprintf("at most %d bytes of key and %d of value", maxKeyBytes, maxValue)
	}
	return seen, ""
}

// unable says why a call is not begun.
func (r *Replica) unable(c *call) string {
	need, do := r.cfg.Write, "store"
	switch {
	case c.op.Kind == kv.KindGet:
		need, do = r.cfg.Read, "answer"
	case r.cfg.Atomic:
		need = max(need, r.cfg.Read)
	}
	own := r.keep.cells[string(c.op.Key)]
	switch n := r.reachable(); {
	case n < need && !r.cfg.Sloppy:
		return fmt.Sprintf("%d of %d replicas within reach, %d must %s", n, r.cfg.Replicas, need, do)
	case len(r.calls) >= maxCalls || r.keep.hinted >= maxHints:
		return "too much is under way: try again later"
	case len(own.Values) >= maxSiblings && c.op.Kind == kv.KindPut || len(own.Seen) >= maxLives/2:
		return "too many siblings: get them, and hand back what was seen with the put"
	}
	return ""
}

// version is what a write makes of its key here.
func (r *Replica) version(c *call, seen []Stamp) Cell {
	own, of := r.keep.cells[string(c.op.Key)], binary.BigEndian.Uint64(c.digest[:])
	v := Value{Of: of, Dead: c.op.Kind == kv.KindDelete, Data: c.op.Value}
	switch {
	case own.from(of):
		return own // an earlier life, or another, has taken it before
	case r.cfg.Versions == Dotted && v.Dead:
		return own.write(seen, r.life, nil)
	case r.cfg.Versions == Dotted:
		return own.write(seen, r.life, &v)
	}
	r.clock = max(r.clock+1, uint64(max(0, r.now)))
	v.Stamp = Stamp{Count: r.clock, By: uint64(r.cfg.Self)}
	return Cell{Values: []Value{v}}
}

// gather asks all what they hold; with R = 1 it is enough to look here.
func (r *Replica) gather(c *call) {
	key := string(c.op.Key)
	c.found[r.cfg.Self] = r.keep.cells[key]
	if r.cfg.Read > 1 || r.cfg.Atomic {
		for i := range r.cfg.Replicas {
			r.send(i, &message{kind: kindFetch, id: c.id, cells: []keyed{{key: key}}})
		}
	}
	r.gathered(c, r.readers())
}

// readers is how many must answer a get: with sloppy quorums, no more than can.
func (r *Replica) readers() int {
	if r.cfg.Sloppy {
		return min(r.cfg.Read, r.reachable())
	}
	return r.cfg.Read
}

// fetched counts what one holds. What comes late is repaired all the same.
func (r *Replica) fetched(from int, m *message) {
	c := r.calls[m.id]
	if c == nil || m.cells[0].key != string(c.op.Key) {
		return
	}
	c.found[from] = m.cells[0].cell
	switch {
	case c.answer != nil && c.op.Kind == kv.KindGet:
		c.cell = r.keep.versions.merge(c.cell, m.cells[0].cell)
		r.repair(c)
	case !c.storing:
		r.gathered(c, r.readers())
	}
}

// gathered goes on when enough have answered.
func (r *Replica) gathered(c *call, need int) {
	if len(c.found) < need {
		return
	}
	agreed := true
	var first []byte
	for _, i := range slices.Sorted(maps.Keys(c.found)) {
		cell := c.found[i]
		c.cell = r.keep.versions.merge(c.cell, cell)
		if first == nil {
			first = cell.append(nil)
		}
		agreed = agreed && string(first) == string(cell.append(nil))
	}
	switch {
	case c.op.Kind != kv.KindGet:
		v := Value{Of: binary.BigEndian.Uint64(c.digest[:]), Dead: c.op.Kind == kv.KindDelete, Data: c.op.Value}
		r.clock = max(r.clock, c.cell.stamp().Count) + 1
		v.Stamp = Stamp{Count: r.clock, By: r.life}
		r.store(c, Cell{Values: []Value{v}})
	case r.cfg.Atomic && !agreed:
		r.store(c, c.cell) // whoever reads after this must not find less
	default:
		r.found(c)
	}
}

// found answers a get, and repairs those who lacked something.
func (r *Replica) found(c *call) {
	r.end(c, Answer{Seen: c.cell.Seen, Values: c.cell.Live()})
	r.repair(c)
}

// repair writes what was found to those who hold something else.
func (r *Replica) repair(c *call) {
	if r.cfg.Off.Repair {
		return
	}
	key, best := string(c.op.Key), c.cell.append(nil)
	for _, i := range slices.Sorted(maps.Keys(c.found)) {
		held := c.found[i]
		if string(held.append(nil)) == string(best) {
			continue
		}
		c.found[i] = c.cell
		if i == r.cfg.Self {
			r.keep.merge(r.now, key, c.cell)
		} else {
			r.send(i, &message{kind: kindStore, cells: []keyed{{key, c.cell}}})
		}
	}
}

// store writes a cell here and sends it to all. With sloppy quorums, a hint stands
// for each who is out of reach.
func (r *Replica) store(c *call, cell Cell) {
	key := string(c.op.Key)
	c.storing, c.cell = true, cell
	r.keep.merge(r.now, key, cell)
	c.stored[r.cfg.Self] = true
	for i := range r.cfg.Replicas {
		if r.cfg.Sloppy && !r.near(i) {
			r.hintFor(c, i)
			continue
		}
		r.send(i, &message{kind: kindStore, id: c.id, cells: []keyed{{key, cell}}})
	}
	r.enough(c)
}

// hintFor keeps a call's cell for one who is out of reach.
func (r *Replica) hintFor(c *call, peer int) {
	if !c.stored[peer] {
		r.keep.hint(peer, string(c.op.Key), c.cell)
		c.stored[peer] = true
		c.hinted++
	}
}

// stored counts one who has stored a call's cell, or a hint.
func (r *Replica) stored(from int, id uint64) {
	if h, ok := r.hints[id]; ok {
		delete(r.hints, id)
		r.handedOver(from, h)
		return
	}
	if c := r.calls[id]; c != nil && c.storing {
		c.stored[from] = true
		r.enough(c)
	}
}

// enough answers a call that enough have stored.
func (r *Replica) enough(c *call) {
	switch {
	case c.answer != nil || len(c.stored) < r.cfg.Write:
	case c.op.Kind == kv.KindGet:
		r.found(c)
	default:
		r.end(c, Answer{})
	}
}

// end answers a call. Late replies may yet be of use.
func (r *Replica) end(c *call, a Answer) {
	a.Request = c.digest
	c.answer = a.Encode()
	r.out.Sends = append(r.out.Sends, Send{To: c.client, Frame: c.answer})
	delete(r.open, c.digest)
	if len(r.recent.order) >= maxRecent {
		delete(r.recent.answers, r.recent.order[0])
		r.recent.order = r.recent.order[1:]
	}
	r.recent.answers[c.digest] = c.answer
	r.recent.order = append(r.recent.order, c.digest)
}

// expire ends the calls that others have not helped to an end in time.
func (r *Replica) expire() {
	for _, id := range slices.Sorted(maps.Keys(r.calls)) {
		c := r.calls[id]
		if r.now < c.until {
			continue
		}
		if c.answer == nil {
			r.overdue(c)
		}
		if c.answer != nil {
			delete(r.calls, id)
		}
	}
}

// overdue ends a call with what there is.
func (r *Replica) overdue(c *call) {
	switch {
	case r.cfg.Sloppy && c.storing:
		for i := range r.cfg.Replicas {
			r.hintFor(c, i)
		}
		r.enough(c)
	case r.cfg.Sloppy && c.op.Kind == kv.KindGet:
		r.gathered(c, 1)
	case c.op.Kind == kv.KindGet || !c.storing:
		r.end(c, Answer{Outcome: Refused, Why: fmt.Sprintf("%d of %d replicas answered in time, %d must", max(len(c.found), 1), r.cfg.Replicas, r.cfg.Read)})
	default:
		r.end(c, Answer{Outcome: Unknown, Why: fmt.Sprintf("%d of %d replicas stored it in time, %d must: the others may yet", len(c.stored), r.cfg.Replicas, r.cfg.Write)})
	}
}
