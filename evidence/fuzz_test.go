package evidence

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft/message"
)

// allocated is how many bytes f asks for.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Arbitrary transcripts: nothing panics, whoever is convicted is convicted to
// Verify, too, and memory is bounded by what was read.
func FuzzInvestigate(f *testing.F) {
	c := newCluster(f)
	known := c.committed(0, 1, a, 0, 1, 2).Encode()
	for _, all := range forks(f) {
		for _, x := range all {
			for _, frame := range x.frames {
				f.Add(frame)
			}
		}
	}
	for _, p := range c.proofs() {
		f.Add(p.Encode())
	}
	f.Add(known)
	f.Fuzz(func(t *testing.T, b []byte) {
		i := NewInvestigator(&c.Genesis, nil)
		i.Certificates(known)
		size := allocated(func() {
			i.Frame(b)
			i.Certificates(b)
			i.Proof(b)
		})
		if limit := uint64(1<<18 + 512*len(b)); size > limit {
			t.Errorf("%d bytes allocated for %d", size, len(b))
		}
		for _, e := range i.Entries() {
			if got, err := Verify(&c.Genesis, e.Encoded); err != nil || got != e.Fault {
				t.Errorf("%s: %s, %v", e.Fault, got, err)
			}
		}
	})
}

// VIEW-CHANGEs of arbitrary content, truly signed by whom they name: what the
// replicas accept convicts nobody, and what they refuse convicts its signer.
func FuzzSignedViewChange(f *testing.F) {
	c := newCluster(f)
	seeds := [][]byte{c.leave(2, 2, c.stable(2, a, 0, 1, 2), c.prepared(0, 3, a, 0, 1, 2), c.prepared(1, 6, a, 1, 2, 3)).Frame, c.leave(1, 3, nil).Frame}
	for _, p := range c.proofs() {
		if u, ok := p.(Unfounded); ok && u.Frame[0] == kindViewChange {
			seeds = append(seeds, u.Frame)
		}
	}
	for _, frame := range seeds {
		f.Add(frame[:len(frame)-crypto.SignatureSize])
	}
	verifier := crypto.NewVerifier(crypto.NewMemory(1 << 10))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < minViewChange-crypto.SignatureSize || len(body) > 1<<16 || body[0] != kindViewChange {
			return
		}
		id := consensus.ReplicaID(binary.BigEndian.Uint16(body[len(body)-signerSize:]))
		if member(&c.Genesis, id) != nil || binary.BigEndian.Uint64(body[viewAt:]) == 0 {
			return // not a frame of anybody's
		}
		frame := c.seal(id, kindViewChange, body)
		o := c.Open(verifier, nil, []consensus.Frame{{From: consensus.ReplicaPeer(id), Bytes: frame}})[0]
		fault, err := Verify(&c.Genesis, Unfounded{frame}.Encode())
		switch {
		case o.Event != nil && !errors.Is(err, ErrFounded):
			t.Errorf("replicas take %s, the verifier says %v, %v", c.Describe(frame), fault, err)
		case o.Event == nil && err != nil:
			t.Errorf("replicas refuse it (%s), the verifier says %v", o.Reason, err)
		}
		if o.Event == nil {
			return
		}
		vc := o.Event.(consensus.Receive).Message.(*message.ViewChange)
		own, err := readViewChange(frame)
		if err != nil || own.view != vc.View || own.low != vc.Low || len(own.prepared) != len(vc.Prepared) || own.signer != vc.Replica {
			t.Errorf("read as %+v, %v; it is %s", own, err, c.Describe(frame))
		}
	})
}
