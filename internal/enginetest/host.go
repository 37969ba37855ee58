package enginetest

import (
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Replica is one engine with its disk and its host.
type Replica[E consensus.Engine] struct {
	Protocol consensus.Protocol
	Engine   E
	Up       bool

	Records  []consensus.Record
	Forget   consensus.Seq // the log may be cut there
	Outs     []consensus.Output
	Notes    []consensus.Note
	Refusals []consensus.Refusal
	Halt     string
	Outputs  uint64             // of this life
	Durable  uint64             // ... of which so many, the first ones, are on disk
	Synced   int                // records that are
	Heard    func(frame []byte) // hears what is sent

	Executed []consensus.Commit // from 1 on
	Head     crypto.Digest      // the root after them
	Roots    map[consensus.Seq]crypto.Digest
	Disk     State
	Target   consensus.RestoreBegin

	Jobs    []consensus.Job // the queue of execution
	AllJobs []consensus.Job // ever asked for
	Stopped bool            // the host does no jobs
	Blind   bool            // ... and serves no parts
	Hashing bool            // roots are late: they wait in Late
	Late    []consensus.Event
	Spoil   int                                   // so many parts are damaged before they leave
	Host    func(consensus.Job) []consensus.Event // restores, if a test plays them

	staged []crypto.Digest
}

// State is what a disk holds.
type State struct {
	Seq     consensus.Seq
	Root    crypto.Digest
	Digests []crypto.Digest // executed up to there
	Proof   []byte
}

// Root is the root of the state that a history of digests leads to.
func Root(digests []crypto.Digest) (head crypto.Digest) {
	for _, d := range digests {
		head = link(head, d)
	}
	return head
}

func link(head, d crypto.Digest) crypto.Digest { return crypto.Hash(append(head[:], d[:]...)) }

// take keeps what a step has put out.
func (d *Replica[E]) take(out *consensus.Output) {
	d.Outs = append(d.Outs, *out)
	d.Records = append(d.Records, out.Records...)
	d.Outputs++
	if slices.ContainsFunc(out.Records, func(r consensus.Record) bool { return !r.Lazy }) {
		d.Durable, d.Synced = d.Outputs, len(d.Records)
	}
	d.Refusals = append(d.Refusals, out.Refusals...)
	d.Notes = append(d.Notes, out.Notes...)
	d.Forget = max(d.Forget, out.Forget)
	d.Jobs, d.AllJobs = append(d.Jobs, out.Jobs...), append(d.AllJobs, out.Jobs...)
	if out.Halt != "" {
		d.Halt = out.Halt
	}
}

// Back is what the host does when it drops what is executed above the disk.
func (d *Replica[E]) Back() {
	d.Executed, d.Head = d.Executed[:min(len(d.Executed), int(d.Disk.Seq))], d.Disk.Root
}

// Install puts a state into the place of what was executed.
func (d *Replica[E]) Install(s State, executed []consensus.Commit) {
	d.Disk, d.Executed, d.Head = s, executed, s.Root
	d.rooted(s.Seq, s.Root)
}

func (d *Replica[E]) rooted(n consensus.Seq, root crypto.Digest) {
	if d.Roots == nil {
		d.Roots = map[consensus.Seq]crypto.Digest{}
	}
	d.Roots[n] = root
}

// Cut drops from a log all that the engine has allowed to be dropped: what a
// host may do whose segments are one record long.
func (d *Replica[E]) Cut() {
	d.Records = slices.DeleteFunc(d.Records, func(r consensus.Record) bool { return r.Slot <= d.Forget })
	d.Synced = len(d.Records)
}

// Noted are the notes of one kind.
func (d *Replica[E]) Noted(k consensus.NoteKind) (list []consensus.Note) {
	for _, n := range d.Notes {
		if n.Kind == k {
			list = append(list, n)
		}
	}
	return list
}

// Perform does one job of replica i and returns what to tell of it.
func (l *Lab[E]) Perform(i int, job consensus.Job) []consensus.Event {
	d := l.Replicas[i]
	switch job := job.(type) {
	case consensus.Commit:
		return l.execute(i, job)
	case consensus.Stabilize:
		if int(job.Seq) > len(d.Executed) {
			l.T.Fatalf("R%d is told to keep %d and has executed %d", i, job.Seq, len(d.Executed))
		}
		if d.Roots[job.Seq] != job.Root {
			l.T.Fatalf("R%d is told to keep another state at %d than it has", i, job.Seq)
		}
		d.Disk = State{Seq: job.Seq, Root: job.Root, Proof: job.Certificate}
		for _, c := range d.Executed[:job.Seq] {
			d.Disk.Digests = append(d.Disk.Digests, c.Digest)
		}
		return []consensus.Event{consensus.Kept{Seq: job.Seq}}
	case consensus.RestoreBegin:
		d.Back()
		d.Target = job
		return l.restore(d, job)
	case consensus.RestorePut, consensus.RestoreEnd:
		return l.restore(d, job)
	case consensus.RestoreAbort:
		d.Back()
	case consensus.Answer:
		if l.Executions(job.Request) > 0 {
			return []consensus.Event{consensus.Settled(job)}
		}
		return []consensus.Event{consensus.Unsettled(job)}
	}
	return nil
}

func (l *Lab[E]) execute(i int, job consensus.Commit) []consensus.Event {
	d := l.Replicas[i]
	if int(job.Seq) != len(d.Executed)+1 {
		l.T.Fatalf("R%d executes %d after %d", i, job.Seq, len(d.Executed))
	}
	if job.Batch.Digest() != job.Digest {
		l.T.Fatalf("R%d executes another batch at %d than its digest names", i, job.Seq)
	}
	if was, ok := l.History[job.Seq]; ok && !l.MayFork && (was.Digest != job.Digest || l.SameView && was.View != job.View) {
		l.T.Fatalf("FORK: R%d executes %s of view %d at %d, another one %s of view %d", i, job.Digest.Short(), job.View, job.Seq, was.Digest.Short(), was.View)
	}
	l.History[job.Seq], l.batches[job.Digest] = job, job.Batch
	d.Executed, d.Head = append(d.Executed, job), link(d.Head, job.Digest)
	done := []consensus.Event{consensus.Executed{Seq: job.Seq}}
	if job.Seq%l.Genesis.CheckpointInterval == 0 {
		d.rooted(job.Seq, d.Head)
		rooted := consensus.Rooted{Seq: job.Seq, Root: d.Head}
		if d.Hashing {
			d.Late = append(d.Late, rooted)
		} else {
			done = append(done, rooted)
		}
	}
	return done
}

// Executions counts the places that hold a request, at any replica. It stands
// for the session table, which is the same everywhere.
func (l *Lab[E]) Executions(q *consensus.Request) (n int) {
	for _, c := range l.History {
		if c.Batch != nil && slices.ContainsFunc(c.Batch.Requests, func(r *consensus.Request) bool { return r.Digest == q.Digest }) {
			n++
		}
	}
	return n
}

// restore lets the test do its part in moving a state, if it plays the host.
func (l *Lab[E]) restore(d *Replica[E], job consensus.Job) []consensus.Event {
	switch {
	case d.Host != nil:
		return d.Host(job)
	case l.Manual:
		return nil
	}
	return l.Restore(d, job)
}

// Restore is the host's own part in moving a state.
func (l *Lab[E]) Restore(d *Replica[E], job consensus.Job) []consensus.Event {
	whole := d.staged != nil && Root(d.staged) == d.Target.Root
	switch job := job.(type) {
	case consensus.RestoreBegin:
		if whole {
			return []consensus.Event{consensus.Staged{}}
		}
		return []consensus.Event{consensus.Staged{Missing: []consensus.Item{{ID: "all", Hash: job.Root}}}}
	case consensus.RestorePut:
		var digests []crypto.Digest
		b := job.Parts[0].Bytes
		for ; len(b) >= crypto.DigestSize; b = b[crypto.DigestSize:] {
			digests = append(digests, crypto.Digest(b[:crypto.DigestSize]))
		}
		if len(b) > 0 || Root(digests) != d.Target.Root {
			return []consensus.Event{consensus.Staged{From: job.From, Put: true, Bad: job.Items}}
		}
		d.staged = digests
		return []consensus.Event{consensus.Staged{From: job.From, Put: true, Done: job.Items}}
	case consensus.RestoreEnd:
		if whole {
			var executed []consensus.Commit
			for n, digest := range d.staged {
				executed = append(executed, consensus.Commit{Seq: consensus.Seq(n + 1), Digest: digest, Batch: l.batches[digest]})
			}
			d.Install(State{Seq: d.Target.Seq, Root: d.Target.Root, Digests: d.staged, Proof: d.Target.Certificate}, executed)
		}
		return []consensus.Event{consensus.Restored{Seq: d.Target.Seq, Root: d.Target.Root, OK: whole}}
	}
	return nil
}

// read serves the only part of a state.
func (l *Lab[E]) read(d *Replica[E], read consensus.ChunkRead) consensus.Event {
	if l.Manual || d.Blind || read.Seq != d.Disk.Seq || read.Root != d.Disk.Root {
		return consensus.Chunk{Read: read, Gone: true}
	}
	var b []byte
	for _, digest := range d.Disk.Digests {
		b = append(b, digest[:]...)
	}
	if d.Spoil > 0 {
		d.Spoil--
		b[0] ^= 1
	}
	return consensus.Chunk{Read: read, Parts: []consensus.Part{{ID: "all", Bytes: b}}}
}
