package compare

import (
	"context"
	"slices"
	"time"

	"quorate.dev/quorate/experiment/live"
	"quorate.dev/quorate/experiment/spec"
)

// suffer lets the faults happen, each at its moment of the load, until ctx ends. A
// fault that cannot happen is told as an event and ends nothing: it is the same
// scenario for both sides, and they are not in the same state.
func (s *side) suffer(ctx context.Context, faults []spec.Fault) {
	for f := range live.Due(ctx, s.begun, faults) {
		err := s.cluster.Find(ctx, &f)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.happens(&f, "", err)
			continue
		}
		// Counters end with their process: one last look.
		if slices.Contains([]spec.Kind{spec.Crash, spec.TornWrite, spec.Wipe, spec.DiskFull}, f.Kind) {
			s.meter.look(ctx, s.cluster.Cluster)
		}
		at := s.happens(&f, "", nil)
		if err := s.cluster.Inject(&f); err != nil {
			s.failed(at, err)
		}
	}
}

// happens notes an event of this moment, and answers which it is.
func (s *side) happens(f *spec.Fault, before string, err error) int {
	s.mu.Lock()
	e := Event{At: time.Since(s.begun).Seconds(), Kind: f.Word(), Replica: -1, What: before + f.Text(s.protocol.Words)}
	if len(f.Replicas) > 0 {
		e.Replica = int(f.Replicas[0])
	}
	if err != nil {
		e.Error = err.Error()
	}
	s.events = append(s.events, e)
	at := len(s.events) - 1
	s.mu.Unlock()
	s.changed()
	return at
}

// failed adds to an event why it did not happen.
func (s *side) failed(at int, err error) {
	s.mu.Lock()
	s.events[at].Error = err.Error()
	s.mu.Unlock()
	s.changed()
}
