package raft

import (
	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// The names of what is none of the library's messages.
const (
	fetchName      = "FETCH"
	fetchReplyName = "FETCH-REPLY"
)

// KindNames lists the kinds of what members say to each other: the library's
// messages by its own names, and the two of this package.
func KindNames() []string {
	var names []string
	for t := pb.MsgHup; t <= pb.MsgForgetLeader; t++ {
		if spoken(t) {
			names = append(names, t.String())
		}
	}
	return append(names, fetchName, fetchReplyName)
}

// FrameKind names the kind of a frame; "" if it is none of these.
func FrameKind(frame []byte) string {
	if len(frame) == 0 {
		return ""
	}
	switch frame[0] {
	case MessageKind:
		if m, err := DecodeMessage(frame); err == nil && spoken(m.Type) {
			return m.Type.String()
		}
	case FetchKind:
		return fetchName
	case FetchReplyKind:
		return fetchReplyName
	}
	return ""
}

// MessageName names the kind of a message that Open made; "" if it made none
// such. Caller: package byzantine, which chooses by kind.
func MessageName(message any) string {
	switch m := message.(type) {
	case *pb.Message:
		return m.Type.String()
	case *snapshot:
		return m.message.Type.String()
	case *Fetch:
		return fetchName
	case *FetchReply:
		return fetchReplyName
	}
	return ""
}

// EncodeHandle returns what a snapshot message carries in the place of a state:
// where it stands, and its root. Caller: package byzantine.
func EncodeHandle(n consensus.Seq, root crypto.Digest) []byte {
	return transfer.AppendHandle(nil, n, root)
}
