package raft

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
)

// A snapshot's handle must be for the place that the library takes it for, and
// name the membership, which is fixed: the library would take over any other.
func TestHandles(t *testing.T) {
	l := newLab(t, 3)
	root := crypto.Hash([]byte("root"))
	for name, tc := range map[string]struct {
		change func(*pb.Snapshot)
		want   consensus.Reason
	}{
		"good":               {func(*pb.Snapshot) {}, ""},
		"another place":      {func(s *pb.Snapshot) { s.Metadata.Index = 5 }, ReasonSnapshot},
		"no term":            {func(s *pb.Snapshot) { s.Metadata.Term = 0 }, ReasonSnapshot},
		"nothing":            {func(s *pb.Snapshot) { s.Data = nil }, ReasonSnapshot},
		"at nothing":         {func(s *pb.Snapshot) { s.Data, s.Metadata.Index = transfer.AppendHandle(nil, 0, root), 0 }, ReasonSnapshot},
		"with a tail":        {func(s *pb.Snapshot) { s.Data = append(s.Data, 0) }, ReasonSnapshot},
		"a member too few":   {func(s *pb.Snapshot) { s.Metadata.ConfState.Voters = []uint64{1, 2} }, ReasonSnapshot},
		"a member twice":     {func(s *pb.Snapshot) { s.Metadata.ConfState.Voters = []uint64{1, 1, 1} }, ReasonSnapshot},
		"strangers":          {func(s *pb.Snapshot) { s.Metadata.ConfState.Voters = []uint64{2, 3, 9} }, ReasonSnapshot},
		"a learner":          {func(s *pb.Snapshot) { s.Metadata.ConfState.Learners = []uint64{9} }, ReasonSnapshot},
		"a change under way": {func(s *pb.Snapshot) { s.Metadata.ConfState.VotersOutgoing = []uint64{1} }, ReasonSnapshot},
	} {
		s := pb.Snapshot{Data: transfer.AppendHandle(nil, 4, root), Metadata: pb.SnapshotMetadata{Index: 4, Term: 2, ConfState: pb.ConfState{Voters: []uint64{1, 2, 3}}}}
		tc.change(&s)
		frame := EncodeMessage(&pb.Message{Type: pb.MsgSnap, From: 1, To: 2, Term: 3, Snapshot: &s})
		o := l.Replicas[1].Protocol.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: frame}})[0]
		if o.Reason != tc.want || (o.Event == nil) != (tc.want != "") {
			t.Errorf("%s: reason %q, want %q", name, o.Reason, tc.want)
		}
	}
}

// What a channel may carry: replicas everything, observers a FETCH, clients and
// the topic requests only.
func TestChannels(t *testing.T) {
	l := newLab(t, 3)
	q := l.Request()
	old := consensus.SignOldRequest(l.Client, l.Genesis.ID(), q.Sequence, q.Operations)
	fetch := (&Fetch{Seq: 4, Root: crypto.Hash(nil), Items: []consensus.Item{{ID: "a"}}}).Encode(FetchKind)
	given := (&FetchReply{Seq: 4, Root: crypto.Hash(nil), Gone: true}).Encode(FetchReplyKind)
	beat := EncodeMessage(&pb.Message{Type: pb.MsgHeartbeat, From: 1, To: 2, Term: 3})
	client, replica := consensus.ClientPeer(q.Client), consensus.ReplicaPeer(0)
	observer, topic := consensus.Peer{Kind: consensus.PeerObserver}, consensus.Peer{Kind: consensus.Topic}
	for i, tc := range []struct {
		from  consensus.Peer
		frame []byte
		want  consensus.Reason
	}{
		{replica, beat, ""}, {replica, fetch, ""}, {replica, given, ""}, {replica, q.Raw, ""},
		{client, beat, consensus.ReasonChannel}, {client, fetch, consensus.ReasonChannel}, {client, q.Raw, ""}, {client, old.Raw, ""}, {replica, old.Raw, ""},
		{consensus.ClientPeer(l.Genesis.Replicas[0]), q.Raw, consensus.ReasonChannel},
		{topic, beat, ReasonTopic}, {topic, fetch, ReasonTopic}, {topic, q.Raw, ""},
		{observer, fetch, ""}, {observer, given, consensus.ReasonChannel}, {observer, beat, consensus.ReasonChannel}, {observer, q.Raw, consensus.ReasonChannel},
		{replica, nil, consensus.ReasonMalformed}, {replica, make([]byte, consensus.MaxFrame+1), ReasonOversized},
	} {
		o := l.Replicas[1].Protocol.Open(l.Verify, nil, []consensus.Frame{{From: tc.from, Bytes: tc.frame}})[0]
		if o.Reason != tc.want || (o.Event == nil) != (tc.want != "") || o.Blame != (tc.want != "") {
			t.Errorf("case %d from %v: reason %q, blame %v, want %q", i, tc.from, o.Reason, o.Blame, tc.want)
		}
		if told := o.Refusal != nil; told != (tc.want != "" && tc.from.Kind == consensus.PeerClient && !consensus.IsRequest(tc.frame)) {
			t.Errorf("case %d from %v: refusal %v", i, tc.from, o.Refusal)
		}
	}
}

// The library's kinds that carry something carry nothing else, and none speaks
// for term 0.
func TestMessagesCarryWhatTheyMay(t *testing.T) {
	l := newLab(t, 3)
	entry := []pb.Entry{{Index: 1, Term: 1}}
	snap := &pb.Snapshot{Data: transfer.AppendHandle(nil, 4, crypto.Hash(nil)), Metadata: pb.SnapshotMetadata{Index: 4, Term: 2, ConfState: l.Replicas[0].Engine.store.members}}
	for name, m := range map[string]pb.Message{
		"a vote with entries":          {Type: pb.MsgVote, Term: 3, Entries: entry},
		"a heartbeat with a snapshot":  {Type: pb.MsgHeartbeat, Term: 3, Snapshot: snap},
		"a snapshot without one":       {Type: pb.MsgSnap, Term: 3},
		"a snapshot with entries":      {Type: pb.MsgSnap, Term: 3, Snapshot: snap, Entries: entry},
		"the end of a leader's lease":  {Type: pb.MsgTimeoutNow, Term: 3},
		"a read index":                 {Type: pb.MsgReadIndex, Term: 3},
		"a forgotten leader":           {Type: pb.MsgForgetLeader, Term: 3},
		"the report of a lost peer":    {Type: pb.MsgUnreachable, Term: 3},
		"what the storage is to do":    {Type: pb.MsgStorageAppend, Term: 3},
		"an append of no term":         {Type: pb.MsgApp, Entries: entry},
		"an acknowledgement of no one": {Type: pb.MsgAppResp},
	} {
		if why := l.say(0, 1, m); why != ReasonUnknown {
			t.Errorf("%s: reason %q, want %q", name, why, ReasonUnknown)
		}
	}
}

// A batch within an entry is judged by the limits of the genesis; the null
// batch of a new term stands for itself.
func TestEntriesKeepTheLimits(t *testing.T) {
	l := newLab(t, 3)
	l.Genesis.Limits.BatchRequests, l.Genesis.Limits.BatchBytes = 2, 300
	l.Start(1, false)
	batch := func(n, size int) []byte {
		b := consensus.Batch{Stamp: 1}
		for range n {
			l.Counter++
			b.Requests = append(b.Requests, l.Numbered(l.Counter, string(make([]byte, size))))
		}
		return b.Append(nil)
	}
	for name, tc := range map[string]struct {
		data []byte
		want consensus.Reason
	}{
		"null":           {nil, ""},
		"two":            {batch(2, 1), ""},
		"three":          {batch(3, 1), ReasonBatch},
		"one large":      {batch(1, 500), ""},
		"two large":      {batch(2, 150), ReasonBatch},
		"trailing bytes": {append(batch(1, 1), 0), consensus.ReasonMalformed},
	} {
		frame := EncodeMessage(&pb.Message{Type: pb.MsgApp, From: 1, To: 2, Term: 3, Entries: []pb.Entry{{Index: 1, Term: 3, Data: tc.data}}})
		o := l.Replicas[1].Protocol.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: frame}})[0]
		if o.Reason != tc.want {
			t.Errorf("%s: reason %q, want %q", name, o.Reason, tc.want)
		}
	}
}

// Signatures of a group are verified together, and each frame is judged by its
// own.
func TestGroupsAreJudgedOneByOne(t *testing.T) {
	l := newLab(t, 3)
	good, bad := l.Request(), l.Request()
	spoilt := *bad
	spoilt.Raw = append([]byte{}, bad.Raw...)
	spoilt.Raw[len(spoilt.Raw)-1] ^= 1
	app := func(qs ...*consensus.Request) []byte {
		b := consensus.Batch{Stamp: 1, Requests: qs}
		return EncodeMessage(&pb.Message{Type: pb.MsgApp, From: 1, To: 2, Term: 3, Entries: []pb.Entry{{Index: 1, Term: 3, Data: b.Append(nil)}}})
	}
	frames := []consensus.Frame{}
	want := []consensus.Reason{"", ReasonUnsigned, "", consensus.ReasonSignature, ReasonUnsigned, consensus.ReasonMalformed, ""}
	for _, b := range [][]byte{app(good), app(good, &spoilt), good.Raw, spoilt.Raw, app(&spoilt, good), {FetchKind}, app(good)} {
		frames = append(frames, consensus.Frame{From: consensus.ReplicaPeer(0), Bytes: b})
	}
	for i, o := range l.Replicas[1].Protocol.Open(l.Verify, nil, frames) {
		if o.Reason != want[i] || (o.Event == nil) != (want[i] != "") {
			t.Errorf("frame %d: reason %q, want %q", i, o.Reason, want[i])
		}
	}
	if got := l.Replicas[1].Protocol.Open(l.Verify, nil, nil); len(got) != 0 {
		t.Errorf("%d answers to no frame", len(got))
	}
}

// FETCH and FETCH-REPLY are their own encoding, and nothing else decodes.
func TestFramesOfParts(t *testing.T) {
	root := crypto.Hash([]byte("root"))
	f := Fetch{Seq: 4, Root: root, Items: []consensus.Item{{ID: "a", Hash: crypto.Hash(nil)}, {ID: "b"}}}
	got, err := transfer.DecodeFetch(f.Encode(FetchKind))
	if err != nil || got.Seq != 4 || got.Root != root || len(got.Items) != 2 || got.Items[0].ID != "a" {
		t.Errorf("FETCH decodes to %+v, error %v", got, err)
	}
	g := FetchReply{Seq: 4, Root: root, Gone: true, Parts: []consensus.Part{{ID: "a", Bytes: []byte{1, 2}}}}
	back, err := transfer.DecodeFetchReply(g.Encode(FetchReplyKind))
	if err != nil || back.Seq != 4 || back.Root != root || !back.Gone || len(back.Parts) != 1 || len(back.Parts[0].Bytes) != 2 {
		t.Errorf("FETCH-REPLY decodes to %+v, error %v", back, err)
	}
	for name, b := range map[string][]byte{
		"FETCH with a tail": append(f.Encode(FetchKind), 0), "FETCH-REPLY with a tail": append(g.Encode(FetchReplyKind), 0),
		"FETCH of nothing": (&Fetch{Root: root}).Encode(FetchKind), "FETCH-REPLY of nothing": (&FetchReply{Root: root}).Encode(FetchReplyKind),
		"FETCH-REPLY neither here nor gone": func() []byte { b := g.Encode(FetchReplyKind); b[1+8+crypto.DigestSize] = 2; return b }(),
	} {
		if b[0] == FetchKind {
			_, err = transfer.DecodeFetch(b)
		} else {
			_, err = transfer.DecodeFetchReply(b)
		}
		if err == nil {
			t.Errorf("%s decodes", name)
		}
	}
}

// Terms begin with 1 and never fall along a log. An entry of term 0 would end as
// the place of a state on disk, with which no replica starts.
func TestTermsOfEntries(t *testing.T) {
	l := newLab(t, 3)
	for name, tc := range map[string]struct {
		after uint64
		terms []uint64
		want  consensus.Reason
	}{
		"rising":            {1, []uint64{1, 2, 3}, ""},
		"none":              {0, []uint64{0, 0}, ReasonEntries},
		"falling":           {1, []uint64{2, 1}, ReasonEntries},
		"below the log's":   {2, []uint64{1}, ReasonEntries},
		"above the message": {1, []uint64{4}, ReasonEntries},
	} {
		m := pb.Message{Type: pb.MsgApp, From: 1, To: 2, Term: 3, Index: 5, LogTerm: tc.after}
		for i, term := range tc.terms {
			m.Entries = append(m.Entries, pb.Entry{Index: 6 + uint64(i), Term: term})
		}
		o := l.Replicas[1].Protocol.Open(l.Verify, nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: EncodeMessage(&m)}})[0]
		if o.Reason != tc.want {
			t.Errorf("%s: reason %q, want %q", name, o.Reason, tc.want)
		}
	}
}

// A message within a message within a message, as many as a frame has room for:
// refused before the decoder overflows its stack, which would end the process.
func TestBombsAreRefused(t *testing.T) {
	l := newLab(t, 3)
	deep := func(levels int, tag uint64) []byte {
		var lengths []int
		size := 0
		for range levels {
			lengths = append(lengths, size)
			size += len(binary.AppendUvarint(binary.AppendUvarint(nil, tag), uint64(size)))
		}
		slices.Reverse(lengths)
		b := []byte{MessageKind}
		for _, n := range lengths {
			b = binary.AppendUvarint(binary.AppendUvarint(b, tag), uint64(n))
		}
		return b
	}
	for name, frame := range map[string][]byte{
		"one":                   deep(1, fieldResponses<<3|2),
		"a frame full":          deep(1_700_000, fieldResponses<<3|2),
		"under a longer number": deep(800_000, 1<<35|fieldResponses<<3|2),
		"behind what is right":  append(EncodeMessage(&pb.Message{Type: pb.MsgHeartbeat, From: 1, To: 2, Term: 1}), deep(9, fieldResponses<<3|2)[1:]...),
		"cut in a number":       {MessageKind, 0x80},
		"cut in a value":        {MessageKind, 8},
		"longer than there is":  {MessageKind, 7<<3 | 2, 9},
		"a group":               {MessageKind, 1<<3 | 3, 1},
		"millions of entries":   append([]byte{MessageKind}, bytes.Repeat([]byte{fieldEntries<<3 | 2, 0}, 4_000_000)...),
	} {
		if len(frame) > consensus.MaxFrame {
			t.Fatalf("%s: %d bytes", name, len(frame))
		}
		if why := l.Give(1, consensus.ReplicaPeer(0), frame); why != consensus.ReasonMalformed {
			t.Errorf("%s: reason %q, want %q", name, why, consensus.ReasonMalformed)
		}
	}
}
