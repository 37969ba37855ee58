package host

import "quorate.dev/quorate/consensus"

// Bounds are the sizes of the queues, each at least 1.
type Bounds struct {
	GroupFrames  int // frames verified together
	PeerFrames   int // small frames of one replica that wait for a worker
	PeerBytes    int // large frames of one replica that wait, bytes
	ClientFrames int // frames of one client that wait
	ClientBytes  int // ... and of all clients together, bytes
	InboxEvents  int // events of one class that wait for the engine
	InboxBytes   int // ... bytes
	Jobs         int // jobs that wait for execution before the engine is held back
	Answers      int // answers from sessions that wait
	Lookups      int // READs that wait for a height, or for their turn
	LookupBytes  int // ... bytes
	Reads        int // snapshot reads that wait
	Tasks        int // tasks of checkpoints under way before execution is held back
	TaskBytes    int // ... bytes of state that waits for them
}

// DefaultBounds suit four to seven replicas in half a GiB of memory each.
func DefaultBounds() Bounds {
	return Bounds{
		GroupFrames: 128, PeerFrames: 8192, PeerBytes: 16 << 20, ClientFrames: 1024, ClientBytes: 64 << 20,
		InboxEvents: 8192, InboxBytes: 32 << 20, Jobs: 1024, Answers: 4096, Lookups: 1024, LookupBytes: 32 << 20, Reads: 64,
		Tasks: 8, TaskBytes: 64 << 20,
	}
}

// Verdict is what becomes of what is offered to a queue.
type Verdict uint8

// The verdicts.
const (
	Taken   Verdict = iota // it waits
	Refused                // it is lost; Refusal says what its sender is told
	Held                   // no room yet: whoever brings it waits, and offers it again
)

// Refusal is what the sender of a refused frame is told; nil is nothing. Only a
// client on its own channel can be told that we are busy; everybody else sends
// again anyhow. event is what the frame was opened as, nil if nobody has opened
// it.
func Refusal(f *consensus.Frame, event consensus.Event) *consensus.Refusal {
	if f.From.Kind != consensus.PeerClient {
		return nil
	}
	busy := &consensus.Refusal{Client: f.From.Key, Code: consensus.RefusedBusy}
	if len(f.Bytes) > 0 && f.Bytes[0] == consensus.KindRead {
		if q, err := consensus.DecodeQuery(f.Bytes); err == nil {
			busy.Sequence = q.Name
		}
		return busy
	}
	submit, opened := event.(consensus.Submit)
	if !opened {
		submit.Request, _ = consensus.DecodeRequest(f.Bytes) // nil if it is none: then the refusal names no request
	}
	if r := submit.Request; r != nil {
		busy.Request, busy.Sequence = r.Digest, r.Sequence
	}
	return busy
}
