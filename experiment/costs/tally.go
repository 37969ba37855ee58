package costs

import (
	"maps"
	"slices"

	"quorate.dev/quorate/protocol"
)

// Tally is what was counted in one run, all replicas together.
type Tally struct {
	Decisions int     `json:"decisions"`
	Requests  int     `json:"requests"`
	Kinds     []Count `json:"frames"`   // by kind
	Signed    int     `json:"signed"`   // signatures of the agreement that replicas made
	Verified  int     `json:"verified"` // ... and checked
	Admitted  int     `json:"admitted"` // signatures of clients that replicas checked
	Forced    int     `json:"forced"`   // writes of the agreement that something waited for
	Recorded  int     `json:"recorded"` // bytes in logs, checkpoints' included
}

// tally sums up after the run.
func (r *run) tally() Tally {
	m := r.meter
	t := Tally{Decisions: len(m.decided), Requests: len(r.took), Forced: m.forced - m.cuts, Recorded: m.recorded, Admitted: m.verified["REQUEST"]}
	known := map[string]bool{}
	for _, k := range slices.Concat(m.protocol.Costs.Kinds, clientKinds) {
		known[k.Name] = true
		if c := m.counts[k.Name]; c != nil {
			c.Part = k.Part
			t.Kinds = append(t.Kinds, *c)
		}
		if k.Part == protocol.Agreement {
			t.Signed, t.Verified = t.Signed+m.signed[k.Name], t.Verified+m.verified[k.Name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.counts)) {
		if !known[name] {
			t.Kinds = append(t.Kinds, *m.counts[name])
		}
	}
	return t
}

// of are the counts of one part.
func (t *Tally) of(p protocol.Part) (counts []Count) {
	for _, c := range t.Kinds {
		if c.Part == p {
			counts = append(counts, c)
		}
	}
	return counts
}

// Frames are those of the agreement.
func (t *Tally) Frames() int { return framesOf(t.of(protocol.Agreement)) }

// bytes are those of the agreement's frames.
func (t *Tally) bytes() (sum int) {
	for _, c := range t.of(protocol.Agreement) {
		sum += c.Bytes
	}
	return sum
}

// batch is what the batch of one decision weighs, by the size of its requests.
func (t *Tally) batch() int {
	for _, c := range t.Kinds {
		if c.Name == "REQUEST" {
			return batchBytes(t.Requests/max(1, t.Decisions), c.Bytes/max(1, c.Frames))
		}
	}
	return 0
}

// each is a count per decision.
func (t *Tally) each(count int) float64 { return float64(count) / float64(max(1, t.Decisions)) }

// perRequest is a count per request.
func (t *Tally) perRequest(count int) float64 { return float64(count) / float64(max(1, t.Requests)) }

// costsOf is the arithmetic of a protocol that Measure has found.
func costsOf(name string) protocol.Costs {
	p, _ := protocol.Lookup(name)
	return p.Costs
}

func framesOf(counts []Count) (sum int) {
	for _, c := range counts {
		sum += c.Frames
	}
	return sum
}

// batchBytes is what requests of so many bytes weigh in a batch: its stamp and their
// number before them all, a length before each.
func batchBytes(requests, bytes int) int { return 8 + 2 + requests*(3+bytes) }
