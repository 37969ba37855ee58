package course

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/raft"
	"quorate.dev/quorate/sim"
)

// Recorder keeps the steps of a run that may turn out to be decisive: what was
// said about slots and views, what was executed and believed, and what went
// wrong. Bounded by maxRecorded: what decides a run comes early, and what comes
// later is dropped.
type Recorder struct {
	steps []sim.Step
	seen  map[saidOnce]int // how often a frame went from one end to another
	tells map[byte]bool    // the kinds of frames that it keeps
	calls []spec.Call
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

// telling are the kinds of frames that decide something, by protocol. All else
// (STATUS, FETCH and what answers it) repeats what these have said.
var telling = map[string]map[byte]bool{
	quorum.PBFT: {
		consensus.KindRequest: true, consensus.KindReply: true, consensus.KindRefusal: true,
		byte(message.PrePrepareKind): true, byte(message.PrepareKind): true, byte(message.CommitKind): true,
		byte(message.CheckpointKind): true, byte(message.ViewChangeKind): true, byte(message.NewViewKind): true,
	},
	quorum.Raft: {consensus.KindRequest: true, consensus.KindReply: true, consensus.KindRefusal: true, raft.MessageKind: true},
}

// NewRecorder keeps what is decisive in a run of this protocol.
func NewRecorder(protocol string) *Recorder {
	return &Recorder{seen: map[saidOnce]int{}, tells: telling[protocol]}
}

// Watch takes one step. Repetitions of a frame over the same link add nothing.
func (r *Recorder) Watch(s sim.Step) {
	r.call(s)
	if len(r.steps) >= maxRecorded || s.Kind == sim.StepNote && !notable(&s) {
		return
	}
	if s.Kind == sim.StepSend || s.Kind == sim.StepDeliver {
		if len(s.Frame) == 0 || !r.tells[s.Frame[0]] {
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
func notable(s *sim.Step) bool {
	switch {
	case s.Note == nil:
		return false
	case s.Note.Kind == consensus.EnteredView:
		return s.From == fmt.Sprintf("R%d", s.Note.Replica)
	}
	return s.Note.Kind == consensus.Committed || survived(s)
}

// survived reports whether a replica dropped what would have ended its process.
func survived(s *sim.Step) bool {
	return s.Note != nil && s.Note.Kind == consensus.Ignored && s.Note.Reason == raft.ReasonPanic
}
