package pending

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

func testPool() *Pool {
	return New(Config{Replicas: 4, Count: 4, Bytes: 1 << 20, Retell: 5, Ask: 10})
}

// execute hands a batch to the host, which executes all of it.
func execute(p *Pool, requests ...*consensus.Request) {
	p.Ordered(1, &consensus.Batch{Requests: requests})
	p.Executed(consensus.Executed{Seq: 1}, 0)
}

// A client hears at once what can be said at once, and who leads; a replica
// that forwards hears nothing.
func TestSubmit(t *testing.T) {
	p, who := testPool(), Leader{View: 3, Primary: 2}
	first, rival := poolRequest(1, 1, 10), poolRequest(1, 1, 20)
	submit := func(q *consensus.Request, via consensus.Peer, tick int) (consensus.Output, *Entry, Fate) {
		var out consensus.Outbox
		e, fate := p.Submit(&out, consensus.Submit{Via: via, Request: q}, tick, who)
		return out.Take(), e, fate
	}
	client := consensus.ClientPeer(first.Client)
	if out, e, fate := submit(first, client, 1); fate != Waits || e.Request != first || len(out.Jobs)+len(out.Refusals) > 0 {
		t.Errorf("new: fate %d, %+v", fate, out)
	}
	out, _, fate := submit(rival, client, 2)
	want := consensus.Refusal{Client: rival.Client, Request: rival.Digest, Sequence: rival.Sequence, Code: consensus.RefusedStale, View: 3, Primary: 2}
	if fate != Refused || len(out.Refusals) != 1 || out.Refusals[0] != want {
		t.Errorf("a rival: fate %d, %+v", fate, out.Refusals)
	}
	if out, _, fate := submit(rival, consensus.ReplicaPeer(1), 2); fate != Refused || len(out.Refusals) > 0 {
		t.Errorf("a rival that was forwarded: fate %d, %+v", fate, out.Refusals)
	}
	execute(p, first)
	for _, step := range []struct{ tick, answers int }{{10, 1}, {14, 0}, {15, 1}} {
		if out, _, fate := submit(first, client, step.tick); fate != Executed || len(out.Jobs) != step.answers {
			t.Errorf("executed, tick %d: fate %d, %d answers", step.tick, fate, len(out.Jobs))
		}
	}
}

// What nobody was told of for long is due, oldest first, so many at a time.
func TestDue(t *testing.T) {
	p := testPool()
	for i := range uint64(4) {
		p.add(poolRequest(byte(i+1), 1, 10), 4, int(i))
	}
	due := func(tick, every, most int) (list []int) {
		for e := range p.Due(tick, every, most) {
			e.Told = tick
			list = append(list, e.Since)
		}
		return list
	}
	for _, step := range []struct{ tick, every, most, want int }{
		{4, 5, 9, 0}, // nothing is old enough
		{6, 5, 1, 1}, // one of two
		{6, 5, 9, 1}, // the other
		{6, 5, 9, 0},
		{9, 5, 9, 2}, // those who are old enough by now and were not told of
		{11, 5, 9, 2},
	} {
		if got := due(step.tick, step.every, step.most); len(got) != step.want {
			t.Errorf("%+v: due are those of ticks %v", step, got)
		}
	}
}

// The session table is asked once in a while, of everything anew when the state
// has changed under what waits.
func TestAskSession(t *testing.T) {
	p := testPool()
	e := p.add(poolRequest(1, 1, 10), 4, 0)
	ask := func(tick int) int {
		var out consensus.Outbox
		p.AskSession(&out, e, tick)
		return len(out.Jobs)
	}
	for _, step := range []struct{ tick, want int }{{3, 1}, {3, 0}, {13, 0}, {14, 1}} {
		if got := ask(step.tick); got != step.want {
			t.Errorf("tick %d: asked %d times", step.tick, got)
		}
	}
	if p.Restored(); ask(15) != 1 {
		t.Error("not asked again after a restore")
	}
}

// Stale requests go, those behind them stay until they are the oldest.
func TestDropStale(t *testing.T) {
	p := testPool()
	old, fresh := poolRequest(1, 1, 10), poolRequest(2, 1, 10)
	p.add(old, 4, 0)
	p.add(fresh, 4, 0)
	execute(p, poolRequest(1, 1+consensus.SessionWindow, 10))
	var out consensus.Outbox
	if p.DropStale(&out); p.Len() != 1 || p.Oldest().Request != fresh || len(out.Jobs) != 1 {
		t.Errorf("%d wait, %d answers", p.Len(), len(out.Jobs))
	}
}

// A batch that a new view dropped waits again, but for what was executed.
func TestReadmit(t *testing.T) {
	p := testPool()
	done, dropped := poolRequest(1, 1, 10), poolRequest(2, 1, 10)
	execute(p, done)
	p.Readmit(nil, 7)
	for range 2 {
		p.Readmit(&consensus.Batch{Requests: []*consensus.Request{done, dropped}}, 7)
	}
	if p.Len() != 1 || p.Oldest().Request != dropped || p.Oldest().Since != 7 {
		t.Errorf("%d wait, the oldest is %+v", p.Len(), p.Oldest())
	}
}
