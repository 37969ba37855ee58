package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/protocol"
)

// reporter turns an engine's notes into log lines and counts: one INFO line for
// each view entered, at most one a second for checkpoints, WARN for what an
// operator should look at, DEBUG for the rest. The loop and the executor call
// it.
type reporter struct {
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time
	view    string // what the protocol calls it
	lead    string // ... and who leads it, if that is not known by its number

	mu         sync.Mutex
	checkpoint time.Time // when one was last logged
	skipped    int       // checkpoints since
	warned     map[consensus.NoteKind]*warning
	left       consensus.Note // why the last view was left
}

// warning bounds the WARN lines of one kind: a peer that serves bad parts a
// thousand times a second must not fill the disk with our complaints.
type warning struct {
	at      time.Time
	skipped int
}

// reportEvery is the least time between two lines of one kind.
const reportEvery = time.Second

// newReporter makes a reporter that has reported nothing yet.
func newReporter(log *slog.Logger, m *metrics, p protocol.Protocol) *reporter {
	r := &reporter{log: log, metrics: m, now: time.Now, view: p.Words.View, warned: make(map[consensus.NoteKind]*warning)}
	if p.Elected {
		r.lead = p.Words.Lead
	}
	return r
}

// report counts every note and logs those that are worth a line.
func (r *reporter) report(notes []consensus.Note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range notes {
		n := &notes[i]
		r.metrics.notes.WithLabelValues(string(n.Kind)).Inc()
		if n.Kind == consensus.Ignored {
			r.metrics.ignored.WithLabelValues(string(n.Reason)).Inc()
		}
		r.line(n)
	}
}

// line decides who would want to read it: an operator who looks once a day, one
// who was woken, or a developer.
func (r *reporter) line(n *consensus.Note) {
	switch n.Kind {
	case consensus.EnteredView:
		r.log.Info("entered "+r.view, r.entered(n)...)
	case consensus.LeftView:
		r.left = *n
		r.debug(n)
	case consensus.Stable:
		r.stable(n)
	case consensus.Restarted, consensus.Rejoining, consensus.Rejoined, consensus.Fetching, consensus.Fetched:
		r.log.Info(string(n.Kind), r.attributes(n)...)
	case consensus.Alarm, consensus.SetBack, consensus.Diverged, consensus.EvidenceNote, consensus.BadPart:
		r.warn(n)
	default:
		r.debug(n)
	}
}

// entered are the fields of a view entered, without those that say nothing.
func (r *reporter) entered(n *consensus.Note) []any {
	a := []any{r.view, n.View}
	if r.lead != "" {
		a = append(a, r.lead, n.Replica)
	} else {
		a = append(a, "seq", n.Seq)
	}
	if r.left.Reason != "" {
		a = append(a, "left_because", r.left.Reason)
	}
	if n.Text != "" {
		a = append(a, "note", n.Text)
	}
	return a
}

// stable logs checkpoints, at most one a second: under load there are dozens.
func (r *reporter) stable(n *consensus.Note) {
	now := r.now()
	if now.Sub(r.checkpoint) < reportEvery {
		r.skipped++
		return
	}
	r.log.Info("checkpoint is stable", "seq", n.Seq, "root", n.Digest.Short(), "since_last_line", r.skipped+1)
	r.checkpoint, r.skipped = now, 0
}

// warn logs a note that an operator should look at, and how many were withheld.
func (r *reporter) warn(n *consensus.Note) {
	w := r.warned[n.Kind]
	if w == nil {
		w = &warning{}
		r.warned[n.Kind] = w
	}
	now := r.now()
	if now.Sub(w.at) < reportEvery {
		w.skipped++
		return
	}
	r.log.Warn(string(n.Kind), append(r.attributes(n), "not_shown", w.skipped)...)
	w.at, w.skipped = now, 0
}

// debug formats nothing unless somebody wants to read it.
func (r *reporter) debug(n *consensus.Note) {
	if r.log.Enabled(context.Background(), slog.LevelDebug) {
		r.log.Debug(n.String())
	}
}

// attributes are the fields of a note that say something.
func (r *reporter) attributes(n *consensus.Note) []any {
	a := []any{r.view, n.View, "seq", n.Seq}
	switch n.Kind {
	case consensus.BadPart, consensus.EvidenceNote:
		a = append(a, "about", n.Replica)
	}
	if n.Reason != "" {
		a = append(a, "reason", n.Reason)
	}
	if n.Text != "" {
		a = append(a, "text", n.Text)
	}
	return a
}
