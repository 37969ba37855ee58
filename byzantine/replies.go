package byzantine

import (
	"slices"

	"quorate.dev/quorate/consensus"
)

// ReplyFilter is what a traitor's host sends its replies through on their way to
// clients; an honest host has none. It shares nothing with the engine, beside
// which hosts execute. Not safe for concurrent use.
//
// It has no clock: behaviours with after= or until= leave replies alone, and so
// do those for which to= names replicas, or kind= leaves REPLY out.
type ReplyFilter struct {
	env     Env
	current func() *Plan
	plan    *Plan
	filters []replyFunc

	findings []findingFunc
}

// replyFunc is one behaviour at work on replies. It changes copies, because the
// host's own sessions remember what it is handed.
type replyFunc func([]consensus.Reply) []consensus.Reply

// NewReplyFilter makes the reply filter of the same traitor.
func NewReplyFilter(env Env, current func() *Plan) *ReplyFilter {
	return &ReplyFilter{env: env, current: current}
}

// Apply returns what is sent in the place of rs.
func (m *ReplyFilter) Apply(rs []consensus.Reply) []consensus.Reply {
	m.follow()
	if len(m.filters) > 0 {
		rs = slices.Clone(rs)
	}
	for _, v := range m.filters {
		rs = v(rs)
	}
	return rs
}

// follow puts a new plan on.
func (m *ReplyFilter) follow() {
	p := m.current()
	if p == m.plan {
		return
	}
	m.plan, m.filters, m.findings = p, nil, nil
	if p != nil {
		// Plan has made these once already, so that they can be made.
		m.filters, _ = m.env.replyFuncs(p.specs)
		m.findings, _ = m.env.findingFuncs(p.specs)
	}
}

// replyFuncs makes what complete specs ask for.
func (e *Env) replyFuncs(specs []Spec) ([]replyFunc, error) {
	var all []replyFunc
	for _, s := range specs {
		p := s.Profile
		switch {
		case p.replies == nil:
			continue
		case !s.forReplies() && p.OnReplies():
			return nil, &paramError{Behaviour: p.Name, Word: "to, kind, after, until", Why: "replies go to clients and know no clock: choose by client=, and change plans over time"}
		case !s.forReplies():
			continue
		}
		f, err := p.replies(e, s)
		if err != nil {
			return nil, err
		}
		all = append(all, e.sometimes(s.Chance, f))
	}
	return all, nil
}

// sometimes hands f only a share of the replies. Which ones follows from the
// request, so that all of a coalition choose the same.
func (e *Env) sometimes(chance int, f replyFunc) replyFunc {
	if chance == 0 {
		return f
	}
	return func(rs []consensus.Reply) []consensus.Reply {
		var plain, chosen []consensus.Reply
		for _, r := range rs {
			if e.sharedRand("reply to "+r.Request.String()).IntN(million) < chance {
				chosen = append(chosen, r)
			} else {
				plain = append(plain, r)
			}
		}
		return append(plain, f(chosen)...)
	}
}

// forReplies reports whether a behaviour is for replies, too.
func (s *Spec) forReplies() bool {
	return s.After == 0 && s.Until == 0 && s.To == nil && (s.Kinds == nil || slices.Contains(s.Kinds, "REPLY"))
}
