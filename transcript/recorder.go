package transcript

import (
	"log/slog"
	"time"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/protocol"
)

// Config says what a replica writes down, and where.
type Config struct {
	Dir     string // made if need be
	Genesis *consensus.Genesis
	Replica consensus.ReplicaID
	All     bool  // batches and replies too
	Bytes   int64 // room for all segments together; the oldest are dropped
	Log     *slog.Logger
}

// Recorder looks on while a replica works, and leaves in a buffer what its level
// asks for. It stands outermost, so that it hears what was really said. It
// changes nothing.
//
// What is said and executed it hears as a node.Witness, when it is durable: were
// it heard when the engine says it, a crash in between would leave a transcript
// in which an honest replica contradicts what it signs after its restart.
type Recorder struct {
	consensus.Protocol
	keep   func(frame []byte) []byte // as much of a frame as the record keeps; nil is nothing
	all    bool
	buffer buffer
	quit   chan struct{}
	ended  chan struct{}
}

// Record begins the transcript of a replica's life, which runs p. A directory
// that cannot be written to is an error: later, a disk that fails only loses the
// record.
func Record(p consensus.Protocol, c Config) (*Recorder, error) {
	of, err := protocol.Of(*c.Genesis)
	if err != nil {
		return nil, err
	}
	r := &Recorder{Protocol: p, keep: of.Codec(*c.Genesis).Keep, all: c.All, quit: make(chan struct{}), ended: make(chan struct{})}
	w, err := newWriter(&c, &r.buffer)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(r.ended)
		w.run(r.quit)
	}()
	return r, nil
}

// Close writes what is left. Call it once, after the replica has ended.
func (r *Recorder) Close() {
	close(r.quit)
	<-r.ended
}

// Open implements consensus.Protocol: what opened well was heard.
func (r *Recorder) Open(v crypto.Verifier, h consensus.Horizon, in []consensus.Frame) []consensus.Opened {
	out := r.Protocol.Open(v, h, in)
	var heard []check.Entry
	at := now()
	for i := range in {
		f := &in[i]
		if out[i].Event == nil || f.From.Kind != consensus.PeerReplica {
			continue
		}
		if b := r.keep(f.Bytes); b != nil {
			heard = append(heard, check.Entry{Kind: check.EntryReceived, At: at, Peer: f.From, Bytes: b})
		}
	}
	r.buffer.add(heard...)
	return out
}

// Sends implements node.Witness.
func (r *Recorder) Sends(sends []consensus.Send) {
	at := now()
	for i := range sends {
		s := &sends[i]
		if b := r.keep(s.Bytes); b != nil {
			r.buffer.add(check.Entry{Kind: check.EntrySent, At: at, Peer: s.To, Bytes: b})
		}
	}
}

// Executes implements node.Witness. Without its batch, a commit tells what was
// agreed on and by whom, and not what was done.
func (r *Recorder) Executes(jobs []consensus.Job) {
	for _, j := range jobs {
		c, ok := j.(consensus.Commit)
		if !ok {
			continue
		}
		e := check.Entry{Kind: check.EntryCommitted, At: now(), Seq: c.Seq, View: c.View, Digest: c.Digest, Bytes: c.Certificate}
		if r.all {
			e.Batch = c.Batch
		}
		r.buffer.add(e)
	}
}

// Replies writes down what leaves for clients, whoever had a hand in it; say is
// as node.Config.Replies.
func (r *Recorder) Replies(say func([]consensus.Reply) []consensus.Reply) func([]consensus.Reply) []consensus.Reply {
	if !r.all {
		return say
	}
	return func(rs []consensus.Reply) []consensus.Reply {
		if say != nil {
			rs = say(rs)
		}
		at := now()
		for i := range rs {
			r.buffer.add(check.Entry{Kind: check.EntrySent, At: at, Peer: consensus.ClientPeer(rs[i].Client), Bytes: rs[i].Encode()})
		}
		return rs
	}
}

// New implements consensus.Protocol: a life begins.
func (r *Recorder) New(rec consensus.Recovered) (consensus.Engine, error) {
	e, err := r.Protocol.New(rec)
	if err != nil {
		return nil, err
	}
	r.buffer.add(check.Entry{Kind: check.EntryStarted, At: now(), Seq: rec.Height})
	return &recorded{Engine: e, recorder: r}, nil
}

// recorded is an engine that is looked at.
type recorded struct {
	consensus.Engine
	recorder *Recorder
}

// Step writes down the roots that execution reports, and the facts that judges
// ask for.
func (e *recorded) Step(b consensus.Burst) consensus.Output {
	for _, event := range b.Events {
		switch event := event.(type) {
		case consensus.Rooted:
			e.recorder.buffer.add(check.Entry{Kind: check.EntryRoot, At: b.Now, Seq: event.Seq, Digest: event.Root})
		case consensus.Restored:
			if event.OK {
				e.recorder.buffer.add(check.Entry{Kind: check.EntryRestored, At: b.Now, Seq: event.Seq, Digest: event.Root})
			}
		}
	}
	out := e.Engine.Step(b)
	for i := range out.Notes {
		if n := &out.Notes[i]; check.Matters(n.Kind) {
			e.recorder.buffer.add(check.Entry{Kind: check.EntryNote, At: b.Now, Note: n})
		}
	}
	return out
}

// now is the clock of the records.
func now() consensus.Time { return consensus.Time(time.Now().UnixNano()) }
