package protocol

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"quorate.dev/quorate/checkpoint"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/pbft"
	"quorate.dev/quorate/pbft/message"
)

// pbftProtocol is the protocol that this project is about: package pbft.
func pbftProtocol() Protocol {
	return Protocol{
		Name: PBFT, Title: "PBFT", Model: quorum.Byzantine, Signed: true, Rejoins: true,
		Words: Words{View: "view", Lead: "primary", Follow: "backup", Between: "changing view", Place: "sequence"},
		Kinds: pbftKinds(),
		Decisive: []byte{
			byte(message.PrePrepareKind), byte(message.PrepareKind), byte(message.CommitKind),
			byte(message.CheckpointKind), byte(message.ViewChangeKind), byte(message.NewViewKind),
		},
		NewCodec: pbftCodec, Reasons: pbft.Reasons(),
		OutOfReach: map[consensus.Reason]string{
			message.ReasonNotAsked:              "there is no gossip topic in the simulator",
			message.ReasonOversized:             "takes a frame of 8 MiB, which would cost more than all else",
			"not from a replica":                "Open lets nobody else say what can be held",
			"peer asks too much":                "the allowance is megabytes; the states here are small",
			"too early, and no room to hold it": "takes a thousand messages of one peer between two steps forward",
			"slot is settled by the NEW-VIEW":   "takes a primary that proposes below its own NEW-VIEW",
			checkpoint.ReasonSuperseded:         "takes two votes of one replica, windows ahead, in the wrong order",
		},
		Costs: pbftCosts(), New: newPBFT,
	}
}

func newPBFT(s Settings) (consensus.Protocol, error) {
	c := pbft.DefaultConfig(s.Genesis, s.Self, s.Signer, s.Verifier)
	c.TickLength, c.Patience, c.PatienceCap, c.CheckEachStep = s.TickLength, s.Patience, s.PatienceCap, s.CheckEachStep
	c.Pipeline = cmp.Or(s.Pipeline, min(c.Pipeline, int(s.Genesis.Window)))
	c.StatusEvery, c.RejoinEvery = cmp.Or(s.StatusEvery, c.StatusEvery), cmp.Or(s.RejoinEvery, c.RejoinEvery)
	c.PendingCount, c.PendingBytes = cmp.Or(s.PendingCount, c.PendingCount), cmp.Or(s.PendingBytes, c.PendingBytes)
	return pbft.New(c)
}

func pbftKinds() []string {
	var names []string
	for k := message.PrePrepareKind; k <= message.RejoinAnswerKind; k++ {
		names = append(names, k.String())
	}
	return names
}

// pbftCheckpointKind is a FETCH-REPLY with a checkpoint's certificate, which the
// primary tells everyone who listens now and then.
const pbftCheckpointKind = "FETCH-REPLY, checkpoint"

// pbftCodec reads nothing for a genesis that no cluster could have.
func pbftCodec(g consensus.Genesis) Codec {
	rules, err := message.NewRules(g)
	if err != nil {
		return Codec{}
	}
	return Codec{
		Kind: func(frame []byte) string {
			if k := message.Kind(frame[0]); k >= message.PrePrepareKind && k <= message.RejoinAnswerKind {
				return k.String()
			}
			return ""
		},
		Opened: pbftOpened, Describe: rules.Describe, Keep: pbftKeep, Signature: pbftSignature,
		Counted: func(frame []byte) string {
			if len(frame) > 1 && frame[0] == byte(message.FetchReplyKind) && frame[1] == byte(message.WhatCheckpoint) {
				return pbftCheckpointKind
			}
			return ""
		},
		Promise: func(frame []byte) (Promise, bool) {
			p, ok := rules.Promised(frame)
			if !ok {
				return Promise{}, false
			}
			return Promise{Signer: p.Replica, Kind: uint8(p.Kind), View: p.View, Seq: p.Seq, Content: crypto.Hash([]byte(p.Content))}, true
		},
		Summary: func(frame []byte) (Summary, bool) {
			m, err := rules.Decode(frame)
			if err != nil {
				return Summary{}, false
			}
			return pbftSummary(m)
		},
	}
}

func pbftOpened(m any) string {
	switch m := m.(type) {
	case *message.Vote:
		return m.Kind.String()
	case *message.Said:
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
	case *message.FetchReply:
		return message.FetchReplyKind.String()
	case *message.Rejoin:
		return message.RejoinKind.String()
	case *message.RejoinAnswer:
		return message.RejoinAnswerKind.String()
	}
	return ""
}

// pbftKeep keeps all that replicas sign, of a proposal a copy of the vote, for
// the rest must not wait with it. Batches come with commits.
func pbftKeep(frame []byte) []byte {
	switch k := message.Kind(frame[0]); {
	case k == message.PrePrepareKind:
		return bytes.Clone(frame[:min(len(frame), message.VoteSize)])
	case k > message.PrePrepareKind && k <= message.NewViewKind, k == message.RejoinAnswerKind:
		return frame
	}
	return nil
}

func pbftSignature(frame []byte) int {
	switch k := message.Kind(frame[0]); {
	case k == message.PrePrepareKind && len(frame) >= message.VoteSize:
		return message.VoteSize - crypto.SignatureSize
	case k > message.PrePrepareKind && k <= message.NewViewKind, consensus.IsRequest(frame):
		return signatureAtEnd(frame)
	}
	return -1
}

func pbftSummary(m any) (Summary, bool) {
	switch m := m.(type) {
	case *message.Vote:
		return pbftVote(m), true
	case *message.PrePrepare:
		s := pbftVote(&m.Vote)
		s.Topic = Proposal
		for _, r := range m.Batch.Requests {
			s.Request = append(s.Request, r.Digest)
		}
		return s, true
	case *message.ViewChange:
		return pbftViewChange(m), true
	case *message.NewView:
		return pbftNewView(m), true
	}
	return Summary{}, false
}

func pbftVote(v *message.Vote) Summary {
	topic := AnySlot
	if v.Kind == message.CheckpointKind {
		topic = State
	}
	return Summary{Topic: topic, Kind: v.Kind.String(), View: v.View, Seq: v.Seq, Value: v.Digest, Valued: true, Signer: v.Replica, Signed: true}
}

// pbftViewChange says for which slots a prepared certificate is shown.
func pbftViewChange(vc *message.ViewChange) Summary {
	s := Summary{Topic: Succession, Kind: message.ViewChangeKind.String(), View: vc.View, Signer: vc.Replica, Signed: true}
	var proved []string
	for _, c := range vc.Prepared[:min(len(vc.Prepared), maxSlots)] {
		s.Slots, s.Values = append(s.Slots, c.Seq), append(s.Values, c.Digest)
		proved = append(proved, fmt.Sprintf("%d@%d", c.Seq, c.View))
	}
	s.Text = "P={" + strings.Join(proved, " ") + "}"
	return s
}

// pbftNewView says what is proposed again, and by whose word.
func pbftNewView(nv *message.NewView) Summary {
	s := Summary{Topic: Succession, Kind: message.NewViewKind.String(), View: nv.View, Signer: nv.Replica, Signed: true}
	var by, proposed []string
	for _, vc := range nv.ViewChanges {
		s.Signers = append(s.Signers, vc.Replica)
		by = append(by, fmt.Sprintf("R%d", vc.Replica))
	}
	for _, p := range nv.Proposals[:min(len(nv.Proposals), maxSlots)] {
		s.Slots, s.Values = append(s.Slots, p.Seq), append(s.Values, p.Digest)
		proposed = append(proposed, fmt.Sprint(p.Seq))
	}
	s.Text = "V={" + strings.Join(by, " ") + "} O={" + strings.Join(proposed, " ") + "}"
	return s
}

// pbftVoteBytes is what a vote weighs: kind, view, slot, digest, replica,
// signature. A PRE-PREPARE is one with the batch behind it.
const pbftVoteBytes = 1 + 8 + 8 + 32 + 2 + 64

// pbftCosts: the primary's PRE-PREPARE is its vote, so that it sends no
// PREPARE. Every message is signed once, and checked by each for whom it completes
// a quorum. On the way to an answer the COMMITs are written down before they are
// said, with all that led to them: the proposal and the PREPAREs leave under a
// lease. STATUS goes to all every 250 ms. A
// READ goes to all, and all answer.
func pbftCosts() Costs {
	return Costs{
		Kinds: []FrameKind{
			{"PRE-PREPARE", Agreement}, {"PREPARE", Agreement}, {"COMMIT", Agreement},
			{"CHECKPOINT", Upkeep}, {pbftCheckpointKind, Upkeep}, {"STATUS", Upkeep}, {"CLOCK", Upkeep},
		},
		Sizes: []int{4, 7, 10, 13},
		Decision: func(n int) Expected {
			e := expect(Expected{
				ByKind: map[string]int{"PRE-PREPARE": n - 1, "PREPARE": (n - 1) * (n - 1), "COMMIT": n * (n - 1)},
				Signed: 1 + (n - 1) + n, Admitted: n, Forced: n, Delays: 5, Syncs: 1, Textbook: "2n²",
			})
			// Beside its own votes a replica needs q-1 COMMITs, and q-1 of the
			// PRE-PREPARE and the PREPAREs.
			q := quorum.Byzantine.System(n).Quorum()
			e.Verified = 2 * n * (q - 1)
			return e
		},
		Bytes: func(n, batch int) int { return (n - 1) * (batch + 2*n*pbftVoteBytes) },
		Read: func(n int) Expected {
			return expect(Expected{ByKind: map[string]int{"READ": n, "READ-ANSWER": n}, Delays: 2})
		},
		ReadBytes:  func(n, bytes int) int { return n * (bytes + readFrameBytes) },
		Upkeep:     func(n int) int { return 5 * n * (n - 1) },
		Checkpoint: func(n int) int { return n * (n - 1) },
		Text: Formulas{
			Frames: "2n(n−1)", Bytes: "(n−1)(b+230n)", Signed: "2n", Verified: "2n(q−1)", Forced: "n", Upkeep: "5n(n−1)",
			Read: "2n", ReadBytes: "n(o+r+77)",
		},
	}
}
