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

// vote is a vote that was verified.
type vote struct {
	Place
	digest crypto.Digest
	sig    crypto.Signature
}

func (s *vote) frame() []byte {
	v := voteOf(s.Place, s.digest, s.sig)
	return v.frame()
}

// subject is what the voters of a certificate agree on.
type subject struct {
	kind   byte
	view   consensus.View
	seq    consensus.Seq
	digest crypto.Digest
}

// record holds verified votes.
type record struct {
	limit   int
	all     []vote // in the order in which they came
	firsts  map[Place]int
	signers map[subject]uint64            // by id, consensus.MaxReplicas of them at most
	commits map[consensus.ReplicaID][]int // positions of COMMITs, ascending by slot
}

func (r *record) reset() {
	r.limit = cmp.Or(r.limit, maxStatements)
	r.firsts, r.signers, r.commits = map[Place]int{}, map[subject]uint64{}, map[consensus.ReplicaID][]int{}
}

// has reports whether these very words under this very signature are known to
// be signed, so that it need not be verified again.
func (r *record) has(s *Statement) bool {
	first, ok := r.first(s.Place)
	return ok && first.digest == s.Digest && first.sig == s.sig
}

// first is what was heard first for a place.
func (r *record) first(p Place) (*vote, bool) {
	at, ok := r.firsts[p]
	if !ok {
		return nil, false
	}
	return &r.all[at], true
}

// add keeps a verified vote. It answers which signers have said the same by now; fresh is
// false if this signer had.
func (r *record) add(s *Statement) (signers uint64, fresh bool) {
	m := subject{s.Kind, s.View, s.Seq, s.Digest}
	if r.signers[m]>>s.Signer&1 == 1 {
		return r.signers[m], false
	}
	if len(r.all) >= r.limit {
		r.forget()
	}
	r.all = append(r.all, vote{s.Place, s.Digest, s.sig})
	r.index(len(r.all) - 1)
	return r.signers[m], true
}

func (r *record) index(at int) {
	s := &r.all[at]
	if _, spoke := r.firsts[s.Place]; !spoke {
		r.firsts[s.Place] = at
	}
	r.signers[subject{s.Kind, s.View, s.Seq, s.digest}] |= 1 << s.Signer
	if s.Kind == FrameCommit {
		list := r.commits[s.Signer]
		r.commits[s.Signer] = slices.Insert(list, r.above(list, s.Seq), at)
	}
}

// above is where in the list the slots above n begin.
func (r *record) above(list []int, n consensus.Seq) int {
	at, _ := slices.BinarySearchFunc(list, n, func(at int, n consensus.Seq) int {
		return cmp.Or(cmp.Compare(r.all[at].Seq, n), -1)
	})
	return at
}

// commit finds the lowest COMMIT of a replica that matches, above slot low.
func (r *record) commit(id consensus.ReplicaID, low consensus.Seq, match func(*vote) bool) (*vote, bool) {
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

// heldFrame is a VIEW-CHANGE or NEW-VIEW that its author has signed.
type heldFrame struct {
	view     consensus.View
	digest   crypto.Digest
	frame    []byte
	layout   viewChange // of a VIEW-CHANGE that has one
	convicts bool       // it is part of a proof already
}

// heldFrames are such frames of one replica, the oldest first.
type heldFrames struct {
	frames []heldFrame
	bytes  int
}

// add keeps k, and forgets the oldest beyond the bounds.
func (s *heldFrames) add(k heldFrame) *heldFrame {
	s.frames = append(s.frames, k)
	for s.bytes += len(k.frame); len(s.frames) > 1 && (len(s.frames) > maxViewFrames || s.bytes > maxViewBytes); {
		s.bytes -= len(s.frames[0].frame)
		s.frames = slices.Delete(s.frames, 0, 1)
	}
	return &s.frames[len(s.frames)-1]
}
