package check

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"quorate.dev/quorate/app"
	"quorate.dev/quorate/app/state"
	"quorate.dev/quorate/check/linear"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Log is the log of one process, to be read once from its beginning.
type Log struct {
	Name string // for errors
	From io.Reader
}

// Case is a real run to be judged.
type Case struct {
	Genesis     consensus.Genesis
	Application app.Application       // executes the batches again; nil = nobody does
	Suspects    []consensus.ReplicaID // who may have lied; all others are judged
	Model       *linear.Model         // of the application; nil = linearizability is not asked
}

// maxFacts bounds the entries of all logs of one run.
const maxFacts = 1 << 24

// Replay judges a real run by the logs of its replicas and clients, some of
// which may be missing: by time it merges them, so the clocks of the clients
// must be one. It executes the batches again and holds roots and replies
// against what comes out. Of a suspect's log only what it signed counts.
//
// What was judged, and what was not, is in the verdict's Scope; if that is too little
// to call the run safe, the verdict is Unjudged.
//
// Errors are *LogErrors of files that are no logs of this cluster, and
// consensus.ErrGenesis; a torn last entry is none.
func Replay(c Case, logs []Log) (Verdict, error) {
	if err := c.Genesis.Validate(); err != nil {
		return Verdict{}, err
	}
	words := quoted
	if c.Model != nil && c.Model.Words != nil {
		words = c.Model.Words
	}
	r := &replay{heard: map[consensus.ReplicaID]consensus.Time{}, judge: New(Config{
		Genesis: c.Genesis, Application: c.Application, Model: c.Model, words: words, Investigate: true,
		Honest:  func(id consensus.ReplicaID) bool { return !slices.Contains(c.Suspects, id) },
		Clients: func(crypto.PublicKey) bool { return false },
	})}
	if err := r.open(c.Genesis.ID(), logs); err != nil {
		return Verdict{}, err
	}
	if c.Application != nil {
		var err error
		if r.rerun, err = newRerun(r.judge, c.Application); err != nil {
			return Verdict{}, err
		}
	}
	if err := r.all(); err != nil {
		return Verdict{}, err
	}
	r.judge.partial = r.rerun == nil || r.digests || len(r.heard) == 0 || len(r.rerun.waiting) > 0
	for _, last := range r.heard {
		r.judge.until = min(r.judge.until, last)
	}
	if r.rerun != nil {
		r.judge.again = r.rerun.machine.Applied()
	}
	v := r.judge.Verdict(r.now)
	v.Executed = r.judge.again
	r.conclude(&v)
	return v, nil
}

// A log may end before its process did: what a killed one had not written yet is
// lost. Results of heights beyond all logs, believed after the first of them
// ends, are therefore not judged.

// replay merges logs.
type replay struct {
	judge   *Judge
	sources []*source
	rerun   *rerun
	base    consensus.Time                         // the run's beginning
	now     consensus.Time                         // since then
	heard   map[consensus.ReplicaID]consensus.Time // until when the logs of each honest replica go
	digests bool                                   // a log tells of batches by their digests only
	facts   [consensus.MaxReplicas]int             // that the logs of each honest replica tell
}

// source is a log with its next entry.
type source struct {
	*Reader
	index int
	next  Entry
	at    consensus.Time // of next, never back in time
	ended bool
	life  *life // of a replica's
}

// life is one of a replica's lives, which may have several logs. None is told before
// those of the life before it have ended, whatever the clocks said: what a
// replica may never do again is judged over all of them.
type life struct {
	number uint64
	before *life
	open   int // logs that have not ended
}

// begins orders the lives of each replica.
func (r *replay) begins() {
	logs := slices.DeleteFunc(slices.Clone(r.sources), func(s *source) bool { return s.Header().Client })
	slices.SortStableFunc(logs, func(a, b *source) int { return cmp.Compare(a.Header().Life, b.Header().Life) })
	last := map[consensus.ReplicaID]*life{}
	for _, s := range logs {
		h := s.Header()
		if l := last[h.Replica]; l == nil || l.number != h.Life {
			last[h.Replica] = &life{number: h.Life, before: l}
		}
		if s.life = last[h.Replica]; !s.ended {
			s.life.open++
		}
	}
}

// waits reports whether another log comes first.
func (s *source) waits() bool {
	l := s.life
	if l == nil {
		return false
	}
	for l.before != nil && l.before.open == 0 {
		l.before = l.before.before
	}
	return l.before != nil
}

func (s *source) advance() error {
	e, err := s.Next()
	if errors.Is(err, io.EOF) {
		if s.ended = true; s.life != nil {
			s.life.open--
		}
		return nil
	}
	s.next, s.at = e, max(s.at, e.At)
	return err
}

// open begins to read every log.
func (r *replay) open(cluster crypto.Digest, logs []Log) error {
	members := len(r.judge.cfg.Genesis.Replicas)
	for i, l := range logs {
		reader, err := NewReader(l.Name, l.From)
		if err != nil {
			return err
		}
		h := reader.Header()
		switch {
		case h.Cluster != cluster:
			return &logError{Name: l.Name, Err: fmt.Errorf("%w of this cluster: it is of %s, the genesis is that of %s: give its own genesis by --genesis, or move the file away", ErrLog, h.Cluster.Short(), cluster.Short())}
		case !h.Client && int(h.Replica) >= members:
			return &logError{Name: l.Name, Err: fmt.Errorf("%w of this cluster: it is of replica %d among %d", ErrLog, h.Replica, members)}
		}
		s := &source{Reader: reader, index: i}
		if err := s.advance(); err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	r.begins()
	if first := r.earliest(); first != nil {
		r.base = first.at
	}
	return nil
}

// earliest is the log whose next entry comes next; nil if all are read.
func (r *replay) earliest() *source {
	var first *source
	for _, s := range r.sources {
		if !s.ended && (first == nil || s.at < first.at) && !s.waits() {
			first = s
		}
	}
	return first
}

// all tells the judge everything, in order of time.
func (r *replay) all() error {
	for count := 0; ; count++ {
		s := r.earliest()
		if s == nil {
			return nil
		}
		if count >= maxFacts {
			return &logError{Name: s.name, Offset: s.offset, Err: fmt.Errorf("%w that can be judged: more than %d entries in all", ErrLog, maxFacts)}
		}
		r.now = max(r.now, s.at-r.base)
		if h := s.Header(); h.Client {
			r.client(s, &h)
		} else {
			r.replica(h.Replica, &s.next)
		}
		if err := s.advance(); err != nil {
			return err
		}
	}
}

// client tells what a client saw.
func (r *replay) client(s *source, h *Header) {
	e := &s.next
	id := CallID{Client: s.index, Number: e.Number}
	switch e.Kind {
	case EntryInvoked:
		r.judge.Invoked(r.now, id, h.Key, e.Bytes)
	case EntryReturned:
		r.judge.Returned(r.now, id, e.Seq, e.Result)
	case EntryFound:
		r.judge.ReturnedUnordered(r.now, id, e.Seq, e.Result)
	case EntryReceived:
		if e.Peer.Kind == consensus.PeerReplica {
			r.frame(e.Peer.Replica, e.Bytes, r.judge.told)
		}
	}
}

// replica tells what a replica did. What a suspect says that it heard of others
// counts as its own word: nobody else signed for that.
func (r *replay) replica(id consensus.ReplicaID, e *Entry) {
	if r.judge.honest(id) {
		r.heard[id] = r.now
		if e.Kind != EntryStarted {
			r.facts[id]++
		}
	}
	switch e.Kind {
	case EntryStarted:
		r.judge.restoring(id)
	case EntrySent:
		r.frame(id, e.Bytes, r.judge.Sent)
	case EntryReceived:
		switch from := e.Peer.Replica; {
		case !r.judge.honest(id):
			r.frame(id, e.Bytes, r.judge.told)
		case e.Peer.Kind == consensus.PeerReplica:
			r.frame(from, e.Bytes, r.judge.told) // though its own log may have it: what a log lost, others have
		}
	case EntryCommitted:
		c := consensus.Commit{Seq: e.Seq, View: e.View, Digest: e.Digest, Batch: e.Batch, Certificate: e.Bytes}
		if e.Batch == nil && e.Digest != consensus.NullDigest {
			r.bare(id, &c)
			return
		}
		r.judge.Queued(r.now, id, c)
		if r.rerun != nil && r.judge.honest(id) {
			r.rerun.commit(r.now, c)
		}
	case EntryRestored:
		r.judge.takes(r.now, id, e.Seq, e.Digest)
	case EntryRoot:
		r.judge.Root(r.now, id, e.Seq, e.Digest)
	case EntryNote:
		r.judge.Noted(r.now, id, e.Note)
	}
}

// bare tells what was agreed on where the log has no batches: what was done then
// cannot be judged.
func (r *replay) bare(id consensus.ReplicaID, c *consensus.Commit) {
	r.digests = true
	r.judge.proven(r.now, id, c.Certificate)
	if r.judge.honest(id) {
		r.judge.agreed(r.now, id, c)
	}
}

// frame tells of a frame that a replica sent, as tell does.
func (r *replay) frame(by consensus.ReplicaID, frame []byte, tell func(consensus.Time, consensus.ReplicaID, []byte)) {
	if len(frame) == 0 {
		return
	}
	if frame[0] == consensus.KindReply {
		if reply, err := consensus.DecodeReply(frame); err == nil {
			r.judge.Replied(r.now, by, reply)
		}
		return
	}
	tell(r.now, by, frame)
}

// rerun executes what was agreed on once more, on a state in memory, and tells
// the judge what comes out as if a replica beyond doubt had done it.
type rerun struct {
	judge   *Judge
	machine *app.Machine
	waiting map[consensus.Seq]consensus.Commit
	now     consensus.Time
	inner   app.Application
}

func newRerun(j *Judge, application app.Application) (*rerun, error) {
	a := &rerun{judge: j, waiting: map[consensus.Seq]consensus.Commit{}, inner: application}
	var listening app.Application = a
	if i, ok := application.(app.Initialiser); ok {
		listening = beginning{a, i}
	}
	m, err := app.Open(state.NewMemory(), listening, j.cfg.Genesis, app.Options{Replica: executor})
	if err != nil {
		return nil, fmt.Errorf("execute the batches again: %w", err)
	}
	a.machine = m
	return a, nil
}

// beginning is for applications that have a state before the first batch.
type beginning struct {
	*rerun
	app.Initialiser
}

// Name implements app.Application.
func (a *rerun) Name() string { return a.inner.Name() }

// Execute implements app.Application.
func (a *rerun) Execute(ctx app.Context, tx app.Tx, op []byte) consensus.Result {
	a.judge.executed(a.now, executor, &ctx, op)
	return a.inner.Execute(ctx, tx, op)
}

// commit takes a batch that somebody honest committed, the first one of each
// height, and executes what follows without a gap.
func (a *rerun) commit(now consensus.Time, c consensus.Commit) {
	if _, known := a.waiting[c.Seq]; known || c.Seq <= a.machine.Applied() {
		return
	}
	a.now, a.waiting[c.Seq] = now, c
	for {
		c, due := a.waiting[a.machine.Applied()+1]
		if !due || !a.execute(c) {
			return
		}
		delete(a.waiting, c.Seq)
	}
}

// execute executes one batch. It stops at one that cannot be: that was judged
// when it was committed.
func (a *rerun) execute(c consensus.Commit) bool {
	if c.Batch.Digest() != c.Digest {
		return false
	}
	out, err := advance(a.machine, c)
	if err != nil {
		a.judge.Broken(a.now, fmt.Sprintf("the batch at %d cannot be executed again: %v", c.Seq, err))
		return false
	}
	for i := range out.Replies {
		a.judge.replied(a.now, executor, &out.Replies[i])
	}
	for _, e := range out.Events {
		if e, ok := e.(consensus.Rooted); ok {
			if clash := a.judge.agreement.root(executor, e.Seq, e.Root); clash != "" {
				a.judge.violate(a.now, Divergence, "different states at %d: %s", e.Seq, clash)
			}
		}
	}
	return true
}
