package sim

import (
	"fmt"
	"hash/crc32"
	"io"

	"quorate.dev/quorate/consensus"
)

// launch sends a packet, to both bodies of a twinned replica.
func (w *World) launch(p packet) {
	w.remember(p)
	w.send(p)
	w.copyToTwin(p)
}

// send sends a packet to one end.
func (w *World) send(p packet) {
	if w.apart(p) {
		w.net.lost++
		return
	}
	w.stats.Frames++
	w.watchFrame(StepSend, p)
	w.net.send(p)
}

// arrive hands a packet to whom it is for.
func (w *World) arrive(p packet) {
	w.history.mix(uint64(w.clock.now))
	w.history.mix(uint64(p.from)<<48 | uint64(p.to)<<32 | uint64(p.sum))
	if crc32.Checksum(p.bytes, castagnoli) != p.sum {
		w.violate("%s changed %s after sending it", w.name(p.from), w.describe(p.bytes))
	}
	if w.trace.on() {
		w.trace.line(w.clock.now, "%s → %s %s", w.name(p.from), w.name(p.to), w.describe(p.bytes))
	}
	w.watchFrame(StepDeliver, p)
	from, to := w.bodyAt(p.from), w.bodyAt(p.to)
	switch {
	case to != nil:
		to.accept(p.class, consensus.Frame{From: w.peerAt(p.from), Bytes: p.bytes})
	case int(p.to) < len(w.replicas)+len(w.clients) && from != nil: // Byzantine clients read nothing
		w.clients[int(p.to)-len(w.replicas)].accept(from.id, p.bytes)
	}
}

// peerAt is who is at an end: a replica or a client.
func (w *World) peerAt(e endpoint) consensus.Peer {
	i := int(e) - len(w.replicas)
	switch b := w.bodyAt(e); {
	case b != nil:
		return consensus.ReplicaPeer(b.id)
	case i < len(w.clients):
		return consensus.ClientPeer(w.clients[i].signer.Public())
	}
	return consensus.ClientPeer(w.keys.byzantines[i-len(w.clients)].Public())
}

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
		case consensus.KindRequest:
			if r, err := consensus.DecodeRequest(frame); err == nil {
				return "REQUEST " + w.label(r)
			}
		case consensus.KindReply:
			if r, err := consensus.DecodeReply(frame); err == nil {
				return fmt.Sprintf("REPLY #%d n=%d", r.Sequence.Counter, r.Seq)
			}
		case consensus.KindRefusal:
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

// Stats counts what happened in a run, so that a reader sees whether a seed
// was worth anything.
type Stats struct {
	Steps           uint64 // engine steps
	Frames          uint64 // sent
	Repeated        uint64 // by those who flood, beside them
	Lost            uint64 // of them, to the network model and to partitions
	Hazards         uint64 // that were injected
	Struck          map[HazardKind]int
	LeadersLost     uint64         // times that a primary died with something in flight
	Results         uint64         // that callers believe
	Asked           uint64         // operations that callers invoked
	Declined        uint64         // ... and for which there was no majority
	Failed          uint64         // ... and which ended in another error, as traitors can bring about where one reply is believed
	Fallen          uint64         // traitors that could not go on
	Changes         uint64         // times that an honest replica left a view
	InARow          uint64         // ... having executed nothing new since it left one before
	Busiest         uint64         // times that the one which did so most did
	FetchedInChange uint64         // times that a transfer of the state met a view change
	TopView         consensus.View // highest view that an honest replica entered
	Again           uint64         // requests that their sessions sent again
	Refusals        uint64
	Height          consensus.Seq  // highest batch executed
	Virtual         consensus.Time // how long the run was
	Recovery        consensus.Time // how long the second phase took
	Records         int            // most records in one log
	Notes           map[consensus.NoteKind]int
	Reasons         map[consensus.Reason]int // why frames were refused or messages ignored
	Full            map[string]int           // what full queues did
}

func (s *Stats) noted(n *consensus.Note) {
	s.Notes[n.Kind]++
	if n.Reason != "" {
		s.Reasons[n.Reason]++
	}
}

func (s *Stats) refused(r consensus.Reason) { s.Reasons[r]++ }

// Add sums up two runs; heights and times are the greater ones.
func (s *Stats) Add(o Stats) {
	s.Steps, s.Frames, s.Lost, s.Hazards = s.Steps+o.Steps, s.Frames+o.Frames, s.Lost+o.Lost, s.Hazards+o.Hazards
	s.Results, s.Refusals, s.Again, s.Fallen = s.Results+o.Results, s.Refusals+o.Refusals, s.Again+o.Again, s.Fallen+o.Fallen
	s.Declined, s.Failed = s.Declined+o.Declined, s.Failed+o.Failed
	s.Asked, s.Changes, s.InARow, s.FetchedInChange = s.Asked+o.Asked, s.Changes+o.Changes, s.InARow+o.InARow, s.FetchedInChange+o.FetchedInChange
	s.Busiest = max(s.Busiest, o.Busiest)
	s.LeadersLost, s.Repeated = s.LeadersLost+o.LeadersLost, s.Repeated+o.Repeated
	s.TopView = max(s.TopView, o.TopView)
	s.Height, s.Records = max(s.Height, o.Height), max(s.Records, o.Records)
	s.Virtual, s.Recovery = s.Virtual+o.Virtual, max(s.Recovery, o.Recovery)
	sum(&s.Struck, o.Struck)
	sum(&s.Notes, o.Notes)
	sum(&s.Reasons, o.Reasons)
	sum(&s.Full, o.Full)
}

// sum adds counts to others.
func sum[K comparable](to *map[K]int, from map[K]int) {
	if *to == nil {
		*to = map[K]int{}
	}
	for k, n := range from {
		(*to)[k] += n
	}
}
