package sim

import (
	"bytes"
	"fmt"
	"sort"

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

// sortedDigests lists the keys of m in order: maps have none.
func sortedDigests[V any](m map[crypto.Digest]V) []crypto.Digest {
	keys := make([]crypto.Digest, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return bytes.Compare(keys[i][:], keys[j][:]) < 0 })
	return keys
}
