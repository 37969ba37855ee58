package evidence

import (
	"cmp"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// What an Investigator keeps at most. A vote takes some 400 bytes.
const (
	maxStatements = 1 << 18
	maxViewFrames = 512
	maxViewBytes  = 4 << 20 // or one frame, should that be larger
)

// spoken is a vote that was verified.
type spoken struct {
	place
	said crypto.Digest
	sig  crypto.Signature
}

func (s *spoken) frame() []byte {
	v := voteOf(s.place, s.said, s.sig)
	return v.frame()
}

// matter is what the voters of a certificate agree on.
type matter struct {
	kind byte
	view consensus.View
	seq  consensus.Seq
	said crypto.Digest
}

// record holds verified votes.
type record struct {
	limit   int
	all     []spoken // in the order in which they came
	firsts  map[place]int
	signers map[matter]uint64             // by id, consensus.MaxReplicas of them at most
	commits map[consensus.ReplicaID][]int // positions of COMMITs, ascending by slot
}

func (r *record) reset() {
	if r.limit == 0 {
		r.limit = maxStatements
	}
	r.firsts, r.signers, r.commits = map[place]int{}, map[matter]uint64{}, map[consensus.ReplicaID][]int{}
}

// has reports whether these very words under this very signature are known to
// be signed, so that it need not be verified again.
func (r *record) has(s *statement) bool {
	first, ok := r.first(s.place)
	return ok && first.said == s.said && first.sig == s.sig
}

// first is what was heard first for a place.
func (r *record) first(p place) (*spoken, bool) {
	at, ok := r.firsts[p]
	if !ok {
		return nil, false
	}
	return &r.all[at], true
}

// add keeps a verified vote. It answers who has said the same by now; fresh is
// false if this signer had.
func (r *record) add(s *statement) (signers uint64, fresh bool) {
	m := matter{s.kind, s.view, s.seq, s.said}
	if r.signers[m]>>s.signer&1 == 1 {
		return r.signers[m], false
	}
	if len(r.all) >= r.limit {
		r.forget()
	}
	r.all = append(r.all, spoken{s.place, s.said, s.sig})
	r.index(len(r.all) - 1)
	return r.signers[m], true
}

func (r *record) index(at int) {
	s := &r.all[at]
	if _, spoke := r.firsts[s.place]; !spoke {
		r.firsts[s.place] = at
	}
	r.signers[matter{s.kind, s.view, s.seq, s.said}] |= 1 << s.signer
	if s.kind == kindCommit {
		list := r.commits[s.signer]
		r.commits[s.signer] = slices.Insert(list, r.above(list, s.seq), at)
	}
}

// above is where in the list the slots above n begin.
func (r *record) above(list []int, n consensus.Seq) int {
	at, _ := slices.BinarySearchFunc(list, n, func(at int, n consensus.Seq) int {
		if c := cmp.Compare(r.all[at].seq, n); c != 0 {
			return c
		}
		return -1
	})
	return at
}

// commit finds the lowest COMMIT of a replica that matches, above slot low.
func (r *record) commit(id consensus.ReplicaID, low consensus.Seq, match func(*spoken) bool) (*spoken, bool) {
	list := r.commits[id]
	for _, at := range list[r.above(list, low):] {
		if match(&r.all[at]) {
			return &r.all[at], true
		}
	}
	return nil, false
}

// forget drops the older half.
func (r *record) forget() {
	r.all = slices.Clone(r.all[len(r.all)/2:])
	r.reset()
	for at := range r.all {
		r.index(at)
	}
}

// kept is a frame of views that its author has signed.
type kept struct {
	view     consensus.View
	said     crypto.Digest
	frame    []byte
	layout   viewChange // of a VIEW-CHANGE that has one
	convicts bool       // it is part of a proof already
}

// shelf is frames of views of one replica, the oldest first.
type shelf struct {
	kept  []kept
	bytes int
}

// add keeps k, and forgets the oldest beyond the bounds.
func (s *shelf) add(k kept) *kept {
	s.kept = append(s.kept, k)
	for s.bytes += len(k.frame); len(s.kept) > 1 && (len(s.kept) > maxViewFrames || s.bytes > maxViewBytes); {
		s.bytes -= len(s.kept[0].frame)
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	return &s.kept[len(s.kept)-1]
}
