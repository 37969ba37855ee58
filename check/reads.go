package check

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Found hears of an answer to a READ that left a replica which does not lie, with
// what was asked. One whose disk was set back counts, too: where one member is
// believed, nobody else may have answered, and the order of calls tells whether
// it knew enough.
// Where nobody tells of answers, as in the logs of a real run, and of those that
// nobody honest gave, the agreed history decides: see settleReads.
func (j *Judge) Found(client crypto.PublicKey, ops [][]byte, f *consensus.Finding) {
	if len(ops) != len(f.Results) {
		return
	}
	for i, op := range ops {
		o := j.ledger.of(client, op)
		t := told{seq: f.Height, code: f.Results[i].Code, data: string(f.Results[i].Data)}
		if !slices.Contains(o.found, t) {
			o.found = append(o.found, t)
		}
	}
}

// Finds says that the answers to READs are told.
func (j *Judge) Finds() { j.accepted.finds = true }

// ReturnedUnordered hears that a caller believes what a READ has found in a
// state of height n or above. All that had been answered before the call stands
// at or below n.
func (j *Judge) ReturnedUnordered(at consensus.Time, id CallID, n consensus.Seq, result consensus.Result) {
	if c := j.accepted.calls[id]; c != nil {
		c.unordered = true
		j.accepted.unordered = true
	}
	j.Returned(at, id, n, result)
}

// found reports whether an honest replica found that result, in a state that is
// not older than the height that the caller goes by. Where answers are not told, what
// can be read again is doubted until then.
func (j *Judge) found(c *call) bool {
	if !j.accepted.finds {
		return !j.readable(c)
	}
	return slices.ContainsFunc(j.ledger.of(c.client, c.op).found, func(t told) bool {
		return t.seq >= c.seq && t.code == c.result.Code && t.data == string(c.result.Data)
	})
}
