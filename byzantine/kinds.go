package byzantine

import (
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/pbft/message"
	"quorate.dev/quorate/raft"
)

// namer names the kinds of one protocol's frames and messages.
type namer struct {
	kinds []string                  // all names beside the shared ones
	look  func(frame []byte) string // the kind of a frame that is none of the shared ones; "" = unknown
	heard func(message any) string  // the kind of a message that Open made; "" = unknown
}

// namers by protocol. Of a protocol that does not stand here, kinds are named
// by their number, such as 0X10, and messages are of the kind MESSAGE.
var namers = map[string]namer{
	"pbft": {kinds: pbftKinds(), look: pbftLook, heard: pbftHeard},
	"raft": {kinds: raft.KindNames(), look: raft.FrameKind, heard: raft.MessageName},
}

// sharedKinds are those of package consensus.
var sharedKinds = map[byte]string{
	consensus.KindRequest: "REQUEST", consensus.KindReply: "REPLY", consensus.KindRefusal: "REFUSAL",
	consensus.KindStatusQuery: "STATUS-QUERY", consensus.KindStatusReply: "STATUS-REPLY",
}

func pbftKinds() []string {
	var names []string
	for k := message.PrePrepareKind; k <= message.RejoinAnswerKind; k++ {
		names = append(names, k.String())
	}
	return names
}

func pbftLook(frame []byte) string {
	if k := message.Kind(frame[0]); k >= message.PrePrepareKind && k <= message.RejoinAnswerKind {
		return k.String()
	}
	return ""
}

func pbftHeard(m any) string {
	switch m := m.(type) {
	case *message.Vote:
		return m.Kind.String()
	case *message.PrePrepare:
		return message.PrePrepareKind.String()
	case *message.ViewChange:
		return message.ViewChangeKind.String()
	case *message.NewView:
		return message.NewViewKind.String()
	case *message.Status:
		return message.StatusKind.String()
	case *message.Fetch:
		return message.FetchKind.String()
	case *message.Given:
		return message.GivenKind.String()
	case *message.Rejoin:
		return message.RejoinKind.String()
	case *message.RejoinAnswer:
		return message.RejoinAnswerKind.String()
	}
	return ""
}

// frame names the kind of a frame.
func (n *namer) frame(b []byte) string {
	if len(b) == 0 {
		return "EMPTY"
	}
	if name := sharedKinds[b[0]]; name != "" {
		return name
	}
	if n.look != nil {
		if name := n.look(b); name != "" {
			return name
		}
	}
	return fmt.Sprintf("0X%02X", b[0])
}

// event names the kind of what was heard; "" for the host's own events.
func (n *namer) event(e consensus.Event) string {
	switch e := e.(type) {
	case consensus.Submit:
		return "REQUEST"
	case consensus.Receive:
		if n.heard != nil {
			if name := n.heard(e.Message); name != "" {
				return name
			}
		}
		return "MESSAGE"
	}
	return ""
}

// check refuses names that no frame of the protocol has.
func (n *namer) check(s *Spec) error {
	for _, k := range s.Kinds {
		known := named(n.kinds, k) || named([]string{"REQUEST", "REPLY", "REFUSAL"}, k) ||
			n.kinds == nil && (k == "MESSAGE" || strings.HasPrefix(k, "0X"))
		if !known {
			return &ParamError{Behaviour: s.Name, Word: "kind=" + k, Why: "known kinds are REQUEST, REPLY, REFUSAL, " + strings.Join(n.kinds, ", ")}
		}
	}
	return nil
}

// named reports whether a name stands in a list. Capitals make no difference:
// each protocol's kinds are spelled as its own people spell them.
func named(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
