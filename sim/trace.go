package sim

import (
	"fmt"
	"io"
	"strings"

	"quorate.dev/quorate/consensus"
)

// name is an endpoint's name in traces: R0, R1, … and C0, C1, …, Byzantine clients last
func (w *World) name(e endpoint) string {
	if b := w.bodyAt(e); b != nil && b.second {
		return b.String()
	}
	if int(e) >= len(w.replicas) {
		return fmt.Sprintf("C%d", int(e)-len(w.replicas))
	}
	return fmt.Sprintf("R%d", e)
}

// describe prints a frame for people.
func (w *World) describe(frame []byte) string {
	if len(frame) > 0 {
		switch frame[0] {
		case consensus.KindRequest, consensus.KindOldRequest:
			if r, err := consensus.DecodeRequest(frame); err == nil {
				return "REQUEST " + w.label(r)
			}
		case consensus.KindReply:
			if r, err := consensus.DecodeReply(frame); err == nil {
				return fmt.Sprintf("REPLY #%d n=%d", r.Sequence.Counter, r.Seq)
			}
		case consensus.KindRead:
			if q, err := consensus.DecodeQuery(frame); err == nil {
				return fmt.Sprintf("READ #%d from n=%d", q.Name.Counter, q.Floor)
			}
		case consensus.KindFinding:
			if f, err := consensus.DecodeFinding(frame); err == nil {
				return fmt.Sprintf("READ-ANSWER #%d index=%d n=%d", f.Name.Counter, f.Index, f.Height)
			}
		case consensus.KindRefusal, consensus.KindExplained:
			if r, err := consensus.DecodeRefusal(frame); err == nil {
				return fmt.Sprintf("REFUSAL #%d %s", r.Sequence.Counter, r.Code)
			}
		default:
			return w.codec.Describe(frame)
		}
	}
	return fmt.Sprintf("frame of %d bytes", len(frame))
}

// label names a request by its client.
func (w *World) label(r *consensus.Request) string {
	if c := w.byKey[r.Client]; c != nil {
		return fmt.Sprintf("%s#%d", w.name(c.end), r.Sequence.Counter)
	}
	return fmt.Sprintf("%s#%d", r.Client.Short(), r.Sequence.Counter)
}

// lazily describes a frame only if somebody prints it.
func (w *World) lazily(frame []byte) fmt.Stringer { return description{w, frame} }

type description struct {
	world *World
	frame []byte
}

func (d description) String() string { return d.world.describe(d.frame) }

// sides names the ends on either side of a cut.
func (w *World) sides(side []bool) string {
	var a, b []string
	for i, s := range side {
		if s {
			a = append(a, w.name(endpoint(i)))
		} else {
			b = append(b, w.name(endpoint(i)))
		}
	}
	return strings.Join(a, ",") + " | " + strings.Join(b, ",")
}

// history is a running hash of everything that happened, in order (FNV-1a over
// words instead of bytes, which is enough to tell two histories apart).
type history uint64

func (h *history) mix(word uint64) {
	*h = (*h ^ history(word)) * 1099511628211
	*h ^= *h >> 29
}

// trace prints what happens, one line each, if anybody reads it.
type trace struct{ out io.Writer }

func (t *trace) on() bool { return t.out != nil }

func (t *trace) line(now consensus.Time, format string, args ...any) {
	if t.out != nil {
		at := now - startTime
		// A trace that cannot be written is of no use to anybody, and
		// the run itself does not depend on it.
		_, _ = fmt.Fprintf(t.out, "%4d.%06d  %s\n", at/Second, at%Second/1000, fmt.Sprintf(format, args...))
	}
}

func (t *trace) event(now consensus.Time, r *replica, format string, args ...any) {
	if t.out != nil {
		t.line(now, "%v %s", r, fmt.Sprintf(format, args...))
	}
}

func (t *trace) note(now consensus.Time, r *replica, n *consensus.Note) {
	if t.out != nil {
		t.line(now, "%v ! %s", r, n)
	}
}

// say reports something worth a line in a golden trace.
func (w *World) say(kind consensus.NoteKind, format string, args ...any) {
	if w.tell != nil {
		w.tell(kind, fmt.Sprintf(format, args...))
	}
}
