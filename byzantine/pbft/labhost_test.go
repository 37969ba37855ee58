package pbft

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

func root(digests []crypto.Digest) crypto.Digest { return crypto.Hash(encodeState(digests)) }

func encodeState(digests []crypto.Digest) []byte {
	b := []byte("state")
	for _, d := range digests {
		b = append(b, d[:]...)
	}
	return b
}

func (l *lab) read(d *desk, r consensus.ChunkRead) consensus.Event {
	if int(r.Seq) > len(d.digests) || root(d.digests[:r.Seq]) != r.Root {
		return consensus.Chunk{Read: r, Gone: true}
	}
	return consensus.Chunk{Read: r, Parts: []consensus.Part{{ID: "state", Bytes: encodeState(d.digests[:r.Seq])}}}
}

func (l *lab) perform(d *desk, job consensus.Job) []consensus.Event {
	switch job := job.(type) {
	case consensus.Commit:
		if int(job.Seq) != len(d.digests)+1 {
			l.t.Fatalf("executes %d after %d", job.Seq, len(d.digests))
		}
		d.digests = append(d.digests, job.Digest)
		if !d.traitor {
			l.compare(job.Seq, job.Digest)
		}
		if job.Batch != nil {
			l.batches[job.Digest] = job.Batch
		}
		e := consensus.Executed{Seq: job.Seq}
		if job.Seq%l.genesis.CheckpointInterval == 0 {
			e.Root = root(d.digests)
		}
		return []consensus.Event{e}
	case consensus.Stabilize:
		d.kept, d.root, d.proof = job.Seq, job.Root, job.Certificate
		return []consensus.Event{consensus.Kept{Seq: job.Seq}}
	case consensus.Answer:
		if l.executed(d, job.Request) {
			return []consensus.Event{consensus.Settled(job)}
		}
	default:
		return l.restore(d, job)
	}
	return nil
}

// restore plays the host's part of a state transfer.
func (l *lab) restore(d *desk, job consensus.Job) []consensus.Event {
	want := consensus.Item{ID: "state", Hash: d.target.Root}
	switch job := job.(type) {
	case consensus.RestoreBegin:
		d.target, d.side, d.digests = job, nil, d.digests[:d.kept]
		want.Hash = job.Root
		return []consensus.Event{consensus.Staged{Missing: []consensus.Item{want}}}
	case consensus.RestorePut:
		s := consensus.Staged{From: job.From, Put: true}
		for i, it := range job.Items {
			if it != want || crypto.Hash(job.Parts[i].Bytes) != want.Hash {
				s.Bad = append(s.Bad, it)
				continue
			}
			s.Done = append(s.Done, it)
			for b := job.Parts[i].Bytes[len("state"):]; len(b) > 0; b = b[crypto.DigestSize:] {
				d.side = append(d.side, crypto.Digest(b[:crypto.DigestSize]))
			}
		}
		return []consensus.Event{s}
	case consensus.RestoreEnd:
		if d.side == nil {
			return []consensus.Event{consensus.Restored{Seq: d.target.Seq}}
		}
		d.digests, d.kept, d.root, d.proof = d.side, d.target.Seq, d.target.Root, d.target.Certificate
		return []consensus.Event{consensus.Restored{Seq: d.kept, Root: d.root, OK: true}}
	}
	return nil
}
