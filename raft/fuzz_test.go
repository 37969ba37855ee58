package raft

import (
	"errors"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/transfer"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
)

// scatter fills the corpus with bytes that no mutation of nothing would find.
func scatter(f *testing.F, seeds, size int) {
	for seed := range seeds {
		b := make([]byte, size)
		x := uint32(seed)*2654435761 + 1
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		f.Add(b)
	}
}

// FuzzOpen opens any bytes from any channel: no panic, an event or a reason,
// never both, and what is opened prints and steps.
func FuzzOpen(f *testing.F) {
	l := newLab(f, 3)
	q := l.Request()
	batch := (&consensus.Batch{Stamp: 5, Requests: []*consensus.Request{q}}).Append(nil)
	for _, m := range []pb.Message{
		{Type: pb.MsgApp, From: 1, To: 2, Term: 3, Commit: 1, Entries: []pb.Entry{{Index: 1, Term: 3, Data: batch}, {Index: 2, Term: 3}}},
		{Type: pb.MsgHeartbeat, From: 1, To: 2, Term: 3, Commit: 9}, {Type: pb.MsgVote, From: 1, To: 2, Term: 3}, {Type: pb.MsgPreVoteResp, From: 1, To: 2, Term: 3},
		{Type: pb.MsgSnap, From: 1, To: 2, Term: 3, Snapshot: &pb.Snapshot{Data: transfer.AppendHandle(nil, 4, crypto.Hash(nil)), Metadata: pb.SnapshotMetadata{Index: 4, Term: 2, ConfState: l.Replicas[0].Engine.store.members}}},
	} {
		f.Add(EncodeMessage(&m), byte(0))
	}
	f.Add(q.Raw, byte(1))
	f.Add((&Fetch{Seq: 4, Items: []consensus.Item{{ID: "a"}}}).Encode(FetchKind), byte(2))
	f.Add((&FetchReply{Seq: 4, Parts: []consensus.Part{{ID: "a"}}}).Encode(FetchReplyKind), byte(0))
	froms := []consensus.Peer{consensus.ReplicaPeer(0), consensus.ClientPeer(q.Client), {Kind: consensus.PeerObserver}, {Kind: consensus.Topic}, consensus.ReplicaPeer(2)}
	f.Fuzz(func(t *testing.T, frame []byte, from byte) {
		l := newLab(t, 3)
		peer := froms[int(from)%len(froms)]
		opened := l.Replicas[1].Protocol.Open(l.Verify, nil, []consensus.Frame{{From: peer, Bytes: frame}})
		if len(opened) != 1 || (opened[0].Event == nil) == (opened[0].Reason == "") {
			t.Fatalf("opens as %+v", opened)
		}
		if Describe(frame) == "" {
			t.Error("described as nothing")
		}
		Granted(frame)
		if opened[0].Event != nil {
			l.Step(1, opened[0].Event)
			l.sound(1)
		}
	})
}

// sound holds a replica to what holds whatever its members say: bounds, and that
// it still answers its clock. The lab holds it to invariants in each step.
func (l *lab) sound(i int) {
	d := l.Replicas[i]
	w := l.Genesis.Window
	first, _ := d.Engine.store.FirstIndex()
	last, _ := d.Engine.store.LastIndex()
	var begin consensus.Seq // entries that begin terms, which have room of their own
	for n := first; n <= last; n++ {
		if b, _, ok := d.Engine.store.batch(consensus.Seq(n)); ok && b == nil {
			begin++
		}
	}
	if span := consensus.Seq(last + 1 - first); begin > 4*w+8+reserve || span-begin > 4*w+8 {
		l.T.Fatalf("holds %d entries, %d to %d, the window is %d", span, first, last, w)
	}
	if st := d.Engine.Status(); st.Executed-st.Applied > w && !d.Engine.state.Active() {
		l.T.Fatalf("handed out %d, applied %d", st.Executed, st.Applied)
	}
	if n := len(d.Engine.exec.Roots); n > int(2*w)+8 {
		l.T.Fatalf("remembers %d roots", n)
	}
}

// FuzzStep drives one replica of three through whatever the bytes say: messages
// that open well with any contents, what its host may tell it, and crashes. It
// must not panic, whatever the library does, must keep its invariants and
// bounds, and must never grant two votes in one term, in any life.
func FuzzStep(f *testing.F) {
	scatter(f, 24, 300)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		c := &chaos{lab: newLab(t, 3), bytes: data, votes: map[uint64]uint64{}}
		c.Replicas[victim].Host = c.restoring
		for len(c.bytes) > 0 {
			clear(c.History) // after a crash the bytes may make up another one
			c.act()
			c.hear()
			c.sound(victim)
		}
		// It goes on: alone, it campaigns sooner or later, unless it leads.
		e := c.Replicas[victim].Engine
		for range 40 {
			c.Step(victim, consensus.Tick{})
		}
		if st := e.node.BasicStatus(); st.Lead != 0 && !e.leading() {
			t.Errorf("follows %d for 40 silent ticks", st.Lead)
		}
	})
}

// victim is the replica that is driven.
const victim = 1

// chaos turns bytes into what happens.
type chaos struct {
	*lab
	bytes []byte
	votes map[uint64]uint64 // granted, by term
}

func (c *chaos) next() byte {
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return b
}

func (c *chaos) below(n int) int { return int(c.next()) % n }

// term is near the present one, or far from it.
func (c *chaos) term() uint64 {
	at := c.Replicas[victim].Engine.node.BasicStatus().Term
	switch b := c.next(); {
	case b < 160:
		return max(at, 1)
	case b < 220:
		return at + 1
	case b < 240:
		return max(at, 2) - 1
	case b < 254:
		return at + uint64(b)
	}
	return 1<<64 - 1
}

// index is one near an edge of the log, or far from all.
func (c *chaos) index() uint64 {
	st := c.Replicas[victim].Engine.node.BasicStatus()
	last, _ := c.Replicas[victim].Engine.store.LastIndex()
	first, _ := c.Replicas[victim].Engine.store.FirstIndex()
	switch b := c.next(); {
	case b < 80:
		return last + uint64(b%4)
	case b < 140:
		return st.Commit + uint64(b%4)
	case b < 180:
		return max(last, 3) - uint64(b%4)
	case b < 220:
		return first + uint64(b%4) - min(first, 2)
	case b < 250:
		return uint64(b % 30)
	}
	return 1<<64 - 1 - uint64(c.next())
}

func (c *chaos) message() pb.Message {
	kinds := []pb.MessageType{
		pb.MsgApp, pb.MsgApp, pb.MsgApp, pb.MsgAppResp, pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgVoteResp,
		pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgHeartbeat, pb.MsgHeartbeatResp, pb.MsgSnap,
	}
	last, _ := c.Replicas[victim].Engine.store.LastIndex()
	m := pb.Message{Type: kinds[c.below(len(kinds))], Term: c.term(), Index: c.index(), LogTerm: c.term(), Commit: c.index(), Reject: c.next() > 200, RejectHint: c.index()}
	if term, err := c.Replicas[victim].Engine.store.Term(last); err == nil && c.next() < 160 {
		m.Index, m.LogTerm = last, term
	}
	switch m.Type {
	case pb.MsgApp:
		for i := range c.below(6) {
			e := pb.Entry{Index: m.Index + 1 + uint64(i), Term: m.Term}
			if c.next() > 60 {
				b := consensus.Batch{Stamp: c.Now, Requests: []*consensus.Request{c.Numbered(1+e.Index%64, "x")}}
				e.Data = b.Append(nil)
			}
			m.Entries = append(m.Entries, e)
		}
	case pb.MsgSnap:
		n := consensus.Seq(max(2, c.index())) &^ 1
		root := crypto.Hash([]byte{c.next() % 2})
		m.Snapshot = &pb.Snapshot{Data: transfer.AppendHandle(nil, n, root), Metadata: pb.SnapshotMetadata{Index: uint64(n), Term: min(m.Term, 1+uint64(c.below(3))), ConfState: c.Replicas[victim].Engine.store.members}}
	}
	if c.next() > 250 {
		m.Context = []byte("CampaignTransfer")
	}
	return m
}

// act lets one thing happen.
func (c *chaos) act() {
	d := c.Replicas[victim]
	switch c.below(14) {
	case 0:
		for range c.below(40) {
			c.Now += labTick
			c.Step(victim, consensus.Tick{})
		}
	case 1:
		c.Submit(c.Request(), victim)
	case 2: // everything that the victim has said is lost
		c.Sent = nil
	case 3:
		d.Stopped = !d.Stopped
		c.Step(victim)
	case 4:
		c.Crash(victim)
		if c.next() > 128 {
			c.cut(victim)
		}
		c.Start(victim, false)
	case 5, 6:
		g := FetchReply{Seq: d.Engine.state.Target().Seq, Root: d.Engine.state.Target().Root, Gone: c.next() > 128}
		if g.Seq == 0 {
			return
		}
		g.Parts = []consensus.Part{{ID: "all", Bytes: []byte{c.next()}}}
		c.Give(victim, consensus.ReplicaPeer(2*consensus.ReplicaID(c.below(2))), g.Encode(FetchReplyKind))
	default:
		c.say(2*c.below(2), victim, c.message())
	}
	if len(c.Sent) > 300 {
		c.Sent = nil
	}
}

// restoring is the host's part in moving a state: parts are good or bad, and a
// state is complete or not, as the bytes say.
func (c *chaos) restoring(job consensus.Job) []consensus.Event {
	d := c.Replicas[victim]
	switch job := job.(type) {
	case consensus.RestoreBegin:
		return c.Restore(d, job)
	case consensus.RestorePut:
		if c.next() > 200 {
			return []consensus.Event{consensus.Staged{From: job.From, Put: true, Bad: job.Items}}
		}
		return []consensus.Event{consensus.Staged{From: job.From, Put: true, Done: job.Items}}
	case consensus.RestoreEnd:
		ok := c.next() < 200 && d.Target.Seq < 1<<12
		if ok {
			s := enginetest.State{Seq: d.Target.Seq, Root: d.Target.Root, Digests: make([]crypto.Digest, d.Target.Seq), Proof: d.Target.Certificate}
			d.Install(s, make([]consensus.Commit, s.Seq))
		}
		return []consensus.Event{consensus.Restored{Seq: d.Target.Seq, Root: d.Target.Root, OK: ok}}
	}
	return nil
}

// hear holds the victim to its votes.
func (c *chaos) hear() {
	for _, m := range c.heard(pb.MsgVoteResp) {
		if m.From != victim+1 || m.Reject {
			continue
		}
		if to, ok := c.votes[m.Term]; ok && to != m.To {
			c.T.Fatalf("votes for %d and %d in term %d", to, m.To, m.Term)
		}
		c.votes[m.Term] = m.To
	}
}

// FuzzRecover starts a replica from any records beside any state: a replica, or
// an error with a reason; never a panic, and a commit index within its log.
func FuzzRecover(f *testing.F) {
	l := newLab(f, 3)
	l.elect(0)
	l.agree(0, 6)
	join := func(records []consensus.Record) (b []byte) {
		for _, r := range records {
			b = append(append(b, byte(len(r.Bytes)>>8), byte(len(r.Bytes))), r.Bytes...)
		}
		return b
	}
	for _, d := range l.Replicas {
		f.Add(join(d.Records), uint64(0), uint64(0))
		f.Add(join(d.Records), uint64(4), uint64(1))
	}
	f.Add(join([]consensus.Record{{Slot: 5, Bytes: tagged(recordBase, append(make([]byte, 15), 7))}}), uint64(7), uint64(2))
	f.Fuzz(func(t *testing.T, log []byte, height, term uint64) {
		var records []consensus.Record
		for len(log) >= 2 {
			n := min(len(log)-2, int(log[0])<<8|int(log[1]))
			records, log = append(records, consensus.Record{Slot: 1, Bytes: log[2 : 2+n]}), log[2+n:]
		}
		l := newLab(t, 3)
		rec := consensus.Recovered{Now: 1, Nonce: 1, Records: records, Height: consensus.Seq(height), Root: crypto.Hash([]byte("root"))}
		if height > 0 {
			rec.Certificate = certificate(rec.Height, term, rec.Root)
		}
		e, err := l.Replicas[1].Protocol.New(rec)
		if err != nil {
			if !errors.Is(err, errLog) && !errors.Is(err, consensus.ErrMalformed) {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		r := e.(*replica)
		st := r.node.BasicStatus()
		if last, _ := r.store.LastIndex(); st.Commit > last || st.Commit < height || r.Status().Executed != rec.Height {
			t.Errorf("commit %d of %d, state at %d, executed %d", st.Commit, last, height, r.Status().Executed)
		}
		for range 25 {
			r.Step(consensus.Burst{Now: 2, Events: []consensus.Event{consensus.Tick{}}})
		}
	})
}
