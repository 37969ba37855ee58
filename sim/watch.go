package sim

import (
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// StepKind says what a Step is.
type StepKind string

// The kinds of steps that a watcher sees.
const (
	StepSend    StepKind = "send"    // a frame was handed to the network
	StepDeliver StepKind = "deliver" // ... and has arrived
	StepExecute StepKind = "execute" // a replica executed a batch
	StepInvoke  StepKind = "invoke"  // a client begins to wait for its call of number Seq
	StepBelieve StepKind = "believe" // a client accepts a result
	StepDecline StepKind = "decline" // a client gets an error for its call of number Seq
	StepNote    StepKind = "note"    // an engine reports a fact
	StepFault   StepKind = "fault"   // a fault or an assignment begins or ends
)

// Step is one event of a run, for charts. From and To are names: R0,
// R1, ... and C0, C1, ...
type Step struct {
	At       consensus.Time
	Kind     StepKind
	From, To string
	Frame    []byte // of a send or a delivery; read-only
	Text     string // the frame or the event for people
	Seq      consensus.Seq
	View     consensus.View
	Digest   crypto.Digest // of an execution: the batch's
	Note     *consensus.Note
}

// watchFault tells the watcher that something begins or ends at a replica.
func (w *World) watchFault(r *replica, what string) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepFault, From: r.String(), To: r.String(), Text: what})
	}
}

// watchLink tells the watcher about the network.
func (w *World) watchLink(what, sides string) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepFault, Text: what + ": " + sides})
	}
}

// watch tells the watcher, if there is one.
func (w *World) watch(s Step) {
	s.At = w.clock.now - startTime
	w.cfg.Watch(s)
}

// watchFrame tells the watcher about a frame.
func (w *World) watchFrame(kind StepKind, p packet) {
	if w.cfg.Watch == nil {
		return
	}
	s := Step{Kind: kind, From: w.name(p.from), To: w.name(p.to), Frame: p.bytes, Text: w.describe(p.bytes)}
	if m, ok := w.codec.Promise(p.bytes); ok {
		s.Seq, s.View = m.Seq, m.View
	}
	w.watch(s)
}

// watchExecution tells the watcher that a replica executed a batch.
func (w *World) watchExecution(r *replica, c consensus.Commit) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: StepExecute, From: r.String(), To: r.String(), Text: describeJob(c), Seq: c.Seq, View: c.View, Digest: c.Digest})
	}
}

// watchCall tells the watcher that a client begins to wait, or gets an error.
func (w *World) watchCall(c *client, kind StepKind, t token, text string) {
	if w.cfg.Watch != nil {
		w.watch(Step{Kind: kind, From: w.name(c.end), To: w.name(c.end), Seq: consensus.Seq(t.counter), Text: text})
	}
}

// watchNote tells the watcher about a fact.
func (r *replica) watchNote(n *consensus.Note) {
	if r.world.cfg.Watch != nil {
		copied := *n
		r.world.watch(Step{Kind: StepNote, From: r.String(), To: r.String(), Text: n.String(), Seq: n.Seq, View: n.View, Note: &copied})
	}
}
