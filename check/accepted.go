package check

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// accepted judges what clients accept: that an honest replica answered it, that
// it stays whatever crashes, and that whoever asks later comes after it.
type accepted struct {
	highest consensus.Seq // of all that an honest replica answered and a client believed
	calls   map[CallID]*call
	order   []*call // as they were invoked
	doubted []*call // believed, and answered by no honest replica so far
	held    []*call // believed, and answered by an honest replica

	finds     bool // answers to READs are told
	unordered bool // results of READs were believed
}

// call is one operation of an honest client, from its invocation on.
type call struct {
	id        CallID
	client    crypto.PublicKey
	op        []byte
	after     consensus.Seq // what was known to be executed when it began
	began     consensus.Time
	ended     consensus.Time
	returned  bool
	declined  bool
	unordered bool // the result is a READ's
	seq       consensus.Seq
	result    consensus.Result

	from, to consensus.Seq // of a READ: the heights that it may have read
	past     past
}

// Invoked hears that an honest client begins a call. Of dishonest clients
// nothing needs to be told: their signatures count.
func (j *Judge) Invoked(at consensus.Time, id CallID, client crypto.PublicKey, op []byte) {
	j.ledger.of(client, op).issued = true
	c := &call{id: id, client: client, op: op, after: j.accepted.highest, began: at}
	j.accepted.calls[id] = c
	j.accepted.order = append(j.accepted.order, c)
}

// Returned hears that a caller believes a result, executed at height n. Calls
// that end without a result never return: they may or may not be executed.
func (j *Judge) Returned(at consensus.Time, id CallID, n consensus.Seq, result consensus.Result) {
	c := j.accepted.calls[id]
	if c == nil {
		j.violate(at, Validity, "client %d gets a result for call %d, which it never made", id.Client, id.Number)
		return
	}
	if c.returned {
		j.violate(at, Twice, "client %d gets two results for call %d", id.Client, id.Number)
		return
	}
	c.returned, c.ended, c.seq, c.result = true, at, n, result
	if !j.accept(at, c) {
		j.accepted.doubted = append(j.accepted.doubted, c)
	}
}

// accept enters a result that an honest replica gave, and judges real time:
// the operation began after everything up to c.after had been answered, so it
// must stand behind it. It reports whether there is such a replica.
func (j *Judge) accept(at consensus.Time, c *call) bool {
	given := c.unordered && j.found(c) || !c.unordered && slices.ContainsFunc(j.ledger.of(c.client, c.op).answers, func(t told) bool {
		return t.seq == c.seq && t.code == c.result.Code && t.data == string(c.result.Data)
	})
	if !given {
		return false
	}
	b := &j.accepted
	b.held = append(b.held, c)
	b.highest = max(b.highest, c.seq)
	if c.seq < c.after {
		j.violate(at, Lost, "call %d of client %d began after height %d was answered and is executed at %d", c.id.Number, c.id.Client, c.after, c.seq)
	}
	return true
}

// settleAccepted looks again at what nobody honest had answered yet.
func (j *Judge) settleAccepted() {
	j.accepted.doubted = slices.DeleteFunc(j.accepted.doubted, func(c *call) bool { return j.accept(c.ended, c) })
}

// deceived finds the calls whose result no honest replica gave. If one has
// executed the operation at that height and its answer was never told, nothing
// is held against the result.
func (j *Judge) deceived() []*call {
	j.settleAccepted()
	var found []*call
	for _, c := range j.accepted.doubted {
		if c.unordered {
			if c.past == pastLacks {
				found = append(found, c)
			}
			continue
		}
		o := j.ledger.of(c.client, c.op)
		executed := slices.ContainsFunc(o.places, func(p place) bool { return p.seq == c.seq })
		answered := slices.ContainsFunc(o.answers, func(t told) bool { return t.seq == c.seq })
		if answered || !executed && !j.untold(c) {
			found = append(found, c)
		}
	}
	return found
}

// untold reports whether the height of a result may have been executed without
// the judge being told.
func (j *Judge) untold(c *call) bool {
	if j.partial {
		return true
	}
	_, known := j.agreement.batches[c.seq]
	return !known && c.ended > j.until
}

// denied finds the first call that was executed against what its caller was
// told.
func (j *Judge) denied() *call {
	for _, c := range j.accepted.order {
		if c.declined && len(j.ledger.of(c.client, c.op).places) > 0 {
			return c
		}
	}
	return nil
}

// missing finds the first believed result of a height that no honest replica
// committed: a height that was believed and then given to others shows as a
// fork, one that nobody executed shows here. What a liar executed first may reach
// the honest in a state alone, and they answer out of that.
func (j *Judge) missing() *call {
	for _, c := range j.accepted.held {
		if _, known := j.agreement.batches[c.seq]; !known && !j.untold(c) && c.seq > j.taken {
			return c
		}
	}
	return nil
}
