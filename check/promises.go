package check

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// promises judges that no honest replica ever contradicts a statement that it
// signed, in any of its lives. Frames count when they leave a replica: a
// promise that died with its process before it was sent was never made. It has
// the content that came first for what a signer may fill in only once, which is
// a promise without its content.
type promises map[protocol.Promise]crypto.Digest

// promised enters a promise. Its signer counts, not who relays it; but of what
// traitors pass on in the name of the honest nothing is believed, for what the
// honest said they sent themselves.
func (j *Judge) promised(at consensus.Time, by consensus.ReplicaID, p protocol.Promise) {
	if !j.honest(p.Signer) || !j.honest(by) {
		return
	}
	key := p
	key.Content = crypto.Digest{}
	old, known := j.promises[key]
	if !known {
		j.promises[key] = p.Content
		return
	}
	if old != p.Content {
		j.violate(at, Contradiction, "R%d signed %s and %s for kind %#x v=%d n=%d; R%d sends the second",
			p.Signer, old.Short(), p.Content.Short(), p.Kind, p.View, p.Seq, by)
	}
}

// floors judges that what an honest replica said to be over never counts again with
// it, in any of its lives. It has the highest view in which each gave an answer
// that it is held to.
type floors map[consensus.ReplicaID]consensus.View

// stands enters an answer that a replica gives. Only it knows in which order it gave
// them: what others had of them does not count.
func (j *Judge) stands(at consensus.Time, by consensus.ReplicaID, f protocol.Floor) {
	if !j.honest(by) {
		return
	}
	if over := j.floors[by]; f.View < over {
		j.violate(at, Contradiction, "R%d has answered in %d, and answers in %d, which it said to be over", by, over, f.View)
	}
	if f.Kept {
		j.floors[by] = max(j.floors[by], f.View)
	}
}
