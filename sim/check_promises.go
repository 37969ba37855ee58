package sim

import (
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
)

// promises judges that no replica ever contradicts a statement that it signed,
// in any of its lives. Frames count when they leave a replica: a promise that
// died with its process before it was sent was never made.
type promises struct {
	first map[statement]crypto.Digest
}

// statement is what a signer may fill in only once.
type statement struct {
	signer consensus.ReplicaID
	kind   uint8
	view   consensus.View
	seq    consensus.Seq
}

func newPromises() promises { return promises{first: map[statement]crypto.Digest{}} }

// made enters a promise. Its signer counts, not who relays it.
func (p *promises) made(r *replica, m Promise, frame []byte, w *World) string {
	key := statement{signer: m.Signer, kind: m.Kind, view: m.View, seq: m.Seq}
	old, known := p.first[key]
	if known && old != m.Content {
		return fmt.Sprintf("CONTRADICTION: R%d signed %s and %s for kind %d v=%d n=%d; %v sends %s",
			m.Signer, old.Short(), m.Content.Short(), m.Kind, m.View, m.Seq, r, w.describe(frame))
	}
	p.first[key] = m.Content
	return ""
}
