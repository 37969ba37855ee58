package paxos

import (
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/paxos/synod"
)

// names are those of the kinds of frames, in order.
var names = [...]string{
	"PREPARE", "PROMISE", "ACCEPT", "ACCEPTED", "COMMIT", "HEARTBEAT", "ALIVE", "REJECT", "LEARN", "VALUE", "STATE", "FETCH", "FETCH-REPLY",
}

// KindNames lists the kinds of what members say to each other.
func KindNames() []string { return names[:] }

// FrameKind names the kind of a frame; "" if it is none of these.
func FrameKind(frame []byte) string {
	if len(frame) == 0 || frame[0] < PrepareKind || frame[0] > FetchReplyKind {
		return ""
	}
	return nameOf(frame[0])
}

func nameOf(kind byte) string { return names[kind-PrepareKind] }

// MessageName names the kind of a message that Open made; "" if it made none such.
func MessageName(message any) string {
	switch message.(type) {
	case *Prepare:
		return nameOf(PrepareKind)
	case *Promise:
		return nameOf(PromiseKind)
	case *Accept:
		return nameOf(AcceptKind)
	case *Accepted:
		return nameOf(AcceptedKind)
	case *Commit:
		return nameOf(CommitKind)
	case *Heartbeat:
		return nameOf(heartbeatKind)
	case *Alive:
		return nameOf(AliveKind)
	case *Reject:
		return nameOf(rejectKind)
	case *Learn:
		return nameOf(learnKind)
	case *Value:
		return nameOf(ValueKind)
	case State:
		return nameOf(StateKind)
	case *Fetch:
		return nameOf(fetchKind)
	case *FetchReply:
		return nameOf(FetchReplyKind)
	}
	return ""
}

// Describe prints a frame on one line, for traces.
func Describe(frame []byte) string {
	m, err := Decode(frame)
	if err != nil {
		return fmt.Sprintf("malformed frame of %d bytes", len(frame))
	}
	text := FrameKind(frame)
	switch m := m.(type) {
	case *Prepare:
		return fmt.Sprintf("%s b=%d above=%d", text, m.Ballot, m.Above)
	case *Promise:
		text += fmt.Sprintf(" b=%d base=%d", m.Ballot, m.Base)
		for _, v := range m.Votes {
			text += " " + describeVote(v)
		}
		return text
	case *Accept:
		return fmt.Sprintf("%s b=%d n=%d %s", text, m.Ballot, m.Slot, describeBatch(m.Batch))
	case *Accepted:
		return fmt.Sprintf("%s b=%d n=%d", text, m.Ballot, m.Slot)
	case *Commit:
		return fmt.Sprintf("%s b=%d upto=%d", text, m.Ballot, m.UpTo)
	case *Heartbeat:
		return fmt.Sprintf("%s b=%d upto=%d round=%d", text, m.Ballot, m.UpTo, m.Round)
	case *Alive:
		return fmt.Sprintf("%s b=%d round=%d", text, m.Ballot, m.Round)
	case *Reject:
		return fmt.Sprintf("%s b=%d promised=%d", text, m.Ballot, m.Promised)
	case *Learn:
		return fmt.Sprintf("%s n=%d..%d", text, m.From, m.To)
	case *Value:
		how := "voted"
		if m.Chosen {
			how = "chosen"
		}
		return fmt.Sprintf("%s n=%d b=%d %s %s", text, m.Slot, m.Ballot, how, describeBatch(m.Batch))
	case State:
		return fmt.Sprintf("%s n=%d root=%s", text, m.Seq, m.Root.Short())
	case fmt.Stringer:
		return m.String()
	}
	return text
}

func describeVote(v synod.Vote) string {
	what, how := v.Digest.Short(), ""
	if v.Digest == consensus.NullDigest {
		what = "null"
	}
	if v.Chosen {
		how = " chosen"
	}
	return fmt.Sprintf("[%d/%d %s%s]", v.Slot, v.Ballot, what, how)
}

func describeBatch(b *consensus.Batch) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%s x%d", b.Digest().Short(), len(b.Requests))
}
