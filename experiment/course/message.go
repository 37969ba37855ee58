package course

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/experiment/spec"
	"quorate.dev/quorate/pbft/message"
)

// Message is what a frame says, as far as charts and the choice of decisive
// steps need it.
type Message struct {
	Kind    string // PRE-PREPARE, VIEW-CHANGE, REQUEST, REPLY, ...
	View    consensus.View
	Seq     consensus.Seq // 0 if it is about no slot, or about several
	Value   crypto.Digest // what is voted for; of a reply, its results
	Signer  consensus.ReplicaID
	Valued  bool              // Value means something
	Signed  bool              // Signer is who signed it, whoever sent it
	Request []crypto.Digest   // the requests that it is or carries
	Slots   []consensus.Seq   // with Seq 0: the slots that it speaks of
	Values  []crypto.Digest   // ... and what it says of each
	Holds   [][]crypto.Digest // ... and, of an append, the requests in each
	Signers []consensus.ReplicaID
	Decided consensus.Seq // up to where its sender says that all is decided
	Stored  consensus.Seq // up to where its sender says that it has what was appended
	Text    string        // more, for people: what a VIEW-CHANGE proves, say
}

// At is the saying as one about slot n, if it speaks of that among several.
func (s Message) At(n consensus.Seq) Message {
	for i, slot := range s.Slots {
		if s.Seq == 0 && slot == n && s.Kind == KindAppend {
			s.Seq, s.Value, s.Valued, s.Request = n, s.Values[i], true, s.Holds[i]
		}
	}
	return s
}

// Kinds of sayings that every protocol has, and the one in which Raft proposes.
const (
	KindRequest = "REQUEST"
	KindReply   = "REPLY"
	KindRefused = "REFUSED"
	KindAppend  = "MsgApp"
)

// maxListed bounds the slots that a saying lists.
const maxListed = 16

// Decoder understands the frames of one cluster. A frame that it does not
// understand is none of its protocol, or garbage.
type Decoder func(frame []byte) (Message, bool)

// NewDecoder makes the reader of a genesis' protocol. Callers: this package,
// and whoever draws steps.
func NewDecoder(g consensus.Genesis) (Decoder, error) {
	switch g.Protocol {
	case quorum.PBFT:
		rules, err := message.NewRules(g)
		if err != nil {
			return nil, fmt.Errorf("reader of frames: %w", err)
		}
		return func(frame []byte) (Message, bool) { return readPBFT(rules, frame) }, nil
	case quorum.Raft:
		return readRaft, nil
	}
	return nil, fmt.Errorf("%w: no reader for frames of protocol %q", spec.ErrSpec, g.Protocol)
}

// readAnswer reads what replicas of every protocol say to clients.
func readAnswer(frame []byte) (Message, bool) {
	if frame[0] == consensus.KindRefusal {
		r, err := consensus.DecodeRefusal(frame)
		if err != nil {
			return Message{}, false
		}
		return Message{Kind: KindRefused, View: r.View, Request: []crypto.Digest{r.Request}, Text: r.Code.String()}, true
	}
	r, err := consensus.DecodeReply(frame)
	if err != nil {
		return Message{}, false
	}
	value := crypto.Hash(consensus.AppendResults(nil, r.Results))
	return Message{Kind: KindReply, View: r.View, Seq: r.Seq, Value: value, Valued: true, Signer: r.Replica, Request: []crypto.Digest{r.Request}}, true
}

// asking is what a client's request says.
func asking(r *consensus.Request) Message {
	return Message{Kind: KindRequest, Request: []crypto.Digest{r.Digest}, Text: fmt.Sprintf("#%d", r.Sequence.Counter)}
}

// readPBFT reads a client's frame, or one of PBFT's; it verifies nothing.
func readPBFT(rules *message.Rules, frame []byte) (Message, bool) {
	if len(frame) == 0 {
		return Message{}, false
	}
	if frame[0] == consensus.KindReply || frame[0] == consensus.KindRefusal {
		return readAnswer(frame)
	}
	m, err := rules.Decode(frame)
	if err != nil {
		return Message{}, false
	}
	switch m := m.(type) {
	case *consensus.Request:
		return asking(m), true
	case *message.Vote:
		return vote(m), true
	case *message.PrePrepare:
		s := vote(&m.Vote)
		for _, r := range m.Batch.Requests {
			s.Request = append(s.Request, r.Digest)
		}
		return s, true
	case *message.ViewChange:
		return viewChange(m), true
	case *message.NewView:
		return newView(m), true
	}
	return Message{}, false
}

func vote(v *message.Vote) Message {
	return Message{Kind: v.Kind.String(), View: v.View, Seq: v.Seq, Value: v.Digest, Valued: true, Signer: v.Replica, Signed: true}
}

// viewChange says for which slots a prepared certificate is shown.
func viewChange(vc *message.ViewChange) Message {
	s := Message{Kind: message.ViewChangeKind.String(), View: vc.View, Signer: vc.Replica, Signed: true, Text: "P={"}
	for i, c := range vc.Prepared {
		if i == maxListed {
			break
		}
		s.Slots, s.Values = append(s.Slots, c.Seq), append(s.Values, c.Digest)
		s.Text += fmt.Sprintf("%d@%d ", c.Seq, c.View)
	}
	s.Text = trimSpace(s.Text) + "}"
	return s
}

// newView says what is proposed again, and by whose word.
func newView(nv *message.NewView) Message {
	s := Message{Kind: message.NewViewKind.String(), View: nv.View, Signer: nv.Replica, Signed: true, Text: "V={"}
	for _, vc := range nv.ViewChanges {
		s.Signers = append(s.Signers, vc.Replica)
		s.Text += fmt.Sprintf("R%d ", vc.Replica)
	}
	s.Text = trimSpace(s.Text) + "} O={"
	for i, p := range nv.Proposals {
		if i == maxListed {
			break
		}
		s.Slots, s.Values = append(s.Slots, p.Seq), append(s.Values, p.Digest)
		s.Text += fmt.Sprintf("%d ", p.Seq)
	}
	s.Text = trimSpace(s.Text) + "}"
	return s
}

func trimSpace(s string) string {
	if n := len(s); n > 0 && s[n-1] == ' ' {
		return s[:n-1]
	}
	return s
}
