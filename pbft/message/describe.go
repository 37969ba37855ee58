package message

import (
	"fmt"
	"strings"

	"quorate.dev/quorate/consensus"
)

// Describe prints a frame on one line for traces and people; it verifies
// nothing.
func (r *Rules) Describe(frame []byte) string {
	if len(frame) == 0 {
		return "empty frame"
	}
	m, err := r.decodeAny(frame)
	if err != nil {
		return fmt.Sprintf("%s (%v)", Kind(frame[0]), err)
	}
	switch m := m.(type) {
	case *consensus.Request:
		return fmt.Sprintf("REQUEST %s #%d", m.Client.Short(), m.Sequence.Counter)
	case *Vote:
		return m.String()
	case *PrePrepare:
		return fmt.Sprintf("%s [%d requests]", m.Vote, len(m.Batch.Requests))
	case *ViewChange:
		return fmt.Sprintf("VIEW-CHANGE v=%d h=%d P={%s} R%d", m.View, m.Low, slots(m.Prepared), m.Replica)
	case *NewView:
		return describeNewView(m)
	case *Status:
		return fmt.Sprintf("STATUS v=%d changing=%v h=%d executed=%d", m.View, m.Changing, m.Low, m.Executed)
	case *Fetch:
		return fmt.Sprintf("FETCH %s n=%d items=%d", m.What, m.Seq, len(m.Items))
	case *FetchReply:
		return fmt.Sprintf("FETCH-REPLY %s n=%d parts=%d gone=%v", m.What, m.Seq, len(m.Parts), m.Gone)
	case *Rejoin:
		return "REJOIN"
	case *RejoinAnswer:
		return fmt.Sprintf("REJOIN-ANSWER amnesiac=%v checkpoint=%v view=%v", m.Amnesiac, m.Checkpoint != nil, m.NewView != nil)
	}
	return Kind(frame[0]).String()
}

func describeNewView(m *NewView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "NEW-VIEW v=%d V={", m.View)
	for i, vc := range m.ViewChanges {
		fmt.Fprintf(&b, "%sR%d", comma(i), vc.Replica)
	}
	b.WriteString("} O={")
	for i, p := range m.Proposals {
		fmt.Fprintf(&b, "%s%d:%s", comma(i), p.Seq, short(p.Digest))
	}
	b.WriteString("}")
	return b.String()
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return " "
}

func slots(certificates []*Certificate) string {
	var b strings.Builder
	for i, c := range certificates {
		fmt.Fprintf(&b, "%s%d@%d", comma(i), c.Seq, c.View)
	}
	return b.String()
}

// decodeAny decodes a frame as if it came from replica 0, without a horizon.
func (r *Rules) decodeAny(frame []byte) (any, error) {
	if consensus.IsRequest(frame) {
		req, err := consensus.DecodeRequest(frame)
		return req, err
	}
	var o opening
	m, err := r.decodeMessage(nil, consensus.Frame{From: consensus.ReplicaPeer(0), Bytes: frame}, &o)
	return m, err
}

// Decode decodes one of a replica's own recorded frames, which were
// authenticated before they were recorded. Caller: recovery from the log.
func (r *Rules) Decode(frame []byte) (any, error) {
	if len(frame) == 0 {
		return nil, consensus.ErrMalformed
	}
	m, err := r.decodeAny(frame)
	return m, err
}

// Promise is what a frame commits its signer to: what an honest replica says
// at most once per (Kind, View, Seq). Checkers compare promises over all lives
// of a replica.
type Promise struct {
	Kind    Kind
	View    consensus.View
	Seq     consensus.Seq
	Replica consensus.ReplicaID
	Content string // what must not differ
}

// Promised extracts the promise of a signed frame; ok is false for frames that
// promise nothing.
func (r *Rules) Promised(frame []byte) (p Promise, ok bool) {
	m, err := r.Decode(frame)
	if err != nil {
		return Promise{}, false
	}
	switch m := m.(type) {
	case *Vote:
		return promise(m), true
	case *PrePrepare:
		return promise(&m.Vote), true
	case *ViewChange:
		return Promise{Kind: ViewChangeKind, View: m.View, Replica: m.Replica, Content: string(m.Frame)}, true
	case *NewView:
		return Promise{Kind: NewViewKind, View: m.View, Replica: m.Replica, Content: string(m.Frame)}, true
	}
	return Promise{}, false
}

func promise(v *Vote) Promise {
	return Promise{Kind: v.Kind, View: v.View, Seq: v.Seq, Replica: v.Replica, Content: v.Digest.String()}
}
