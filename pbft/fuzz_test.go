package pbft

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
	"quorate.dev/quorate/internal/enginetest"
	"quorate.dev/quorate/pbft/message"
)

// FuzzStep drives one replica of four through whatever the bytes say: authentic
// messages with any contents, signed by the right keys, what its host may tell
// it, and crashes. It must not panic, must keep its invariants and bounds, and
// must never contradict, in any life, what it said before.
func FuzzStep(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00normal: \x07\x07\x0d\x07\x0d\x08\x08\x0b\x01"))
	for seed := range byte(24) {
		b := make([]byte, 300)
		x := uint32(seed)*2654435761 + 1
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		c := &chaos{bytes: data, said: map[message.Promise]string{}}
		c.lab = newLab(t, 4)
		c.MayFork = true // others lie in the names of more than f
		c.lab.Replicas[victim].Host = c.restoring
		c.lab.Replicas[victim].Heard = c.hear
		if c.next()&1 == 1 {
			*c.lab.Replicas[victim] = desk{Host: c.restoring, Heard: c.hear}
			c.lab.Start(victim, true)
		}
		for len(c.bytes) > 0 && c.desk().Halt == "" {
			c.act()
			c.bounds()
		}
	})
}

// victim is the replica that is driven.
const victim = 1

// chaos turns bytes into what happens.
type chaos struct {
	*lab
	bytes []byte
	said  map[message.Promise]string // what the victim promised, by all but the content
}

func (c *chaos) desk() *desk { return c.Replicas[victim] }

// next is the next byte; 0 at the end.
func (c *chaos) next() byte {
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return b
}

func (c *chaos) below(n int) int { return int(c.next()) % n }

// other is a replica that is not the victim.
func (c *chaos) other() int {
	if i := c.below(3); i >= victim {
		return i + 1
	} else {
		return i
	}
}

func (c *chaos) view() consensus.View {
	at := c.desk().Engine.view.number
	switch b := c.next(); {
	case b < 160:
		return at
	case b < 200:
		return at + 1
	case b < 220 && at > 0:
		return at - 1
	case b < 250:
		return at + consensus.View(b-219)
	case b < 253:
		return 1<<62 - consensus.View(b-250)
	default:
		return 1<<64 - 1 - consensus.View(b-253)
	}
}

func (c *chaos) seq() consensus.Seq {
	e := c.desk().Engine
	switch b := c.next(); {
	case b < 120:
		return e.exec.handed + 1 + consensus.Seq(b%3)
	case b < 220:
		return e.low() + 1 + consensus.Seq(b%20)
	case b < 240:
		return max(e.low(), 6) - consensus.Seq(b%6)
	}
	return 1<<64 - 1 - consensus.Seq(c.next())
}

// height is a checkpoint's number.
func (c *chaos) height() consensus.Seq {
	k := c.Genesis.CheckpointInterval
	e := c.desk().Engine
	at := max(e.low(), e.exec.handed) / k
	return (at + consensus.Seq(c.below(8))) * k
}

// batch is one of a few for each slot, and the null batch now and then.
func (c *chaos) batch(n consensus.Seq) *consensus.Batch {
	b := c.next()
	r := consensus.SignRequest(c.Client, c.rules.Cluster, consensus.Sequence{Epoch: 1, Counter: 1 + uint64(n)%64}, [][]byte{{b % 3}})
	switch {
	case b < 20:
		return &consensus.Batch{Stamp: c.Now}
	case b < 30:
		return &consensus.Batch{Stamp: c.Now + consensus.Time(b)*1e9, Requests: []*consensus.Request{r}}
	}
	return &consensus.Batch{Stamp: consensus.Time(1e18), Requests: []*consensus.Request{r}}
}

func (c *chaos) digest(n consensus.Seq) crypto.Digest {
	if len(c.bytes) > 0 && c.bytes[0] > 250 {
		c.next()
		return consensus.NullDigest
	}
	return c.batch(n).Digest()
}

// root is the root at n: the victim's own, or another.
func (c *chaos) root(n consensus.Seq) crypto.Digest {
	if own, ok := c.desk().Roots[n]; ok && c.next() < 250 {
		return own
	}
	return crypto.Hash([]byte{byte(n)})
}

// certificate is signed by the first q replicas but the victim.
func (c *chaos) certificate(k message.CertificateKind, v consensus.View, n consensus.Seq, d crypto.Digest) *message.Certificate {
	cert := &message.Certificate{Kind: k, View: v, Seq: n, Digest: d}
	kind := map[message.CertificateKind]message.Kind{
		message.PreparedCertificate: message.PrepareKind, message.CommittedCertificate: message.CommitKind, message.CheckpointCertificate: message.CheckpointKind,
	}[k]
	if k == message.CheckpointCertificate {
		cert.View = 0
	}
	for i := range c.Replicas {
		if i == victim {
			continue
		}
		vote := message.Vote{Kind: kind, View: cert.View, Seq: n, Digest: d, Replica: consensus.ReplicaID(i)}
		if k == message.PreparedCertificate && c.rules.System.Primary(v) == vote.Replica {
			vote.Kind = message.PrePrepareKind
		}
		s := c.rules.SignVote(c.Keys[i], vote)
		cert.Signed = append(cert.Signed, message.Signed{Replica: s.Replica, Sig: s.Sig})
	}
	return cert
}

func (c *chaos) stableAt(n consensus.Seq) *message.Certificate {
	if n == 0 {
		return nil
	}
	return c.certificate(message.CheckpointCertificate, 0, n, c.root(n))
}

func (c *chaos) viewChange(i int, v consensus.View) *message.ViewChange {
	vc := message.ViewChange{View: v, Replica: consensus.ReplicaID(i)}
	if b := c.next(); b > 100 {
		vc.Checkpoint = c.desk().Engine.checkpoints.Stable()
		if b > 220 {
			vc.Checkpoint = c.stableAt(c.height())
		}
	}
	if vc.Checkpoint != nil {
		vc.Low = vc.Checkpoint.Seq
	}
	n := vc.Low
	for range c.below(4) {
		n += 1 + consensus.Seq(c.below(3))
		at := v - 1 - consensus.View(c.below(3))
		vc.Prepared = append(vc.Prepared, c.certificate(message.PreparedCertificate, at, n, c.digest(n)))
	}
	return c.rules.NewViewChange(c.Keys[i], vc)
}

// newView is what the primary of v may say, or nearly so.
func (c *chaos) newView(v consensus.View) []byte {
	p := int(c.rules.System.Primary(v))
	if p == victim {
		return nil
	}
	nv := message.NewView{View: v}
	for i := range c.Replicas {
		if i != victim {
			nv.ViewChanges = append(nv.ViewChanges, c.viewChange(i, v))
		}
	}
	n, proposals := consensus.Seq(0), 0
	for _, vc := range nv.ViewChanges {
		n = max(n, vc.Low)
	}
	chosen := map[consensus.Seq]*message.Certificate{}
	for _, vc := range nv.ViewChanges {
		for _, cert := range vc.Prepared {
			if cert.Seq <= n {
				continue
			}
			proposals = max(proposals, int(cert.Seq-n))
			if old := chosen[cert.Seq]; old == nil || cert.View > old.View {
				chosen[cert.Seq] = cert
			}
		}
	}
	for i := range proposals {
		at := n + 1 + consensus.Seq(i)
		d := consensus.NullDigest
		if cert := chosen[at]; cert != nil {
			d = cert.Digest
		}
		nv.Proposals = append(nv.Proposals, c.rules.SignVote(c.Keys[p], message.Vote{Kind: message.PrePrepareKind, View: v, Seq: at, Digest: d, Replica: consensus.ReplicaID(p)}))
	}
	return c.rules.NewNewView(c.Keys[p], nv).Frame
}

// status is any STATUS of anybody.
func (c *chaos) status() []byte {
	st := message.Status{View: c.view(), Changing: c.next() > 128, Low: c.seq(), Executed: c.seq()}
	if c.next() > 200 {
		st.Rejoining, st.Target = true, c.seq()
	}
	for range c.below(10) {
		st.Slots = append(st.Slots, message.Progress(c.next()&7))
	}
	return st.Encode()
}

func (c *chaos) fetch() []byte {
	n := c.seq()
	f := message.Fetch{What: message.What(1 + c.below(5)), Seq: n, Digest: c.digest(n)}
	if f.What == message.WhatParts {
		for range c.below(5) {
			f.Items = append(f.Items, consensus.Item{ID: string([]byte{c.next()})})
		}
	}
	return f.Encode()
}

func (c *chaos) given() []byte {
	n := c.seq()
	g := message.FetchReply{What: message.What(1 + c.below(4)), Seq: n}
	switch g.What {
	case message.WhatBatch, message.WhatCommitted:
		g.Batch = c.batch(n)
		g.Digest = g.Batch.Digest()
		if g.What == message.WhatCommitted {
			g.Certificate = c.certificate(message.CommittedCertificate, c.view(), n, g.Digest)
		}
	case message.WhatCheckpoint:
		if g.Seq = c.height(); g.Seq == 0 {
			return nil
		}
		g.Certificate = c.stableAt(g.Seq)
		g.Digest = g.Certificate.Digest
	case message.WhatParts:
		if t := c.desk().Engine.state.Target(); c.next() > 50 {
			g.Seq, g.Digest = t.Seq, t.Root
		}
		g.Gone = c.next() > 200
		for range c.below(4) {
			g.Parts = append(g.Parts, consensus.Part{ID: string([]byte{c.next() % 4}), Bytes: []byte{1}})
		}
	}
	return g.Encode()
}

func (c *chaos) rejoinAnswer() []byte {
	e := c.desk().Engine
	a := message.RejoinAnswer{Nonce: e.rejoin.nonce, Amnesiac: c.next() > 200, View: c.view(), Checkpoint: c.stableAt(c.height())}
	if c.next() > 200 {
		a.Yours = c.viewChange(c.other(), 1+c.view()%8)
	}
	return a.Encode()
}

// frame is any authentic frame of another replica.
func (c *chaos) frame(from int) []byte {
	switch c.below(12) {
	case 0, 1, 2:
		k, v, n := message.PrepareKind+message.Kind(c.below(2)), c.view(), c.seq()
		return c.vote(from, k, v, n, c.digest(n))
	case 3, 4:
		v, n := c.view(), c.seq()
		b := c.batch(n)
		p := c.rules.System.Primary(v)
		if p == victim {
			return nil
		}
		return c.rules.NewPrePrepare(c.Keys[p], message.Vote{View: v, Seq: n, Digest: b.Digest(), Replica: p}, b).Frame
	case 5:
		n := c.height()
		return c.vote(from, message.CheckpointKind, 0, max(n, 1), c.root(n))
	case 6:
		return c.viewChange(from, c.view()).Frame
	case 7:
		return c.newView(c.view())
	case 8:
		return c.status()
	case 9:
		return c.fetch()
	case 10:
		return c.given()
	}
	if c.next() > 128 {
		return c.rejoinAnswer()
	}
	return (&message.Rejoin{Nonce: uint64(c.next())}).Encode()
}

// act lets one thing happen.
func (c *chaos) act() {
	d := c.desk()
	switch c.below(16) {
	case 0:
		c.Now += labTick * consensus.Time(1+c.below(50))
		c.Step(victim, consensus.Tick{})
	case 1:
		for range c.below(60) {
			c.Now += labTick
			c.Step(victim, consensus.Tick{})
		}
	case 2:
		c.Submit(c.Request(), victim)
	case 3:
		c.Submit(c.Request(), c.other(), victim)
	case 4: // the others, who are honest but for what is said in their names
		c.Deliver()
		c.Sent = nil
	case 5:
		d.Stopped = !d.Stopped // the host stands still, or goes on
		c.Step(victim)
	case 6:
		c.crash()
	default:
		from := c.other()
		frame := c.frame(from)
		if frame == nil {
			return
		}
		h, _ := d.Engine.Horizon().(*message.Horizon)
		if c.next() < 40 {
			h = nil // it may be late
		}
		if o := c.rules.Open(c.Verify, h, []consensus.Frame{{From: consensus.ReplicaPeer(consensus.ReplicaID(from)), Bytes: frame}})[0]; o.Event != nil {
			c.Step(victim, o.Event)
		}
	}
	if len(c.Sent) > 500 {
		c.Sent = nil
	}
}

// crash kills the victim in the middle of a step, of whose records a beginning
// is on disk, and starts it again from what the log then holds.
func (c *chaos) crash() {
	d := c.desk()
	out := d.Engine.Step(consensus.Burst{Now: c.Now, Events: []consensus.Event{consensus.Tick{}}})
	keep := c.next()
	d.Records = append(d.Records, out.Records[:int(keep)%(len(out.Records)+1)]...)
	amnesiac := d.Engine.rejoin.asleep && (!d.Engine.rejoin.known || keep > 50)
	if keep > 100 {
		d.Cut()
	}
	d.Stopped = false
	c.Start(victim, amnesiac)
	c.Step(victim)
}

// restoring is the host's part in moving a state.
func (c *chaos) restoring(job consensus.Job) []consensus.Event {
	d := c.desk()
	item := func() consensus.Item { return consensus.Item{ID: string([]byte{c.next() % 4})} }
	switch job := job.(type) {
	case consensus.RestoreBegin:
		s := consensus.Staged{More: c.next() > 240}
		for range c.below(3) {
			s.Missing = append(s.Missing, item())
		}
		return []consensus.Event{s}
	case consensus.RestorePut:
		s := consensus.Staged{From: job.From, Put: true, Done: job.Items}
		if c.next() > 200 {
			s.Done, s.Bad = nil, job.Items
		}
		return []consensus.Event{s}
	case consensus.RestoreEnd:
		ok := c.next() < 200
		if ok {
			s := enginetest.State{Seq: d.Target.Seq, Root: d.Target.Root, Proof: d.Target.Certificate}
			d.Install(s, make([]consensus.Commit, s.Seq))
		}
		return []consensus.Event{consensus.Restored{Seq: d.Target.Seq, Root: d.Target.Root, OK: ok}}
	}
	return nil
}

// hear compares what the victim says with what it has ever said.
func (c *chaos) hear(frame []byte) {
	p, ok := c.rules.Promised(frame)
	if !ok || p.Replica != victim {
		return
	}
	content := p.Content
	p.Content = ""
	if before, twice := c.said[p]; twice && before != content {
		c.T.Fatalf("said two things as %s in view %d, slot %d", p.Kind, p.View, p.Seq)
	}
	c.said[p] = content
}

// bounds are those that invariants do not see.
func (c *chaos) bounds() {
	e := c.desk().Engine
	l := int(c.Genesis.Window)
	slots := map[consensus.Seq]bool{}
	for _, n := range e.view.proposed {
		slots[n] = true
	}
	accused := 0
	for _, a := range e.accused.signers {
		accused = max(accused, len(a.places))
	}
	for name, b := range map[string][2]int{
		"history":   {len(e.log.history), l},
		"certified": {len(e.exec.certified), 2 * l},
		"proposed":  {len(slots), 4 * l},
		"pending":   {e.requests.Len(), 5 * e.cfg.PendingCount},
		"evidence":  {accused, maxProofs},
		"roots":     {len(e.exec.roots), 4 * l},
	} {
		if b[0] > b[1] {
			c.T.Fatalf("%s: %d, bound %d", name, b[0], b[1])
		}
	}
}
