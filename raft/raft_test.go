package raft

import (
	"errors"
	"strings"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// members makes a cluster of three with one client, and its protocols.
func members(t *testing.T) (protocols []*Protocol, client crypto.Signer, g consensus.Genesis) {
	t.Helper()
	var keys []crypto.PublicKey
	for i := range byte(3) {
		keys = append(keys, crypto.NewSigner([32]byte{i + 1}).Public())
	}
	client = crypto.NewSigner([32]byte{9})
	g = consensus.NewGenesis("test", "raft", keys)
	g.Clients = []consensus.ClientEntry{{Key: client.Public(), Role: consensus.RoleWriter}}
	for i := range 3 {
		c := DefaultConfig(g, consensus.ReplicaID(i))
		c.CheckEachStep = true
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		protocols = append(protocols, p)
	}
	return protocols, client, g
}

func engineOf(t *testing.T, p *Protocol, rec consensus.Recovered) *replica {
	t.Helper()
	e, err := p.New(rec)
	if err != nil {
		t.Fatal(err)
	}
	return e.(*replica)
}

// What Open lets through is from whom it says, for this replica, of a kind that
// members say, in order, and holds only requests that their clients signed.
func TestOpen(t *testing.T) {
	ps, client, g := members(t)
	request := consensus.SignRequest(client, g.ID(), consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{[]byte("op")})
	forged := *request
	forged.Raw = append([]byte{}, request.Raw...)
	forged.Raw[len(forged.Raw)-1] ^= 1
	stranger := consensus.SignRequest(crypto.NewSigner([32]byte{77}), g.ID(), consensus.Sequence{Epoch: 1, Counter: 1}, [][]byte{[]byte("op")})
	batch := func(rs ...*consensus.Request) []byte { return (&consensus.Batch{Stamp: 5, Requests: rs}).Append(nil) }
	app := func(change func(*pb.Message)) []byte {
		m := pb.Message{Type: pb.MsgApp, From: 1, To: 2, Term: 3, Entries: []pb.Entry{{Index: 1, Term: 3, Data: batch(request)}}}
		change(&m)
		return EncodeMessage(&m)
	}
	for name, tc := range map[string]struct {
		frame []byte
		want  consensus.Reason
	}{
		"good":             {app(func(*pb.Message) {}), ""},
		"another's id":     {app(func(m *pb.Message) { m.From = 3 }), ReasonSender},
		"for another":      {app(func(m *pb.Message) { m.To = 3 }), ReasonSender},
		"local kind":       {app(func(m *pb.Message) { m.Type = pb.MsgHup }), ReasonUnknown},
		"proposal":         {app(func(m *pb.Message) { m.Type = pb.MsgProp }), ReasonUnknown},
		"no term":          {app(func(m *pb.Message) { m.Term = 0 }), ReasonUnknown},
		"a gap":            {app(func(m *pb.Message) { m.Entries[0].Index = 2 }), ReasonEntries},
		"membership":       {app(func(m *pb.Message) { m.Entries[0].Type = pb.EntryConfChange }), ReasonEntries},
		"later term":       {app(func(m *pb.Message) { m.Entries[0].Term = 4 }), ReasonEntries},
		"no batch":         {app(func(m *pb.Message) { m.Entries[0].Data = []byte{1} }), consensus.ReasonMalformed},
		"bad signature":    {app(func(m *pb.Message) { m.Entries[0].Data = batch(&forged) }), ReasonUnsigned},
		"a stranger":       {app(func(m *pb.Message) { m.Entries[0].Data = batch(stranger) }), ReasonBatch},
		"twice":            {app(func(m *pb.Message) { m.Entries[0].Data = batch(request, request) }), ReasonBatch},
		"bare snapshot":    {EncodeMessage(&pb.Message{Type: pb.MsgSnap, From: 1, To: 2, Term: 3, Snapshot: &pb.Snapshot{Metadata: pb.SnapshotMetadata{Index: 4, Term: 2}}}), ReasonSnapshot},
		"request":          {request.Raw, ""},
		"forged request":   {forged.Raw, consensus.ReasonSignature},
		"garbage":          {[]byte{MessageKind, 0xff, 0xff}, consensus.ReasonMalformed},
		"unknown kind":     {[]byte{0x7f, 1}, ReasonUnknown},
		"malformed fetch":  {[]byte{FetchKind, 1}, consensus.ReasonMalformed},
		"malformed answer": {[]byte{FetchReplyKind, 1}, consensus.ReasonMalformed},
	} {
		o := ps[1].Open(crypto.NewVerifier(nil), nil, []consensus.Frame{{From: consensus.ReplicaPeer(0), Bytes: tc.frame}})[0]
		if o.Reason != tc.want || (o.Event == nil) != (tc.want != "") {
			t.Errorf("%s: reason %q, event %v, want %q", name, o.Reason, o.Event != nil, tc.want)
		}
	}
}

// A heartbeat that says what nobody could commit makes the library panic: the
// message is dropped, named, and the replica goes on.
func TestPanicIsSurvived(t *testing.T) {
	ps, _, _ := members(t)
	r := engineOf(t, ps[1], consensus.Recovered{Now: 1, Nonce: 1})
	out := r.Step(consensus.Burst{Now: 2, Events: []consensus.Event{consensus.Receive{
		From: consensus.ReplicaPeer(0), Message: &pb.Message{Type: pb.MsgHeartbeat, From: 1, To: 2, Term: 1, Commit: 1 << 40},
	}}})
	named := false
	for _, n := range out.Notes {
		named = named || n.Kind == consensus.Ignored && n.Reason == ReasonPanic && strings.Contains(n.Text, "tocommit")
	}
	if !named {
		t.Errorf("nobody says that the library panicked: %v", out.Notes)
	}
	alarms := 0
	for range 3 {
		for _, n := range r.Step(consensus.Burst{Now: 2, Events: []consensus.Event{consensus.Receive{
			From: consensus.ReplicaPeer(0), Message: &pb.Message{Type: pb.MsgHeartbeat, From: 1, To: 2, Term: 1, Commit: 1 << 40},
		}}}).Notes {
			if n.Kind == consensus.Alarm {
				alarms++
			}
		}
	}
	for _, n := range out.Notes {
		if n.Kind == consensus.Alarm && n.Replica == 0 && strings.Contains(n.Text, "replica 0 says what makes the library panic") {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms for four such messages in a row, want one, with the first", alarms)
	}
	for range 300 { // and can still be elected by itself and another
		out = r.Step(consensus.Burst{Now: 3, Events: []consensus.Event{consensus.Tick{}}})
		if len(out.Sends) > 0 {
			return
		}
	}
	t.Error("never campaigns again")
}

// An acknowledgement of what a leader never sent is dropped: the library would
// believe it, and panic in a later call, outside of its Step.
func TestAcknowledgementOfNothing(t *testing.T) {
	l := newLab(t, 3)
	l.elect(0)
	if why := l.say(1, 0, pb.Message{Type: pb.MsgAppResp, Term: l.term(0), Index: 99}); why != ReasonPanic {
		t.Errorf("reason %q, want %q", why, ReasonPanic)
	}
	l.agree(0, 3)
	l.Ticks(3, l.All())
	l.WantExecuted(4, 0, 1, 2)
}

// The log on disk becomes the log in memory, whatever was truncated, voided by
// a snapshot, or forgotten with its segment.
func TestReplay(t *testing.T) {
	entry := func(index, term uint64) []byte {
		e := pb.Entry{Index: index, Term: term}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{recordEntry}, b...)
	}
	base := append([]byte{recordBase}, make([]byte, 16)...)
	base[8], base[16] = 5, 2
	for name, tc := range map[string]struct {
		records [][]byte
		height  uint64
		term    uint64
		want    []uint64 // terms of the entries behind height
	}{
		"plain":          {[][]byte{entry(1, 1), entry(2, 1)}, 0, 0, []uint64{1, 1}},
		"truncated":      {[][]byte{entry(1, 1), entry(2, 1), entry(3, 1), entry(2, 2)}, 0, 0, []uint64{1, 2}},
		"from the start": {[][]byte{entry(1, 1), entry(2, 1), entry(1, 2)}, 0, 0, []uint64{2}},
		"behind a state": {[][]byte{entry(1, 1), entry(2, 1), entry(3, 1)}, 2, 1, []uint64{1}},
		"forgotten":      {[][]byte{entry(1, 1), entry(4, 1), entry(5, 1)}, 3, 1, []uint64{1, 1}},
		"other history":  {[][]byte{entry(1, 1), entry(2, 1), entry(3, 1)}, 2, 2, nil},
		"voided":         {[][]byte{entry(1, 1), entry(2, 1), base, entry(6, 3)}, 5, 2, []uint64{3}},
		"all in a state": {[][]byte{entry(1, 1), entry(2, 1)}, 9, 4, nil},
	} {
		var log replayed
		for _, b := range tc.records {
			if err := log.take(b); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if tc.height > 0 {
			log.cut(tc.height, tc.term)
		}
		var got []uint64
		for i := range log.entries {
			if log.entries[i].Index != tc.height+1+uint64(i) {
				t.Errorf("%s: entry %d stands in place %d behind %d", name, log.entries[i].Index, i, tc.height)
			}
			got = append(got, log.entries[i].Term)
		}
		if len(got) != len(tc.want) {
			t.Errorf("%s: terms %v, want %v", name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: terms %v, want %v", name, got, tc.want)
			}
		}
	}
	for _, b := range [][]byte{nil, {9}, {recordBase}, {recordEntry, 0xff}, {recordHard, 0xff}} {
		var log replayed
		if err := log.take(b); !errors.Is(err, consensus.ErrMalformed) {
			t.Errorf("record %x: %v", b, err)
		}
	}
}

// A state without its place in the log, or with another's, is refused.
func TestStateWithoutItsPlace(t *testing.T) {
	ps, _, _ := members(t)
	root := crypto.Hash([]byte("root"))
	for name, rec := range map[string]consensus.Recovered{
		"none":    {Height: 4, Root: root},
		"another": {Height: 4, Root: root, Certificate: certificate(5, 1, root)},
		"root":    {Height: 4, Root: root, Certificate: certificate(4, 1, crypto.Hash(nil))},
	} {
		if _, err := ps[0].New(rec); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	r := engineOf(t, ps[0], consensus.Recovered{Height: 4, Root: root, Certificate: certificate(4, 2, root)})
	if st := r.Status(); st.Executed != 4 || st.View != 2 || !st.Changing {
		t.Errorf("begins as %+v", st)
	}
}

func TestConfigIsChecked(t *testing.T) {
	_, _, g := members(t)
	for name, change := range map[string]func(*Config){
		"quorum":    func(c *Config) { c.Genesis.Quorum, c.Genesis.UnsafeDemo = 1, true },
		"self":      func(c *Config) { c.Self = 3 },
		"heartbeat": func(c *Config) { c.Heartbeat = c.Election },
		"pipeline":  func(c *Config) { c.Pipeline = 0 },
		"pending":   func(c *Config) { c.PendingCount = 0 },
	} {
		c := DefaultConfig(g, 0)
		change(&c)
		if _, err := New(c); !errors.Is(err, errConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
