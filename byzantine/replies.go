package byzantine

import (
	"slices"

	"quorate.dev/quorate/consensus"
)

// Mouth is what a traitor's host sends its replies through on their way to
// clients: the honest have none. It shares nothing with the engine, for hosts
// execute beside it. Not safe for concurrent use.
//
// A mouth has no clock: behaviours with after= or until= leave replies alone,
// and so do those for which to= names replicas, or kind= leaves REPLY out.
type ReplyFilter struct {
	env     Env
	current func() *Plan
	plan    *Plan
	filters []replyFunc
}

// voice is one behaviour at work on replies. It changes copies: the host's own
// sessions remember what it is handed.
type replyFunc func([]consensus.Reply) []consensus.Reply

// NewMouth makes the mouth of the same traitor.
func NewReplyFilter(env Env, current func() *Plan) *ReplyFilter {
	return &ReplyFilter{env: env, current: current}
}

// Say returns what is said in the place of rs.
func (m *ReplyFilter) Apply(rs []consensus.Reply) []consensus.Reply {
	if p := m.current(); p != m.plan {
		m.plan, m.filters = p, nil
		if p != nil {
			// Plan has made these voices once already, so that they can be made.
			m.filters, _ = m.env.replyFuncs(p.specs)
		}
	}
	if len(m.filters) > 0 {
		rs = slices.Clone(rs)
	}
	for _, v := range m.filters {
		rs = v(rs)
	}
	return rs
}

// voices makes what the specs ask for.
func (e *Env) replyFuncs(specs []Spec) ([]replyFunc, error) {
	var vs []replyFunc
	for _, s := range specs {
		entry, s, err := complete(s, false, e.Genesis.Protocol)
		if err != nil {
			return nil, err
		}
		switch {
		case entry.replies == nil:
			continue
		case !s.forReplies() && entry.Intercept == nil:
			return nil, &ParamError{Behaviour: s.Name, Word: "to, kind, after, until", Why: "replies go to clients and know no clock: choose by client=, and change plans over time"}
		case !s.forReplies():
			continue
		}
		v, err := entry.replies(e, s)
		if err != nil {
			return nil, err
		}
		vs = append(vs, e.sometimes(s.Chance, v))
	}
	return vs, nil
}

// sometimes hands a voice only a share of the replies. Which ones follows from
// the request, so that a gang chooses the same.
func (e *Env) sometimes(chance int, v replyFunc) replyFunc {
	if chance == 0 {
		return v
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
		return append(plain, v(chosen)...)
	}
}

// forReplies reports whether a behaviour is for replies, too.
func (s *Spec) forReplies() bool {
	return s.After == 0 && s.Until == 0 && s.To == nil && (s.Kinds == nil || slices.Contains(s.Kinds, "REPLY"))
}
