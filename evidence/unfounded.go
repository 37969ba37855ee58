package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Unfounded is one frame that refutes itself: a VIEW-CHANGE whose certificates
// do not hold, or a NEW-VIEW whose V is not q valid VIEW-CHANGEs or whose O does
// not follow from V. An honest replica puts nothing into either that it has not
// verified or signed itself, and computes O as everybody does.
type Unfounded struct{ Frame []byte }

// Encode implements Proof.
func (u Unfounded) Encode() []byte { return encode(formatUnfounded, u.Frame) }

func newUnfounded(frame []byte) (Proof, error) {
	if len(frame) == 0 || frame[0] != kindViewChange && frame[0] != kindNewView {
		return nil, fmt.Errorf("unfounded: not a VIEW-CHANGE or NEW-VIEW: %w", consensus.ErrMalformed)
	}
	return Unfounded{Frame: frame}, nil
}

func (u Unfounded) judge(j *judge) (Fault, error) {
	s, err := Read(j.g, u.Frame)
	if err != nil {
		return Fault{}, err
	}
	if err := j.signed(&s); err != nil { // before work that only its author can have made for us
		return Fault{}, err
	}
	if j.founded(u.Frame) == nil {
		return Fault{}, ErrFounded
	}
	return Fault{Replica: s.Signer, Kind: KindUnfounded, What: kinds[s.Kind].name, View: s.View}, nil
}

// errUnfounded is what is wrong with a frame of views.
var errUnfounded = errors.New("no honest replica signs this")

func unfounded(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errUnfounded)
}

// maxView bounds the views that anybody goes for (PROTOCOL.md §2).
const maxView consensus.View = 1 << 62

// founded judges what stands inside a VIEW-CHANGE or NEW-VIEW; nil if it holds.
func (j *judge) founded(frame []byte) error {
	if frame[0] == kindNewView {
		return j.newView(frame)
	}
	_, err := j.viewChange(frame)
	return err
}

// viewChange: C proves h, and each entry of P is a certificate with v < v',
// h < n <= h+L, one per n, ascending (PROTOCOL.md §6).
func (j *judge) viewChange(frame []byte) (viewChange, error) {
	vc, err := readViewChange(frame)
	if err != nil {
		return vc, err
	}
	if vc.view > maxView {
		return vc, unfounded("view %d is out of everybody's reach", vc.view)
	}
	if vc.checkpoint != nil {
		if err := j.certificate(vc.checkpoint, certCheckpoint); err != nil {
			return vc, err
		}
		if vc.checkpoint.seq != vc.low {
			return vc, unfounded("checkpoint %d does not prove h=%d", vc.checkpoint.seq, vc.low)
		}
	}
	last := vc.low
	for i := range vc.prepared {
		p := &vc.prepared[i]
		if p.view >= vc.view || p.seq <= last || p.seq-vc.low > j.g.Window {
			return vc, unfounded("entry v=%d n=%d in a VIEW-CHANGE for v=%d with h=%d", p.view, p.seq, vc.view, vc.low)
		}
		if err := j.certificate(p, certPrepared); err != nil {
			return vc, err
		}
		last = p.seq
	}
	return vc, nil
}

// certificate: exactly q votes of distinct members, ascending, all signed; one
// of them the primary's, if it is about what prepared.
func (j *judge) certificate(x *certificate, kind byte) error {
	votes := x.votes(j.g)
	if x.kind != kind || kind == certCheckpoint && x.view != 0 || len(x.signed) != j.quorum*signedSize || len(votes) != j.quorum {
		return unfounded("certificate of kind %d for v=%d n=%d with %d votes of members", x.kind, x.view, x.seq, len(votes))
	}
	proposed := kind != certPrepared
	for i := range votes {
		s := &votes[i]
		if i > 0 && votes[i-1].Signer >= s.Signer {
			return unfounded("certificate for n=%d: signers %d and %d", x.seq, votes[i-1].Signer, s.Signer)
		}
		proposed = proposed || s.Kind == kindPrePrepare
		if !j.check(s) {
			return unfounded("certificate for n=%d: not signed by replica %d", x.seq, s.Signer)
		}
	}
	if !proposed {
		return unfounded("certificate for v=%d n=%d without its PRE-PREPARE", x.view, x.seq)
	}
	return nil
}

// newView: V is q valid VIEW-CHANGEs for the view, of distinct replicas, and O
// is what follows from them.
func (j *judge) newView(frame []byte) error {
	nv, err := readNewView(frame)
	if err != nil {
		return err
	}
	if len(nv.viewChanges) != j.quorum {
		return unfounded("NEW-VIEW for v=%d with %d VIEW-CHANGEs", nv.view, len(nv.viewChanges))
	}
	vcs := make([]viewChange, 0, len(nv.viewChanges))
	for i, b := range nv.viewChanges {
		s, err := Read(j.g, b)
		if err != nil {
			return err
		}
		if s.Kind != kindViewChange || s.View != nv.view || i > 0 && vcs[i-1].signer >= s.Signer || !j.check(&s) {
			return unfounded("NEW-VIEW for v=%d: its VIEW-CHANGE %d", nv.view, i+1)
		}
		vc, err := j.viewChange(b)
		if err != nil {
			return err
		}
		vcs = append(vcs, vc)
	}
	first, chosen := follow(vcs)
	if len(chosen) != len(nv.proposals) {
		return unfounded("NEW-VIEW for v=%d: %d proposals, %d follow", nv.view, len(nv.proposals), len(chosen))
	}
	for i, s := range nv.votes(j.g) {
		if s.Seq != first+consensus.Seq(i) || s.Digest != chosen[i] || !j.check(&s) {
			return unfounded("NEW-VIEW for v=%d: its proposal at n=%d", nv.view, s.Seq)
		}
	}
	return nil
}

// follow computes once more which slots a view must propose again, from the
// first one on: above the highest h, up to the highest n in any P, each with
// the digest that prepared in the highest view, or null. Should two have
// prepared in one view, the lesser digest is taken (as by viewchange.Select).
// The VIEW-CHANGEs hold, so the list is no longer than a window.
func follow(vcs []viewChange) (first consensus.Seq, chosen []crypto.Digest) {
	var low, high consensus.Seq
	for i := range vcs {
		low = max(low, vcs[i].low)
	}
	best := map[consensus.Seq]*certificate{}
	for i := range vcs {
		for k := range vcs[i].prepared {
			p := &vcs[i].prepared[k]
			high = max(high, p.seq)
			if b := best[p.seq]; b == nil || p.view > b.view || p.view == b.view && bytes.Compare(p.digest[:], b.digest[:]) < 0 {
				best[p.seq] = p
			}
		}
	}
	for n := low; n < high; {
		n++
		d := consensus.NullDigest
		if b := best[n]; b != nil {
			d = b.digest
		}
		chosen = append(chosen, d)
	}
	return low + 1, chosen
}
