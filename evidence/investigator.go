package evidence

import (
	"bytes"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Investigator reads transcripts, of any subset of replicas and in any order,
// and finds every proof in them that its bounds let it find. It believes
// nobody: what is not signed is counted and ignored, and what it finds it hands
// to Verify before it says so. A vote inside a certificate is a vote. Not safe
// for concurrent use.
//
// Bounds: maxStatements votes, and of each replica maxViewFrames VIEW-CHANGEs
// and as many NEW-VIEWs within maxViewBytes each; beyond them the older half of
// the votes, and the oldest frames, are forgotten.
type Investigator struct {
	judge     *judge
	verify    func(encoded []byte) (Fault, error)
	votes     record
	replicas  []viewFrames // by id
	seen      map[crypto.Digest]bool
	store     Store
	conflicts conflicts
	ignored   int
}

// viewFrames are the frames of one replica about views that are kept.
type viewFrames struct {
	viewChanges heldFrames // its VIEW-CHANGEs
	newViews    heldFrames // its NEW-VIEWs
}

// maxSeen bounds the frames of views that are not read a second time.
const maxSeen = 1 << 14

// provenMemory is how many verified signatures are remembered. Certificates
// repeat them, and VIEW-CHANGEs repeat certificates.
const provenMemory = 1 << 16

// NewInvestigator returns one that knows nothing yet. v is the authority over
// signatures; nil is Ed25519 by the genesis alone, as Verify has it. Callers
// with another one: simulations.
func NewInvestigator(g *consensus.Genesis, v crypto.Verifier) *Investigator {
	i := &Investigator{replicas: make([]viewFrames, len(g.Replicas)), seen: map[crypto.Digest]bool{}}
	i.verify = func(encoded []byte) (Fault, error) { return VerifyWith(v, g, encoded) }
	if v == nil {
		v = crypto.NewVerifier(crypto.NewMemory(provenMemory))
		i.verify = func(encoded []byte) (Fault, error) { return Verify(g, encoded) }
	}
	i.judge = newJudge(g, v)
	believe := i.judge.check
	i.judge.check = func(s *Statement) bool { return i.votes.has(s) || believe(s) }
	i.votes.reset()
	i.conflicts.quorum = i.judge.quorum
	return i
}

// Frame reads one frame of a transcript, whoever sent it. Frames that promise
// nothing and carry nothing signed are passed over.
func (i *Investigator) Frame(b []byte) {
	if len(b) == 0 || len(b) > consensus.MaxFrame {
		i.ignored++
		return
	}
	switch b[0] {
	case kindPrePrepare, kindPrepare, FrameCommit, FrameCheckpoint:
		if s, err := Read(i.judge.g, essence(b)); err == nil {
			i.vote(s)
		} else {
			i.ignored++
		}
	case kindViewChange:
		i.once(b, i.viewChange)
	case kindNewView:
		i.once(b, i.newView)
	case kindRejoinAnswer:
		i.once(b, i.rejoinAnswer)
	case kindFetchReply:
		i.Certificates(Certificate(b))
	}
}

// Certificates reads certificates that stand alone, one or several back to
// back, such as consensus.Commit.Certificate, or what a replica exports when
// it sees a fork.
func (i *Investigator) Certificates(b []byte) {
	for c := (cursor{b: b}); len(c.b) > 0 && !c.bad; {
		i.certificate(&c)
	}
}

// Proof takes an encoded proof that somebody else has found.
func (i *Investigator) Proof(encoded []byte) {
	fault, err := i.verify(encoded)
	if err != nil {
		i.ignored++
		return
	}
	i.store.Add(fault, encoded)
}

// Entries lists what is proven, with the proofs, by replica. The caller may
// keep the list.
func (i *Investigator) Entries() []Entry { return i.store.All() }

// culprits lists, ascending, whom the proofs name.
func (i *Investigator) Culprits() []consensus.ReplicaID { return i.store.culprits() }

// once reads a frame unless it was read before. They are re-sent word for word,
// and some are megabytes of signatures.
func (i *Investigator) once(b []byte, read func([]byte)) {
	name := crypto.Hash(b)
	if i.seen[name] {
		return
	}
	if len(i.seen) >= maxSeen {
		clear(i.seen)
	}
	i.seen[name] = true
	read(b)
}

// certificate takes a certificate off the front of c for the votes in it.
func (i *Investigator) certificate(c *cursor) {
	x := c.certificate()
	if c.bad || x.kind < certPrepared || x.kind > certCheckpoint {
		c.bad = true
		i.ignored++
		return
	}
	i.certified(&x)
}

func (i *Investigator) certified(x *certificate) {
	if x.seq == 0 || x.kind == certCheckpoint && x.view != 0 {
		i.ignored++
		return
	}
	for _, s := range x.votes(i.judge.g) {
		i.vote(s)
	}
}

// vote takes a vote that may be news: it may be the second of its signer for
// the place, complete a certificate, or be missing from a VIEW-CHANGE.
func (i *Investigator) vote(s Statement) {
	if i.votes.has(&s) {
		return
	}
	if !i.judge.check(&s) {
		i.ignored++
		return
	}
	first, before := i.votes.first(s.Place)
	signers, fresh := i.votes.add(&s)
	if !fresh {
		return // another signature under the same words contradicts nothing
	}
	if before {
		i.prove(Contradiction{First: first.frame(), Second: s.frame()})
	}
	i.conflicts.count(&s, signers)
	if s.Kind == FrameCommit {
		i.omitted(&s)
	}
}

// omitted looks for VIEW-CHANGEs that do not show what a COMMIT obliges to.
func (i *Investigator) omitted(s *Statement) {
	leaves := i.replicas[s.Signer].viewChanges.frames
	for k := range leaves {
		if l := &leaves[k]; !l.convicts && l.layout.omits(s.View, s.Seq, s.Digest) {
			l.convicts = true
			i.prove(Omission{Commit: s.frame(), ViewChange: l.frame})
		}
	}
}

func (i *Investigator) viewChange(b []byte) {
	vc, err := readViewChange(b)
	if err == nil {
		if vc.checkpoint != nil {
			i.certified(vc.checkpoint)
		}
		for k := range vc.prepared {
			i.certified(&vc.prepared[k])
		}
	}
	news := i.hold(b, vc)
	if news == nil {
		return
	}
	if commit, found := i.votes.commit(vc.signer, vc.low, func(c *vote) bool { return vc.omits(c.View, c.Seq, c.digest) }); found {
		news.convicts = true
		i.prove(Omission{Commit: commit.frame(), ViewChange: b})
	}
}

func (i *Investigator) newView(b []byte) {
	if nv, err := readNewView(b); err == nil {
		for _, frame := range nv.viewChanges {
			if len(frame) > 0 && frame[0] == kindViewChange {
				i.once(frame, i.viewChange)
			}
		}
		for _, s := range nv.votes(i.judge.g) {
			if s.Seq > 0 && member(i.judge.g, s.Signer) == nil {
				i.vote(s)
			}
		}
	}
	i.hold(b, viewChange{})
}

// rejoinAnswer carries a checkpoint certificate, a NEW-VIEW and a VIEW-CHANGE,
// each of which may be empty.
func (i *Investigator) rejoinAnswer(b []byte) {
	c := cursor{b: b[1:]}
	c.take(8 + 1 + 8) // nonce, flag, view
	checkpoint, opens, leaves := c.lengthy(), c.lengthy(), c.lengthy()
	if c.bad || len(c.b) > 0 {
		i.ignored++
		return
	}
	i.Certificates(checkpoint)
	for _, frame := range [][]byte{opens, leaves} {
		if len(frame) > 0 && (frame[0] == kindNewView || frame[0] == kindViewChange) {
			i.Frame(frame)
		}
	}
}

// hold keeps a frame of views that its author has signed, and finds what the same
// one has said otherwise in the same view, and that the frame does not hold. It
// answers nil if the very same is kept already.
func (i *Investigator) hold(b []byte, layout viewChange) *heldFrame {
	said, err := Read(i.judge.g, b)
	if err != nil || !i.judge.check(&said) {
		i.ignored++
		return nil
	}
	s := &i.replicas[said.Signer].viewChanges
	if said.Kind == kindNewView {
		s = &i.replicas[said.Signer].newViews
	}
	other := -1
	for k := range s.frames {
		switch {
		case s.frames[k].view != said.View:
		case s.frames[k].digest == said.Digest:
			return nil
		default:
			other = k
		}
	}
	if other >= 0 {
		i.prove(Contradiction{First: s.frames[other].frame, Second: b})
	}
	if i.judge.founded(b) != nil {
		i.prove(Unfounded{Frame: b})
	}
	layout.checkpoint = nil // what is kept must not hold on to the caller's bytes
	for k := range layout.prepared {
		layout.prepared[k].signed = nil
	}
	return s.add(heldFrame{view: said.View, digest: said.Digest, frame: bytes.Clone(b), layout: layout})
}

// prove has a proof judged by the one way that counts, and stores it.
func (i *Investigator) prove(p Proof) {
	encoded := p.Encode()
	if fault, err := i.verify(encoded); err == nil {
		i.store.Add(fault, encoded)
	}
}
