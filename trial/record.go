package trial

import (
	"quorate/consensus"
	"quorate/pbft/message"
	"quorate/sim"
)

// recorder keeps the steps of a run that may turn out to be decisive: what was
// said about slots and views, what was executed and believed, and what went
// wrong. Bounded by maxRecorded: what decides a run comes early, and what comes
// later is dropped.
type recorder struct {
	steps []sim.Step
	seen  map[saidOnce]int // how often a frame went from one end to another
}

// saidOnce tells a frame from its repetitions.
type saidOnce struct {
	kind     sim.StepKind
	from, to string
	frame    string
}

// maxRecorded bounds the steps kept during a run, some of which are decisive.
const maxRecorded = 1 << 16

// telling are the kinds of frames that decide something. All else (STATUS,
// FETCH and what answers it) repeats what these have said.
var telling = map[byte]bool{
	consensus.KindRequest: true, consensus.KindReply: true,
	byte(message.PrePrepareKind): true, byte(message.PrepareKind): true, byte(message.CommitKind): true,
	byte(message.CheckpointKind): true, byte(message.ViewChangeKind): true, byte(message.NewViewKind): true,
}

func newRecorder() *recorder { return &recorder{seen: map[saidOnce]int{}} }

// watch takes one step. Repetitions of a frame over the same link add nothing.
func (r *recorder) watch(s sim.Step) {
	if len(r.steps) >= maxRecorded || s.Kind == sim.StepNote && (s.Note == nil || s.Note.Kind != consensus.Committed) {
		return
	}
	if s.Kind == sim.StepSend || s.Kind == sim.StepDeliver {
		if len(s.Frame) == 0 || !telling[s.Frame[0]] {
			return
		}
		key := saidOnce{s.Kind, s.From, s.To, string(s.Frame)}
		if r.seen[key]++; r.seen[key] > 1 {
			return
		}
	}
	r.steps = append(r.steps, s)
}
