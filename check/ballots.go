package check

import (
	"encoding/binary"
	"math/bits"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// ballots recounts the votes that make certificates, over everything that
// anybody sent: two certificates for one height are a fork even if nobody
// executed it. It has its own arithmetic and its own eyes for signatures, so
// that a mistake in those of the replicas shows.
type ballots struct {
	cluster  crypto.Digest
	quorum   int
	boxes    map[box][]ballot
	decided  map[box]crypto.Digest // the first certificate of each height
	replicas int
}

// box is where votes are cast: one kind of certificate at one height. Views
// have ballots of their own within it.
type box struct {
	kind byte
	seq  consensus.Seq
}

// ballot is who voted for one digest in one view.
type ballot struct {
	view   consensus.View
	digest crypto.Digest
	voters uint64
}

func newBallots(g *consensus.Genesis) ballots {
	return ballots{
		cluster: g.ID(), quorum: certificateSize(g), replicas: len(g.Replicas),
		boxes: map[box][]ballot{}, decided: map[box]crypto.Digest{},
	}
}

// certificateSize is q: the least number whose majority outweighs the faulty,
// or what the genesis has in its place.
func certificateSize(g *consensus.Genesis) int {
	n, f := len(g.Replicas), faults(g)
	if g.Quorum != 0 {
		return g.Quorum
	}
	q := 1
	for 2*q <= n+f && q < n {
		q++
	}
	return q
}

// faults is f: how many may lie, or are to be borne.
func faults(g *consensus.Genesis) int {
	if g.Faults != 0 {
		return g.Faults
	}
	return (len(g.Replicas) - 1) / 3
}

// vote is one signed vote towards a certificate.
type vote struct {
	box
	view   consensus.View
	digest crypto.Digest
	signer consensus.ReplicaID
	sig    crypto.Signature
}

// cast counts a vote that somebody sent, if its signer signed it. What an
// honest replica sends of its own needs no proof.
func (j *Judge) cast(at consensus.Time, by consensus.ReplicaID, v *vote) {
	b := &j.ballots
	if int(v.signer) >= b.replicas || v.signer >= consensus.MaxReplicas {
		return
	}
	list := b.boxes[v.box]
	i := 0
	for i < len(list) && (list[i].view != v.view || list[i].digest != v.digest) {
		i++
	}
	if i < len(list) && list[i].voters>>v.signer&1 == 1 {
		return
	}
	if (by != v.signer || !j.honest(by)) && !j.signed(v) {
		return
	}
	if i == len(list) {
		list = append(list, ballot{view: v.view, digest: v.digest})
		b.boxes[v.box] = list
	}
	list[i].voters |= 1 << v.signer
	if ones(list[i].voters) == b.quorum {
		j.elected(at, v)
	}
}

// elected judges a complete certificate against the first one of its height,
// and against what was executed.
func (j *Judge) elected(at consensus.Time, v *vote) {
	first, known := j.ballots.decided[v.box]
	if !known {
		j.ballots.decided[v.box] = v.digest
		first = v.digest
	}
	what := "batches"
	if v.kind == kindCheckpoint {
		what = "states"
	}
	if first != v.digest {
		j.fork(at, v.seq, "two certificates at %d, for the %s %s and %s (v=%d)", v.seq, what, first.Short(), v.digest.Short(), v.view)
		return
	}
	if done, ok := j.agreement.batches[v.seq]; ok && v.kind == kindCommit && done.digest != v.digest {
		j.fork(at, v.seq, "at %d R%d executes %s, and there is a certificate for %s (v=%d)", v.seq, done.who, done.digest.Short(), v.digest.Short(), v.view)
	}
}

// signed verifies a vote.
func (j *Judge) signed(v *vote) bool {
	body := append(make([]byte, 0, voteBody), v.kind)
	body = binary.BigEndian.AppendUint64(body, uint64(v.view))
	body = binary.BigEndian.AppendUint64(body, uint64(v.seq))
	body = append(body, v.digest[:]...)
	body = binary.BigEndian.AppendUint16(body, uint16(v.signer))
	tag := "quorate/1/commit"
	if v.kind == kindCheckpoint {
		tag = "quorate/1/checkpoint"
	}
	g := &j.cfg.Genesis
	ok := j.cfg.Verifier.Verify([]crypto.Claim{{
		Key: g.Replicas[v.signer], Domain: crypto.Domain{Tag: tag, Cluster: j.ballots.cluster, Epoch: g.Epoch}, Body: body, Signature: v.sig,
	}})
	return len(ok) == 1 && ok[0]
}

func ones(set uint64) int { return bits.OnesCount64(set) }

func appendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }
