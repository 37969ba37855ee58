package paxos

import (
	"errors"
	"reflect"
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/paxos/synod"
)

// frames are some of each kind, as a member says them to B.
func (l *lab) frames() map[string][]byte {
	b := &consensus.Batch{Stamp: 5, Requests: []*consensus.Request{l.Request()}}
	d, root := b.Digest(), crypto.Hash([]byte("root"))
	promise := Promise{Ballot: 4, Base: 2, Votes: []synod.Vote{{Slot: 3, Ballot: 3, Digest: d}, {Slot: 9, Digest: d, Chosen: true}}}
	fetch := Fetch{Seq: 4, Root: root, Items: []consensus.Item{{ID: "a"}}}
	given := FetchReply{Seq: 4, Root: root, Parts: []consensus.Part{{ID: "a", Bytes: []byte{1}}}}
	return map[string][]byte{
		"PREPARE": (&Prepare{Ballot: 3, Above: 7}).Encode(), "PROMISE": EncodePromise(&promise),
		"ACCEPT": (&Accept{Ballot: 3, Slot: 1, Batch: b}).Encode(), "ACCEPT of null": (&Accept{Ballot: 3, Slot: 2}).Encode(),
		"ACCEPTED": (&Accepted{Ballot: 4, Slot: 1}).Encode(), "COMMIT": (&Commit{Ballot: 3, UpTo: 1}).Encode(),
		"HEARTBEAT": (&Heartbeat{Ballot: 3, UpTo: 1, Round: 8}).Encode(), "ALIVE": (&Alive{Ballot: 4, Round: 8}).Encode(),
		"REJECT": (&Reject{Ballot: 4, Promised: 8}).Encode(), "LEARN": (&Learn{From: 1, To: 9, Votes: true}).Encode(),
		"VALUE": (&Value{Slot: 1, Ballot: 2, Chosen: true, Batch: b}).Encode(), "STATE": EncodeState(State{Seq: 4, Root: root}),
		"FETCH": fetch.Encode(fetchKind), "FETCH-REPLY": given.Encode(FetchReplyKind),
	}
}

// What was meant comes back, in one encoding: every change of length is refused, and
// every kind has its name.
func TestFramesRoundTrip(t *testing.T) {
	l := newLab(t, 3)
	for name, f := range l.frames() {
		m, err := Decode(f)
		if err != nil || MessageName(m) != FrameKind(f) || FrameKind(f) == "" || Describe(f) == "" {
			t.Errorf("%s: %+v (%s, %s): %v", name, m, MessageName(m), FrameKind(f), err)
		}
		for n := range len(f) {
			if got, err := Decode(f[:n]); err == nil || got != nil && !errors.Is(err, consensus.ErrMalformed) {
				t.Errorf("%s cut at %d: %+v", name, n, got)
			}
		}
		if _, err := Decode(append(f[:len(f):len(f)], 0)); !errors.Is(err, consensus.ErrMalformed) {
			t.Errorf("%s with a tail: %v", name, err)
		}
		if why := l.say(0, 1, f); why != "" && why != reasonStale && why != reasonNeedless && why != reasonSticky {
			t.Errorf("%s is refused: %q", name, why)
		}
	}
	for _, f := range [][]byte{nil, {0}, {FetchReplyKind + 1}} {
		if FrameKind(f) != "" || Describe(f) == "" {
			t.Errorf("%x has the name %q", f, FrameKind(f))
		}
	}
	if MessageName(7) != "" {
		t.Error("a number has a name")
	}
}

// What nobody may say.
func TestOpen(t *testing.T) {
	l := newLab(t, 3)
	b := l.batch()
	twice := &consensus.Batch{Requests: []*consensus.Request{b.Requests[0], b.Requests[0]}}
	forged := *b.Requests[0]
	forged.Raw = append([]byte{}, forged.Raw...)
	forged.Raw[len(forged.Raw)-1] ^= 1
	unsigned := &consensus.Batch{Requests: []*consensus.Request{&forged}}
	vote := func(v ...synod.Vote) []byte { return EncodePromise(&Promise{Ballot: 4, Base: 2, Votes: v}) }
	for name, test := range map[string]struct {
		frame []byte
		why   consensus.Reason
	}{
		"another's ballot in PREPARE":  {(&Prepare{Ballot: 5}).Encode(), ReasonOwner},
		"... in ACCEPT":                {(&Accept{Ballot: 5, Slot: 1}).Encode(), ReasonOwner},
		"... in COMMIT":                {(&Commit{Ballot: 4, UpTo: 1}).Encode(), ReasonOwner},
		"... in HEARTBEAT":             {(&Heartbeat{Ballot: 4}).Encode(), ReasonOwner},
		"an answer to another":         {(&Accepted{Ballot: 3, Slot: 1}).Encode(), ReasonOwner},
		"... of a promise":             {EncodePromise(&Promise{Ballot: 3}), ReasonOwner},
		"... of a heartbeat":           {(&Alive{Ballot: 5}).Encode(), ReasonOwner},
		"... that rejects":             {(&Reject{Ballot: 5, Promised: 6}).Encode(), ReasonOwner},
		"no ballot":                    {(&Prepare{}).Encode(), consensus.ReasonMalformed},
		"a ballot beyond the last":     {(&Prepare{Ballot: synod.MaxBallot + 1}).Encode(), consensus.ReasonMalformed},
		"no slot":                      {(&Accept{Ballot: 3}).Encode(), consensus.ReasonMalformed},
		"a slot beyond the last":       {(&Commit{Ballot: 3, UpTo: consensus.MaxSeq + 1}).Encode(), consensus.ReasonMalformed},
		"LEARN backwards":              {(&Learn{From: 2, To: 1}).Encode(), consensus.ReasonMalformed},
		"a vote under no ballot":       {(&Value{Slot: 1}).Encode(), consensus.ReasonMalformed},
		"votes out of order":           {vote(synod.Vote{Slot: 4, Ballot: 1}, synod.Vote{Slot: 3, Ballot: 1}), consensus.ReasonMalformed},
		"a vote at the base":           {vote(synod.Vote{Slot: 2, Ballot: 1}), consensus.ReasonMalformed},
		"a vote above the promise":     {vote(synod.Vote{Slot: 3, Ballot: 7}), consensus.ReasonMalformed},
		"a vote under no ballot, told": {vote(synod.Vote{Slot: 3}), consensus.ReasonMalformed},
		"a promise of another length":  {append(vote(), make([]byte, voteSize)...), consensus.ReasonMalformed},
		"a state between checkpoints":  {EncodeState(State{Seq: 3}), ReasonState},
		"a state at 0":                 {EncodeState(State{}), consensus.ReasonMalformed},
		"a request twice":              {(&Accept{Ballot: 3, Slot: 1, Batch: twice}).Encode(), ReasonBatch},
		"... in a value":               {(&Value{Slot: 1, Chosen: true, Batch: twice}).Encode(), ReasonBatch},
		"a request that nobody signed": {(&Accept{Ballot: 3, Slot: 1, Batch: unsigned}).Encode(), ReasonUnsigned},
		"... in a value, too":          {(&Value{Slot: 1, Chosen: true, Batch: unsigned}).Encode(), ReasonUnsigned},
		"an unknown kind":              {[]byte{FetchReplyKind + 1}, ReasonUnknown},
		"nothing":                      {nil, consensus.ReasonMalformed},
		"more than a frame":            {make([]byte, consensus.MaxFrame+1), ReasonOversized},
		"a clock that is none":         {[]byte{consensus.KindClock}, consensus.ReasonMalformed},
	} {
		if why := l.say(0, 1, test.frame); why != test.why {
			t.Errorf("%s: %q, want %q", name, why, test.why)
		}
	}
	accept := (&Accept{Ballot: 3, Slot: 1}).Encode()
	for _, from := range []consensus.Peer{consensus.ClientPeer(l.Client.Public()), {Kind: consensus.PeerObserver}, {Kind: consensus.Topic}} {
		if why := l.Give(1, from, accept); why != consensus.ReasonChannel && why != ReasonTopic {
			t.Errorf("from %v: %q", from, why)
		}
	}
}

// Frames of a group are judged one by one.
func TestGroupsAreJudgedOneByOne(t *testing.T) {
	l := newLab(t, 3)
	good, bad := l.batch(), l.batch()
	raw := append([]byte{}, bad.Requests[0].Raw...)
	raw[len(raw)-1] ^= 1
	broken := *bad.Requests[0]
	broken.Raw = raw
	group := []consensus.Frame{
		{From: consensus.ReplicaPeer(0), Bytes: (&Accept{Ballot: 3, Slot: 1, Batch: good}).Encode()},
		{From: consensus.ReplicaPeer(0), Bytes: (&Accept{Ballot: 3, Slot: 2, Batch: &consensus.Batch{Requests: []*consensus.Request{&broken}}}).Encode()},
		{From: consensus.ClientPeer(l.Client.Public()), Bytes: raw},
		{From: consensus.ReplicaPeer(0), Bytes: (&Commit{Ballot: 3, UpTo: 1}).Encode()},
	}
	var why []consensus.Reason
	for _, o := range l.Replicas[1].Protocol.Open(l.Verify, nil, group) {
		why = append(why, o.Reason)
	}
	if want := []consensus.Reason{"", ReasonUnsigned, consensus.ReasonSignature, ""}; !reflect.DeepEqual(why, want) {
		t.Errorf("%q, want %q", why, want)
	}
}

// What a configuration may not be.
func TestConfig(t *testing.T) {
	l := newLab(t, 3)
	for name, change := range map[string]func(*Config){
		"another replica": func(c *Config) { c.Self = 3 }, "heartbeat": func(c *Config) { c.Heartbeat = 100 }, "tick": func(c *Config) { c.TickLength = 1 },
		"leaders": func(c *Config) { c.AnyLeader = true }, "pipeline": func(c *Config) { c.Pipeline = 9 }, "pending": func(c *Config) { c.PendingCount = 0 },
		"window": func(c *Config) { c.Genesis.Window = 32768 },
	} {
		c := DefaultConfig(l.Genesis, 0)
		if change(&c); name == "window" {
			c.Pipeline = 1
		}
		if _, err := New(c); !errors.Is(err, errConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(DefaultConfig(l.Genesis, 0)); err != nil {
		t.Error(err)
	}
}

// FuzzOpen opens any bytes from any channel: no panic, an event or a reason, never
// both, and what is opened prints and steps; a frame has one encoding.
func FuzzOpen(f *testing.F) {
	l := newLab(f, 3)
	for _, frame := range l.frames() {
		f.Add(frame, byte(0))
	}
	q := l.Request()
	f.Add(q.Raw, byte(1))
	froms := []consensus.Peer{consensus.ReplicaPeer(0), consensus.ClientPeer(q.Client), {Kind: consensus.PeerObserver}, {Kind: consensus.Topic}, consensus.ReplicaPeer(2)}
	f.Fuzz(func(t *testing.T, frame []byte, from byte) {
		l := newLab(t, 3)
		opened := l.Replicas[1].Protocol.Open(l.Verify, nil, []consensus.Frame{{From: froms[int(from)%len(froms)], Bytes: frame}})
		if len(opened) != 1 || (opened[0].Event == nil) == (opened[0].Reason == "") {
			t.Fatalf("opens as %+v", opened)
		}
		if Describe(frame) == "" {
			t.Error("described as nothing")
		}
		if m, err := Decode(frame); err == nil {
			if again, ok := encode(m); ok && string(again) != string(frame) {
				t.Error("a frame has two encodings")
			}
		}
		if opened[0].Event != nil {
			l.Step(1, opened[0].Event)
			l.sound(1)
		}
	})
}

// encode is the frame of a message that has one.
func encode(m any) ([]byte, bool) {
	switch m := m.(type) {
	case interface{ Encode() []byte }:
		return m.Encode(), true
	case *Promise:
		return EncodePromise(m), true
	case State:
		return EncodeState(m), true
	}
	return nil, false
}

// sound holds a replica to what holds whatever its members say: bounds, and that it
// still answers its clock. The lab holds it to invariants in each step.
func (l *lab) sound(i int) {
	r, w := l.engine(i), int(l.Genesis.Window)
	if n := len(r.values.chosen); n > (tables+1)*w {
		l.T.Fatalf("keeps %d values, the window is %d", n, w)
	}
	if st := r.Status(); st.Executed-st.Applied > l.Genesis.Window && !r.state.Active() {
		l.T.Fatalf("handed out %d, applied %d", st.Executed, st.Applied)
	}
	if n := len(r.office.open) + len(r.office.wanted) + len(r.office.done); n > 2*tables*w {
		l.T.Fatalf("holds %d proposals", n)
	}
	l.Sent = nil
	l.Step(i, consensus.Tick{})
}

// FuzzMembers lets two members say what the bytes spell to a third one: whatever it
// is, it stays within its bounds and keeps its invariants.
func FuzzMembers(f *testing.F) {
	for seed := range 24 {
		b := make([]byte, 400)
		x := uint32(seed)*2654435761 + 1
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		l := newLab(t, 3, func(c *Config) { c.Sticky = len(script)%2 == 0 })
		l.MayFork = true
		s := speaker{l, script}
		for len(s.script) > 0 {
			s.speak()
			l.sound(1)
		}
	})
}

// speaker makes messages of bytes.
type speaker struct {
	*lab
	script []byte
}

func (s *speaker) below(n int) int {
	if len(s.script) == 0 {
		return 0
	}
	b := s.script[0]
	s.script = s.script[1:]
	return int(b) % n
}

func (s *speaker) slot() consensus.Seq { return consensus.Seq(1 + s.below(28)) }

func (s *speaker) value() *consensus.Batch {
	if n := s.below(4); n > 0 {
		return &consensus.Batch{Requests: []*consensus.Request{s.Numbered(uint64(n), "x")}}
	}
	return nil
}

// speak says one thing to B.
func (s *speaker) speak() {
	from := 2 * s.below(2)
	own := synod.Ballot(3*(1+s.below(6)) + from)
	b := s.engine(1).view()
	answer := synod.Ballot(b)
	switch s.below(13) {
	case 0:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Prepare{Ballot: own, Above: s.slot() - 1}).Encode())
	case 1:
		p := Promise{Ballot: answer, Base: consensus.Seq(s.below(20))}
		for n := p.Base + 1; n < p.Base+consensus.Seq(s.below(12)); n++ {
			p.Votes = append(p.Votes, synod.Vote{Slot: n, Ballot: min(answer, synod.Ballot(1+s.below(6))), Digest: s.value().Digest(), Chosen: s.below(2) == 0})
		}
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), EncodePromise(&p))
	case 2, 3:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Accept{Ballot: own, Slot: s.slot(), Batch: s.value()}).Encode())
	case 4:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Accepted{Ballot: answer, Slot: s.slot()}).Encode())
	case 5:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Commit{Ballot: own, UpTo: s.slot()}).Encode())
	case 6:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Reject{Ballot: answer, Promised: answer + synod.Ballot(s.below(9))}).Encode())
	case 7:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Learn{From: s.slot(), To: 28, Votes: true}).Encode())
	case 8, 9:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), (&Value{Slot: s.slot(), Ballot: own, Chosen: true, Batch: s.value()}).Encode())
	case 10:
		s.Give(1, consensus.ReplicaPeer(consensus.ReplicaID(from)), EncodeState(State{Seq: 2 * s.slot(), Root: enginetest.Root(nil)}))
	case 11:
		s.Submit(s.Request(), 1)
	default:
		for range s.below(16) {
			s.Step(1, consensus.Tick{})
		}
	}
}
