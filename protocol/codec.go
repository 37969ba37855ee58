package protocol

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Codec reads the frames of one cluster for people, judges and traitors. It
// verifies nothing. In what Protocol.Codec returns no function is nil and all
// take any frame. A protocol leaves out those that it has no use for; it is not
// asked about empty frames, nor for kind and summary of those of clients.
type Codec struct {
	// Kind names the kind of a frame. A protocol's own answers "" for what it
	// does not know, which is then named by its number.
	Kind func(frame []byte) string
	// Opened names the kind of a message that Open made; "" = unknown.
	Opened func(message any) string
	// Counted names the kind under which a frame is counted, where Kind is too
	// coarse; "" = Kind will do.
	Counted func(frame []byte) string
	// Describe prints a frame on one line.
	Describe func(frame []byte) string
	// Promise extracts what a frame commits its author to.
	Promise func(frame []byte) (Promise, bool)
	// Floor extracts what an answer says of what is over for who sends it.
	Floor func(frame []byte) (Floor, bool)
	// Summary is what a frame says, as far as charts and the choice of decisive
	// steps need it. A frame that it does not understand is garbage, or none of
	// its protocol.
	Summary func(frame []byte) (Summary, bool)
	// Keep is as much of a frame as a transcript keeps; nil is nothing.
	Keep func(frame []byte) []byte
	// Signature finds where a frame's own signature begins, or that of a client
	// in it; below 0 = there is none.
	Signature func(frame []byte) int
}

// Promise is what a frame commits its author to: an honest replica never says
// another Content for the same Kind, View and Seq, in all its lives.
type Promise struct {
	Signer  consensus.ReplicaID
	Kind    uint8
	View    consensus.View
	Seq     consensus.Seq
	Content crypto.Digest
}

// Floor is what an answer says of the memory of who sends it. It is given in View,
// and where it is Kept an honest replica gives none in a lower one afterwards, in
// all its lives: a majority may rest on it that what is below is over.
type Floor struct {
	View consensus.View
	Kept bool
}

// Topic is what a frame is about, whatever its protocol calls it.
type Topic uint8

// The topics. Most frames are about a slot, or about nothing of interest.
const (
	AnySlot    Topic = iota
	Proposal         // what is to stand at a slot
	Succession       // who leads next: view changes, elections
	State            // a state: checkpoints, snapshots
)

// Summary is what a frame says.
type Summary struct {
	Kind    string // PRE-PREPARE, VIEW-CHANGE, REQUEST, REPLY, ...
	Topic   Topic
	View    consensus.View
	Seq     consensus.Seq // 0 if it is about no slot, or about several
	Value   crypto.Digest // what is voted for; of a reply, its results
	Signer  consensus.ReplicaID
	Valued  bool                  // Value means something
	Signed  bool                  // Signer is who signed it, whoever sent it
	Request []crypto.Digest       // the requests that it is or carries
	Slots   []consensus.Seq       // with Seq 0: the slots that it speaks of
	Values  []crypto.Digest       // ... and what it says of each
	Holds   [][]crypto.Digest     // ... and, of an append, the requests in each
	Signers []consensus.ReplicaID // of a frame that opens a view: on whose word
	Decided consensus.Seq         // up to where its sender says that all is decided
	Stored  consensus.Seq         // up to where its sender says that it has what was appended
	Text    string                // more, for people: what a VIEW-CHANGE proves, say
}

// Kinds of the frames between replicas and clients, in summaries.
const (
	KindRequest = "REQUEST"
	KindReply   = "REPLY"
	KindRefused = "REFUSED"
)

// maxSlots bounds the slots that a summary lists.
const maxSlots = 16

// At is the summary as one about slot n, if it appends to that among several.
func (s Summary) At(n consensus.Seq) Summary {
	for i, slot := range s.Slots {
		if s.Seq == 0 && slot == n && i < len(s.Holds) {
			s.Seq, s.Value, s.Valued, s.Request = n, s.Values[i], true, s.Holds[i]
		}
	}
	return s
}

// sharedKinds are those of package consensus.
var sharedKinds = map[byte]string{
	consensus.KindRequest: "REQUEST", consensus.KindOldRequest: "REQUEST", consensus.KindReply: "REPLY", consensus.KindRefusal: "REFUSAL", consensus.KindExplained: "REFUSAL",
	consensus.KindStatusQuery: "STATUS-QUERY", consensus.KindStatusReply: "STATUS-REPLY", consensus.KindClock: "CLOCK",
	consensus.KindRead: "READ", consensus.KindFinding: "READ-ANSWER",
}

// Codec is the reader of a cluster's frames.
func (p Protocol) Codec(g consensus.Genesis) Codec {
	var own Codec
	if p.NewCodec != nil {
		own = p.NewCodec(g)
	}
	c := Codec{
		Kind:    func(frame []byte) string { return kindOf(own.Kind, frame) },
		Summary: func(frame []byte) (Summary, bool) { return summaryOf(own.Summary, frame) },
		Opened:  own.Opened,
	}
	if own.Opened == nil {
		c.Opened = func(any) string { return "" }
	}
	c.Counted = total(own.Counted, func([]byte) string { return "" })
	c.Describe = total(own.Describe, c.Kind)
	c.Keep = total(own.Keep, func([]byte) []byte { return nil })
	c.Signature = total(own.Signature, signatureAtEnd)
	c.Promise, c.Floor = said(own.Promise), said(own.Floor)
	return c
}

// said is a protocol's own reader of what frames commit to, if it has one.
func said[T any](own func([]byte) (T, bool)) func([]byte) (T, bool) {
	return func(frame []byte) (said T, ok bool) {
		if own == nil || len(frame) == 0 {
			return said, false
		}
		return own(frame)
	}
}

// total is a protocol's own function where there is one, for frames that are not
// empty, and otherwise another.
func total[T any](own, other func([]byte) T) func([]byte) T {
	if own == nil {
		return other
	}
	return func(frame []byte) T {
		if len(frame) == 0 {
			return other(frame)
		}
		return own(frame)
	}
}

func kindOf(own func([]byte) string, frame []byte) string {
	if len(frame) == 0 {
		return "EMPTY"
	}
	if name := sharedKinds[frame[0]]; name != "" {
		return name
	}
	if own != nil {
		if name := own(frame); name != "" {
			return name
		}
	}
	return fmt.Sprintf("0X%02X", frame[0])
}

// summaryOf reads what every protocol's clients say and hear, and leaves the
// rest to the protocol.
func summaryOf(own func([]byte) (Summary, bool), frame []byte) (Summary, bool) {
	switch {
	case len(frame) == 0:
		return Summary{}, false
	case consensus.IsRequest(frame):
		r, err := consensus.DecodeRequest(frame)
		if err != nil {
			return Summary{}, false
		}
		return Summary{Kind: KindRequest, Request: []crypto.Digest{r.Digest}, Text: fmt.Sprintf("#%d", r.Sequence.Counter)}, true
	case frame[0] == consensus.KindRefusal, frame[0] == consensus.KindExplained:
		r, err := consensus.DecodeRefusal(frame)
		if err != nil {
			return Summary{}, false
		}
		return Summary{Kind: KindRefused, View: r.View, Request: []crypto.Digest{r.Request}, Text: r.Code.String()}, true
	case frame[0] == consensus.KindReply:
		r, err := consensus.DecodeReply(frame)
		if err != nil {
			return Summary{}, false
		}
		value := crypto.Hash(consensus.AppendResults(nil, r.Results))
		return Summary{Kind: KindReply, View: r.View, Seq: r.Seq, Value: value, Valued: true, Signer: r.Replica, Request: []crypto.Digest{r.Request}}, true
	case own != nil:
		return own(frame)
	}
	return Summary{}, false
}

func signatureAtEnd(frame []byte) int { return len(frame) - crypto.SignatureSize }
