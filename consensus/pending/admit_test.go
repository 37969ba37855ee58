package pending

import (
	"testing"

	"quorate.dev/quorate/consensus"
)

// Every fate of a request that is handed in, in one life of a pool.
func TestAdmit(t *testing.T) {
	p := New(Config{Replicas: 4, Count: 2, Bytes: 1 << 20, Retell: 5, Ask: 10})
	client := consensus.Peer{Kind: consensus.PeerClient}
	first, other := poolRequest(1, 1, 10), poolRequest(1, 1, 20)
	for _, step := range []struct {
		name string
		q    *consensus.Request
		fate Fate
		code consensus.RefusalCode
	}{
		{"new", first, Waits, 0},
		{"again", first, Waited, 0},
		{"another under the same sequence", other, Refused, consensus.RefusedStale},
		{"over the client's share of the lane", poolRequest(1, 2, 10), Refused, consensus.RefusedBusy},
		{"another client's", poolRequest(2, 1, 10), Waits, 0},
		{"into a full lane", poolRequest(3, 1, 10), Refused, consensus.RefusedBusy},
	} {
		e, fate, code := p.admit(step.q, client, 7)
		if fate != step.fate || code != step.code {
			t.Errorf("%s: fate %d, code %q", step.name, fate, code)
		}
		if waits := fate == Waits || fate == Waited; waits != (e != nil) || waits && e.Since != 7 {
			t.Errorf("%s: entry %+v", step.name, e)
		}
	}
	execute(p, first)
	if _, fate, _ := p.admit(first, client, 8); fate != Executed {
		t.Errorf("executed: fate %d", fate)
	}
	if _, fate, code := p.admit(poolRequest(1, 2+consensus.SessionWindow, 10), client, 8); fate != Refused || code != consensus.RefusedAhead {
		t.Errorf("beyond the window: fate %d, code %q", fate, code)
	}
}

// What was executed is answered again once in a while, however often it is
// handed in.
func TestRetell(t *testing.T) {
	p, q := New(Config{Replicas: 4, Count: 2, Bytes: 1 << 20, Retell: 5, Ask: 10}), poolRequest(1, 1, 10)
	for _, step := range []struct {
		tick int
		want bool
	}{{10, true}, {10, false}, {14, false}, {15, true}, {19, false}} {
		if got := p.retell(q, step.tick); got != step.want {
			t.Errorf("tick %d: %v", step.tick, got)
		}
	}
	for i := range uint64(3 * maxRetold) {
		p.retell(poolRequest(2, i+1, 1), 20)
	}
	if len(p.retold) > maxRetold {
		t.Errorf("%d are remembered, at most %d should be", len(p.retold), maxRetold)
	}
}

// What stands in a slot is not proposed again, whether it waited here before or
// comes only later; a new view begins anew with what waits.
func TestWhatStandsIsNotTaken(t *testing.T) {
	p, l := New(Config{Replicas: 4, Count: 8, Bytes: 1 << 20, Retell: 5, Ask: 10}), consensus.DefaultLimits()
	before, after := poolRequest(1, 1, 10), poolRequest(2, 1, 10)
	client := consensus.Peer{Kind: consensus.PeerClient}
	p.admit(before, client, 1)
	p.Stands(&consensus.Batch{Requests: []*consensus.Request{before, after}})
	p.admit(after, client, 2)
	if got := p.Take(&l); len(got) != 0 {
		t.Errorf("%d requests are proposed that stand in a slot", len(got))
	}
	p.Restart(3)
	if got := p.Take(&l); len(got) != 2 {
		t.Errorf("%d requests are proposed in the next view, want 2", len(got))
	}
	p.Stands(&consensus.Batch{Requests: []*consensus.Request{before, after}})
	execute(p, before, after)
	if len(p.standing) != 0 || p.Len() != 0 {
		t.Errorf("%d stand and %d wait after their execution", len(p.standing), p.Len())
	}
}
