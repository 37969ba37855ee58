package app

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
)

// errNotDue: a READ came before the height that it asks for was reached.
var errNotDue = errors.New("executed before its height")

// Look executes a READ on the state as it is, which no READ changes. Its
// operations are executed like those of a request, but for what Context says of
// ReadOnly. An error means the same as with Do.
func (m *Machine) Look(l *consensus.Lookup) (consensus.Finding, []consensus.Note, error) {
	if m.err != nil {
		return consensus.Finding{}, nil, m.err
	}
	q := l.Query
	f := consensus.Finding{Client: q.Client, Name: q.Name, Index: l.Index, Height: m.at.seq}
	if m.at.seq < l.Due() {
		m.err = fmt.Errorf("%w: a READ for %d at %d: %w", ErrJob, l.Due(), m.at.seq, errNotDue)
		return f, nil, m.err
	}
	var notes []consensus.Note
	ctx := Context{
		Client: q.Client, Role: m.roles.Of(q.Client), Seq: m.at.seq, Time: m.at.time, Limits: m.genesis.Limits,
		Order: m.at.order, Revision: m.at.revision(), ReadOnly: true,
	}
	ctx.ResultBytes = max(0, ctx.Limits.ResultBytes-2-4*len(q.Operations))
	f.Results = make([]consensus.Result, len(q.Operations))
	for i, op := range q.Operations {
		o := m.look(ctx, op)
		if o.err != nil {
			m.err = fmt.Errorf("READ of client %s: %w", q.Client.Short(), o.err)
			return f, nil, m.err
		}
		if o.panic != "" && len(notes) == 0 {
			notes = append(notes, consensus.Note{Kind: consensus.Alarm, Seq: m.at.seq, Text: fmt.Sprintf("a READ of client %s panicked: %s", q.Client.Short(), o.panic)})
		}
		f.Results[i] = o.result
		ctx.ResultBytes -= len(o.result.Data)
	}
	return f, notes, nil
}

// look executes one operation, of which nothing stays.
func (m *Machine) look(ctx Context, op []byte) outcome {
	tx := m.state.Begin()
	defer tx.Rollback()
	g := newGuard(tx, &m.genesis.Limits, ctx.Role)
	g.readOnly, g.unordered = true, true
	return g.run(m.application, ctx, op)
}
