package check

import (
	"bytes"
	"math/bits"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/evidence"
	"quorate.dev/quorate/protocol"
)

// ballots recounts the votes that make certificates, over everything that
// anybody sent: two certificates for one height are a fork even if nobody
// executed it. Frames, signatures and the size of a quorum it has from package
// evidence, which shares nothing with the replicas, so that a mistake in theirs
// shows.
type ballots struct {
	cluster crypto.Digest
	quorum  int
	voters  map[ballot]uint64
	decided map[box]crypto.Digest // the first certificate of each height
}

// box is where votes are cast: one kind of certificate at one height.
type box struct {
	kind byte
	seq  consensus.Seq
}

// ballot is a digest that is voted for in one view.
type ballot struct {
	box
	view   consensus.View
	digest crypto.Digest
}

func newBallots(g *consensus.Genesis) ballots {
	return ballots{cluster: g.ID(), quorum: evidence.Quorum(g), voters: map[ballot]uint64{}, decided: map[box]crypto.Digest{}}
}

// heard reads a frame that is signed: the promise that it makes, and the votes
// in it.
func (j *Judge) heard(at consensus.Time, by consensus.ReplicaID, frame []byte) {
	kept := evidence.Relevant(frame)
	if kept == nil {
		return
	}
	if len(kept) < len(frame) {
		kept = bytes.Clone(kept) // and not the batch
	}
	j.transcript.keep(j, evidenceItem{bytes: kept})
	j.certified(at, by, evidence.Certificate(kept))
	if s, err := evidence.Read(&j.cfg.Genesis, kept); err == nil {
		j.promised(at, by, protocol.Promise{Signer: s.Signer, Kind: s.Kind, View: s.View, Seq: s.Seq, Content: s.Digest})
		j.cast(at, by, &s)
	}
}

// proven hears of a certificate that stands alone.
func (j *Judge) proven(at consensus.Time, by consensus.ReplicaID, certificate []byte) {
	if j.convicts && len(certificate) > 0 {
		j.transcript.keep(j, evidenceItem{bytes: certificate, alone: true})
		j.certified(at, by, certificate)
	}
}

// certified casts the votes of a certificate.
func (j *Judge) certified(at consensus.Time, by consensus.ReplicaID, certificate []byte) {
	for _, s := range evidence.Votes(&j.cfg.Genesis, certificate) {
		j.cast(at, by, &s)
	}
}

// cast counts a vote of commits or checkpoints that somebody sent, if its signer
// signed it. What an honest replica sends of its own needs no proof.
func (j *Judge) cast(at consensus.Time, by consensus.ReplicaID, s *evidence.Statement) {
	if s.Kind != evidence.FrameCommit && s.Kind != evidence.FrameCheckpoint {
		return
	}
	b := &j.ballots
	key := ballot{box{s.Kind, s.Seq}, s.View, s.Digest}
	if b.voters[key]>>s.Signer&1 == 1 {
		return
	}
	if (by != s.Signer || !j.honest(by)) && !s.SignedBy(j.cfg.Verifier, &j.cfg.Genesis, b.cluster) {
		return
	}
	b.voters[key] |= 1 << s.Signer
	if bits.OnesCount64(b.voters[key]) == b.quorum {
		j.elected(at, &key)
	}
}

// elected judges a complete certificate against the first one of its height,
// and against what was executed.
func (j *Judge) elected(at consensus.Time, v *ballot) {
	first, known := j.ballots.decided[v.box]
	if !known {
		j.ballots.decided[v.box] = v.digest
		first = v.digest
	}
	what := "batches"
	if v.kind == evidence.FrameCheckpoint {
		what = "states"
	}
	if first != v.digest {
		j.fork(at, v.seq, "two certificates at %d, for the %s %s and %s (v=%d)", v.seq, what, first.Short(), v.digest.Short(), v.view)
		return
	}
	if done, ok := j.agreement.batches[v.seq]; ok && v.kind == evidence.FrameCommit && done.digest != v.digest {
		j.fork(at, v.seq, "at %d R%d executes %s, and there is a certificate for %s (v=%d)", v.seq, done.who, done.digest.Short(), v.digest.Short(), v.view)
	}
}
