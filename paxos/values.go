package paxos

import (
	"encoding/binary"
	"maps"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/paxos/synod"
)

// value is what stands in a slot.
type value struct {
	ballot synod.Ballot // under which it was voted for
	digest crypto.Digest
	batch  *consensus.Batch // nil is the null batch
}

// values are the bodies of which the acceptor and the learner know the digests.
type values struct {
	voted  map[consensus.Seq]value // of the acceptor's votes
	chosen map[consensus.Seq]value // of what is known to be chosen, and of a tail below the state on disk
}

func newValues() values {
	return values{voted: map[consensus.Seq]value{}, chosen: map[consensus.Seq]value{}}
}

// body finds the batch with a digest at a slot.
func (v *values) body(n consensus.Seq, d crypto.Digest) (value, bool) {
	if d == consensus.NullDigest {
		return value{digest: d}, true
	}
	for _, of := range []map[consensus.Seq]value{v.chosen, v.voted} {
		if x, ok := of[n]; ok && x.digest == d {
			return x, true
		}
	}
	return value{}, false
}

// tailBytes bounds the values below the state on disk that stay in memory.
const tailBytes = 16 << 20

// cut drops the votes at or below n, where the state on disk is, and the chosen
// values more than a tail below it: one who is a little behind needs no state.
func (v *values) cut(n consensus.Seq, window consensus.Seq) {
	maps.DeleteFunc(v.voted, func(at consensus.Seq, _ value) bool { return at <= n })
	from, bytes := n+1, 0
	for from > 1 && n+1-from < window && bytes < tailBytes {
		x, ok := v.chosen[from-1]
		if !ok {
			break
		}
		if x.batch != nil {
			bytes += x.batch.Size()
		}
		from--
	}
	maps.DeleteFunc(v.chosen, func(at consensus.Seq, _ value) bool { return at < from })
}

// The kinds of records in the log on disk: the first byte.
const (
	recordPromise byte = iota + 1 // a promise, and the base: where votes were forgotten
	recordVote                    // a vote with its body
	recordCommit                  // what a COMMIT said: worth no sync, it is learnt again
)

// recordPromise writes down the promise and the base, behind where the log may be
// cut next: cutting writes them again.
func (r *replica) recordPromise() {
	base := r.acceptor.Base()
	r.out.Record(base+1, words(recordPromise, uint64(r.acceptor.Promised()), uint64(base)))
}

// recordVote writes down a vote, which is a promise as well.
func (r *replica) recordVote(n consensus.Seq, x value) {
	b := binary.BigEndian.AppendUint64([]byte{recordVote}, uint64(x.ballot))
	r.out.Record(n, appendBatch(binary.BigEndian.AppendUint64(b, uint64(n)), x.batch))
}

// recordCommit writes down, lazily, that all slots up to n are chosen: of what was
// accepted under b, at least.
func (r *replica) recordCommit(b synod.Ballot, n consensus.Seq) {
	r.out.RecordLazy(n, words(recordCommit, uint64(b), uint64(n)))
}
