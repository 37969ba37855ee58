package pending

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// forwarded are the frames in an outbox that go to a replica.
func forwarded(out *consensus.Output, to consensus.ReplicaID) (n int) {
	for _, s := range out.Early {
		if s.To == consensus.ReplicaPeer(to) {
			n++
		}
	}
	return n
}

// What a client asks goes to the leader at once, again in time, and once to each
// new leader; what another replica passed on does not.
func TestElectedForwards(t *testing.T) {
	var out consensus.Outbox
	p := NewElected(0, 10, Config{Replicas: 3, Count: 8, Bytes: 1 << 20}, &out)
	of := func(leader consensus.ReplicaID) Led { return Led{Leader: Leader{View: 3, Primary: leader}} }
	own, passed := poolRequest(1, 1, 1), poolRequest(2, 1, 1)
	p.Submit(consensus.Submit{Via: consensus.ClientPeer(own.Client), Request: own}, 0, of(1))
	p.Submit(consensus.Submit{Via: consensus.ReplicaPeer(2), Request: passed}, 0, of(1))
	for _, step := range []struct {
		what   string
		do     func()
		leader consensus.ReplicaID
		want   int
	}{
		{"at once", func() {}, 1, 1},
		{"too early", func() { p.Tick(4, of(1), false) }, 1, 0},
		{"in time", func() { p.Tick(5, of(1), true) }, 1, 1},
		{"a third time, during a restore", func() { p.Tick(10, of(1), true) }, 1, 0},
		{"a third time", func() { p.Tick(15, of(1), false) }, 1, 1},
		{"to the next one", func() { p.Begin(16, of(2)) }, 2, 1},
		{"to itself", func() { p.Begin(17, of(0)) }, 0, 0},
	} {
		step.do()
		got := out.Take()
		if n := forwarded(&got, step.leader); n != step.want || len(got.Early) != step.want {
			t.Errorf("%s: %d of %d frames to the leader, want %d", step.what, n, len(got.Early), step.want)
		}
	}
}

// Without a leader for long, clients hear of it: new requests are not taken, and
// those that wait are not decided. The session table is asked, unless the state is
// about to be another.
func TestElectedIsLost(t *testing.T) {
	var out consensus.Outbox
	p := NewElected(0, 10, Config{Replicas: 3, Count: 8, Bytes: 1 << 20}, &out)
	lost := Led{Lost: true}
	waits, late := poolRequest(1, 1, 1), poolRequest(2, 1, 1)
	p.Submit(consensus.Submit{Via: consensus.ClientPeer(waits.Client), Request: waits}, 0, Led{})
	for _, q := range []*consensus.Request{waits, late} {
		p.Submit(consensus.Submit{Via: consensus.ClientPeer(q.Client), Request: q}, 1, lost)
	}
	got := out.Take().Refusals
	if len(got) != 2 || got[0].Code != consensus.RefusedUndecided || got[1].Code != consensus.RefusedNoLeader || p.Len() != 1 {
		t.Errorf("refusals %+v, %d wait", got, p.Len())
	}
	p.Tick(10, lost, true)
	if o := out.Take(); len(o.Refusals) != 1 || len(o.Jobs) != 0 {
		t.Errorf("during a restore: %+v", o)
	}
	p.Tick(20, lost, false)
	if o := out.Take(); len(o.Refusals) != 1 || len(o.Jobs) != 1 {
		t.Errorf("then: %+v", o)
	}
}

// A batch that is little beside what is under way waits for more.
func TestElectedBatch(t *testing.T) {
	var out consensus.Outbox
	p := NewElected(0, 10, Config{Replicas: 3, Count: 64, Bytes: 1 << 20}, &out)
	limits := consensus.DefaultLimits()
	submit := func(from, to int) {
		for i := from; i <= to; i++ {
			q := poolRequest(byte(i), 1, 1)
			p.Submit(consensus.Submit{Via: consensus.ClientPeer(q.Client), Request: q}, 0, Led{})
		}
	}
	if b := p.Batch(&limits, 7, false); b != nil {
		t.Errorf("of nothing: %v", b)
	}
	submit(1, 8)
	if b := p.Batch(&limits, 7, false); b == nil || len(b.Requests) != 8 || b.Stamp != 7 {
		t.Errorf("of eight: %+v", b)
	}
	submit(9, 9)
	if b := p.Batch(&limits, 7, true); b != nil {
		t.Errorf("one beside eight: %+v", b)
	}
	if b := p.Batch(&limits, 7, false); b == nil || len(b.Requests) != 1 {
		t.Errorf("one alone: %+v", b)
	}
}
