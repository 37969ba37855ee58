package raft

import (
	"encoding/binary"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"golang.org/x/crypto/cryptobyte"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// The kinds of frames: the first byte.
const (
	MessageKind    byte = iota + consensus.FirstProtocolKind // one of the library's messages, in its own encoding
	FetchKind                                                // asks for parts of a snapshot
	FetchReplyKind                                           // holds them
)

// The messages of a transfer.
type (
	Fetch      = transfer.Fetch
	FetchReply = transfer.FetchReply
)

// id is the library's number of a replica: it has no use for 0.
func id(r consensus.ReplicaID) uint64 { return uint64(r) + 1 }

// EncodeMessage returns the frame of one of the library's messages. Callers:
// the engine, and package byzantine.
func EncodeMessage(m *pb.Message) []byte {
	b := make([]byte, 1+m.Size())
	b[0] = MessageKind
	n, err := m.MarshalTo(b[1:])
	if err != nil { // the buffer fits, by Size
		panic(fmt.Sprintf("raft: %v", err))
	}
	return b[:1+n]
}

// DecodeMessage reads one of the library's messages. It is authentic by its
// channel only, so that reading it proves nothing.
func DecodeMessage(frame []byte) (*pb.Message, error) {
	m := &pb.Message{}
	if len(frame) == 0 || frame[0] != MessageKind || explodes(frame[1:]) {
		return nil, fmt.Errorf("no message of Raft: %w", consensus.ErrMalformed)
	}
	if err := m.Unmarshal(frame[1:]); err != nil {
		return nil, fmt.Errorf("message of Raft: %w: %w", consensus.ErrMalformed, err)
	}
	return m, nil
}

// The library's numbers of the fields of a message that hold several: entries,
// and, in what it says to its own storage, messages. No member sends those.
const (
	fieldEntries   = 7
	fieldResponses = 14
)

// maxEntries is more than a leader puts into maxAppendBytes.
const maxEntries = maxAppendBytes / 4

// explodes reports whether decoding a message would cost far more than its
// bytes, or whether it cannot be read that far. A frame has room for a million
// messages within each other, and the decoder calls itself for each: the stack
// would overflow, which nothing survives; and for millions of empty entries.
func explodes(b []byte) bool {
	for entries := 0; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		field := int32(tag >> 3) // as the decoder reads it
		if field == fieldEntries {
			entries++
		}
		if n <= 0 || field == fieldResponses || entries > maxEntries {
			return true
		}
		b = b[n:]
		value, n := binary.Uvarint(b) // of a number itself, of bytes their length
		switch {
		case n <= 0:
			return true
		case tag&7 == 2 && value <= uint64(len(b)-n):
			n += int(value)
		case tag&7 != 0:
			return true // no field of a message has another type
		}
		b = b[n:]
	}
	return false
}

// ReadEntry reads what an entry holds: a batch, or nil for the empty entry
// with which a leader's term begins.
func ReadEntry(e *pb.Entry) (*consensus.Batch, error) {
	if len(e.Data) == 0 {
		return nil, nil
	}
	s := cryptobyte.String(e.Data)
	b, err := consensus.ReadBatch(&s)
	if err != nil {
		return nil, err
	}
	if !s.Empty() {
		return nil, fmt.Errorf("entry: trailing bytes: %w", consensus.ErrMalformed)
	}
	return b, nil
}

// Describe prints a frame on one line, for traces: the words of the library's
// own kinds, without what does not matter to a reader.
func Describe(frame []byte) string {
	if len(frame) == 0 {
		return "empty frame"
	}
	switch frame[0] {
	case MessageKind:
		if m, err := DecodeMessage(frame); err == nil {
			return describeMessage(m)
		}
	case FetchKind:
		if f, err := transfer.DecodeFetch(frame); err == nil {
			return f.String()
		}
	case FetchReplyKind:
		if g, err := transfer.DecodeFetchReply(frame); err == nil {
			return g.String()
		}
	}
	return fmt.Sprintf("malformed frame of %d bytes", len(frame))
}

func describeMessage(m *pb.Message) string {
	text := fmt.Sprintf("%s t=%d", m.Type, m.Term)
	switch m.Type {
	case pb.MsgApp:
		text += fmt.Sprintf(" after=%d/%d commit=%d", m.Index, m.LogTerm, m.Commit)
		for i := range m.Entries {
			text += " " + describeEntry(&m.Entries[i])
		}
	case pb.MsgAppResp:
		text += fmt.Sprintf(" n=%d", m.Index)
	case pb.MsgHeartbeat:
		text += fmt.Sprintf(" commit=%d", m.Commit)
	case pb.MsgVote, pb.MsgPreVote:
		text += fmt.Sprintf(" last=%d/%d", m.Index, m.LogTerm)
	case pb.MsgSnap:
		if m.Snapshot != nil {
			text += fmt.Sprintf(" n=%d/%d", m.Snapshot.Metadata.Index, m.Snapshot.Metadata.Term)
		}
	}
	if m.Reject {
		text += " rejected"
	}
	return text
}

func describeEntry(e *pb.Entry) string {
	if len(e.Data) == 0 {
		return fmt.Sprintf("[%d/%d null]", e.Index, e.Term)
	}
	b, err := ReadEntry(e)
	if err != nil {
		return fmt.Sprintf("[%d/%d malformed]", e.Index, e.Term)
	}
	return fmt.Sprintf("[%d/%d %s x%d]", e.Index, e.Term, b.Digest().Short(), len(b.Requests))
}

// Granted tells whether a frame grants a vote, and to whom: the one promise
// that members of Raft make to each other, and that nobody can prove. For the
// same voter and term the candidate is the same, if the voter is honest.
func Granted(frame []byte) (voter consensus.ReplicaID, term consensus.View, candidate crypto.Digest, ok bool) {
	m, err := DecodeMessage(frame)
	if err != nil || m.Type != pb.MsgVoteResp || m.Reject || m.From == 0 || m.To == 0 {
		return 0, 0, crypto.Digest{}, false
	}
	return consensus.ReplicaID(m.From - 1), consensus.View(m.Term), crypto.Hash(binary.BigEndian.AppendUint64(nil, m.To)), true
}

// Answered reads an answer that counts for whom it goes to: a granted vote, what
// was stored of the log, or that a heartbeat was followed. Of the first two, which
// wait for the disk, on is true: their author answers in no lower term later.
func Answered(frame []byte) (term consensus.View, on, ok bool) {
	m, err := DecodeMessage(frame)
	if err != nil || m.Reject {
		return 0, false, false
	}
	switch m.Type {
	case pb.MsgVoteResp, pb.MsgAppResp:
		on = true
	case pb.MsgHeartbeatResp:
	default:
		return 0, false, false
	}
	return consensus.View(m.Term), on, true
}

// spoken are the messages that members say to each other; all others are the
// library's talk with itself.
func spoken(t pb.MessageType) bool {
	switch t {
	case pb.MsgApp, pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgHeartbeat, pb.MsgHeartbeatResp, pb.MsgSnap:
		return true
	}
	return false
}
