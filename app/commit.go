package app

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/consensus"
)

// commit executes one batch (PROTOCOL.md §4): each request in order and
// exactly once, whatever it was that put it into the batch.
func (m *Machine) commit(c *consensus.Commit, out *Outcome) (*Task, error) {
	switch {
	case m.state.Restoring() > 0:
		return nil, fmt.Errorf("%w: commit %d while a restore is open", ErrJob, c.Seq)
	case c.Seq <= m.at.seq:
		return nil, nil
	case c.Seq != m.at.seq+1:
		return nil, fmt.Errorf("%w: commit %d after %d", ErrJob, c.Seq, m.at.seq)
	case c.Digest != c.Batch.Digest():
		// What is executed is the certified batch, nothing that resembles it.
		return nil, fmt.Errorf("%w: commit %d of %s carries another batch", ErrJob, c.Seq, c.Digest.Short())
	}
	m.at.advance(c)
	m.view = c.View
	refused := len(out.Refusals)
	if c.Batch != nil {
		for _, req := range c.Batch.Requests {
			if err := m.request(req, out); err != nil {
				return nil, fmt.Errorf("batch %d: client %s: %w", c.Seq, req.Client.Short(), err)
			}
		}
	}
	tx := m.state.Begin()
	m.table.writeReplies(tx)
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("batch %d: %w", c.Seq, err)
	}
	done := consensus.Executed{Seq: c.Seq}
	if all := slices.Clone(out.Refusals[refused:]); len(all) > 0 {
		done.Refused = &all
	}
	out.Events = append(out.Events, done)
	if c.Seq%m.genesis.CheckpointInterval > 0 {
		return nil, nil
	}
	return m.mark(c.Seq)
}

// request executes one request of a batch, or answers it from its session, or
// refuses it. The genesis' rules are judged again although Open judged them:
// what a replica executes must not rest on what another one checked.
func (m *Machine) request(req *consensus.Request, out *Outcome) error {
	if code := m.genesis.CheckRequest(m.roles, req); code != 0 {
		m.refuse(req, code, consensus.Times{}, out)
		return nil
	}
	s, err := m.table.find(m.state, req.Client)
	if err != nil {
		return err
	}
	v := m.table.judge(s, req, m.at.time)
	switch {
	case v.code != 0:
		m.refuse(req, v.code, m.times(s, req, v.code), out)
		return nil
	case v.cached != nil:
		return m.answerCached(req, v.cached, out)
	}
	results, err := m.execute(req, out)
	if err != nil {
		return err
	}
	record := encodeReply(req.Sequence.Counter, req.Digest, m.at.seq, results)
	m.table.record(s, req, m.at.time, record)
	m.reply(consensus.Reply{Client: req.Client, Request: req.Digest, Sequence: req.Sequence, Seq: m.at.seq, Results: results}, out)
	return nil
}

// execute executes the operations of one request, each in a transaction of
// its own. Their results share Limits.ResultBytes; four bytes of it are set
// aside for each, so that the last one can still say that there is no room.
func (m *Machine) execute(req *consensus.Request, out *Outcome) ([]consensus.Result, error) {
	ctx := Context{Client: req.Client, Role: m.roles.Of(req.Client), Seq: m.at.seq, Time: m.at.time, Limits: m.genesis.Limits}
	ctx.ResultBytes = max(0, ctx.Limits.ResultBytes-2-4*len(req.Operations))
	results := make([]consensus.Result, len(req.Operations))
	for i, op := range req.Operations {
		m.at.order++
		ctx.Order, ctx.Revision = m.at.order, m.at.revision()
		tx := m.state.Begin()
		g := newGuard(tx, &m.genesis.Limits, ctx.Role)
		o := g.run(m.application, ctx, op)
		if o.err != nil || o.result.Code != consensus.ResultOK {
			tx.Rollback()
		} else {
			o.err = tx.Commit()
			m.at.changed(g.wrote)
		}
		if o.err != nil {
			return nil, o.err
		}
		if o.panic != "" {
			out.note(consensus.Note{Kind: consensus.Alarm, Seq: m.at.seq, Digest: req.Digest,
				Text: fmt.Sprintf("operation %d of client %s panicked: %s", i, req.Client.Short(), o.panic)})
		}
		results[i] = o.result
		ctx.ResultBytes -= len(o.result.Data)
	}
	return results, nil
}

// settle writes everything that the root must cover and that was held in
// memory since the last checkpoint.
func (m *Machine) settle() error {
	tx := m.state.Begin()
	defer tx.Rollback()
	m.table.flush(tx)
	if err := m.table.expire(m.state, tx, m.at.time); err != nil {
		return err
	}
	m.at.sessions, m.at.foreign = m.table.sessions, m.table.foreign
	tx.Put(positionKey, m.at.encode())
	return tx.Commit()
}

// answer answers a client whose request seems to have been executed. It says
// only what stays true: that a request is ahead, or expired, is for its
// execution to find out, at the time that holds then. So the engine is told to
// have it ordered: its session may have been dropped since.
func (m *Machine) answer(req *consensus.Request, out *Outcome) error {
	if m.state.Restoring() > 0 {
		return nil // the sessions are those of an older height
	}
	s, err := m.table.peek(m.state, req.Client)
	if err != nil {
		return err
	}
	v := m.table.judge(s, req, m.at.time)
	switch {
	case v.cached != nil:
		err = m.answerCached(req, v.cached, out)
	case v.code == consensus.RefusedStale:
		m.refuse(req, v.code, m.times(s, req, v.code), out)
	default:
		out.Events = append(out.Events, consensus.Unsettled{Request: req})
		return nil
	}
	out.Events = append(out.Events, consensus.Settled{Request: req})
	return err
}

// answerCached answers an executed request from its session. Another request
// under the same sequence is stale.
func (m *Machine) answerCached(req *consensus.Request, e *execution, out *Outcome) error {
	if out.full(e.size) {
		return nil
	}
	reply, err := m.table.reply(m.state, e, req)
	switch {
	case err != nil:
		return err
	case reply == nil:
		m.refuse(req, consensus.RefusedStale, consensus.Times{}, out)
	default:
		m.reply(*reply, out)
	}
	return nil
}

// reply adds a reply to the outcome, as far as the outcome may grow.
func (m *Machine) reply(r consensus.Reply, out *Outcome) {
	size := resultsSize(r.Results)
	if out.full(size) {
		return
	}
	out.replyBytes += size
	r.View, r.Replica = m.view, m.replica
	out.Replies = append(out.Replies, r)
}

// full says that a reply of that size would be one too many.
func (o *Outcome) full(size int) bool {
	return len(o.Replies) > 0 && o.replyBytes+size > MaxReplyBytes
}

func (m *Machine) refuse(req *consensus.Request, code consensus.RefusalCode, t consensus.Times, out *Outcome) {
	out.Refusals = append(out.Refusals, consensus.Refusal{
		Client: req.Client, Request: req.Digest, Sequence: req.Sequence, Code: code, View: m.view, Times: t,
	})
}
