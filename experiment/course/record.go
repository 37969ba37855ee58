package course

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/protocol"
	"quorate.dev/quorate/sim"
)

// Recorder keeps the steps of a run that may turn out to be decisive: what was
// said about slots and views, what was executed and believed, and what went
// wrong. Bounded by maxRecorded: what decides a run comes early, and what comes
// later is dropped.
type Recorder struct {
	protocol protocol.Protocol
	kept     []byte // the first bytes of the frames that it keeps
	steps    []sim.Step
	entered  []sim.Step       // notes of those who entered a view; bounded like steps
	seen     map[saidOnce]int // how often a frame went from one end to another
	calls    []spec.Call
}

// maxCalls bounds the calls kept.
const maxCalls = 1000

// saidOnce tells a frame from its repetitions.
type saidOnce struct {
	kind     sim.StepKind
	from, to string
	frame    string
}

// maxRecorded bounds the steps kept during a run, some of which are decisive.
const maxRecorded = 1 << 16

// NewRecorder keeps what is decisive in a run of this protocol.
func NewRecorder(p protocol.Protocol) *Recorder {
	return &Recorder{
		protocol: p, seen: map[saidOnce]int{},
		kept: append([]byte{consensus.KindRequest, consensus.KindOldRequest, consensus.KindReply, consensus.KindRefusal, consensus.KindExplained}, p.Decisive...),
	}
}

// Watch takes one step. Repetitions of a frame over the same link add nothing.
func (r *Recorder) Watch(s sim.Step) {
	r.call(s)
	if s.Note != nil && s.Note.Kind == consensus.EnteredView && len(r.entered) < maxRecorded {
		r.entered = append(r.entered, s)
	}
	if len(r.steps) >= maxRecorded || s.Kind == sim.StepNote && !r.notable(&s) {
		return
	}
	if s.Kind == sim.StepSend || s.Kind == sim.StepDeliver {
		if len(s.Frame) == 0 || !slices.Contains(r.kept, s.Frame[0]) {
			return
		}
		key := saidOnce{s.Kind, s.From, s.To, string(s.Frame)}
		if r.seen[key]++; r.seen[key] > 1 {
			return
		}
	}
	r.steps = append(r.steps, s)
}

// Calls are the first calls of a run, as their callers lived them.
func (r *Recorder) Calls() []spec.Call { return r.calls }

// call follows the callers: each client has one call at a time.
func (r *Recorder) call(s sim.Step) {
	var client int
	if _, err := fmt.Sscanf(s.From, "C%d", &client); err != nil {
		return
	}
	if s.Kind == sim.StepInvoke && len(r.calls) < maxCalls {
		r.calls = append(r.calls, spec.Call{Client: client, Operation: s.Text, Asked: s.At})
		return
	}
	for i := len(r.calls) - 1; i >= 0; i-- {
		if c := &r.calls[i]; c.Client == client && c.Ended == 0 {
			switch s.Kind {
			case sim.StepBelieve:
				c.Ended, c.Seq = s.At, s.Seq
			case sim.StepDecline:
				c.Ended, c.Error = s.At, s.Text
			}
			return
		}
	}
}

// notable are certificates, elections won, and what a replica survived.
func (r *Recorder) notable(s *sim.Step) bool {
	switch {
	case s.Note == nil:
		return false
	case s.Note.Kind == consensus.EnteredView:
		return s.From == fmt.Sprintf("R%d", s.Note.Replica)
	}
	return s.Note.Kind == consensus.Committed || r.survived(s)
}

// survived reports whether a replica dropped what would have ended its process.
func (r *Recorder) survived(s *sim.Step) bool {
	return s.Note != nil && s.Note.Kind == consensus.Ignored && r.protocol.Lie != "" && s.Note.Reason == r.protocol.Lie
}
