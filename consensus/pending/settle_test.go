package pending

import (
	"testing"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// epochRequest is the first request of client 1 in an epoch.
func epochRequest(epoch uint64) *consensus.Request {
	return consensus.SignRequest(crypto.NewSigner([32]byte{1}), crypto.Digest{}, consensus.Sequence{Epoch: epoch, Counter: 1}, [][]byte{{1}})
}

// refuse has a batch ordered, all of which is refused at its execution.
func refuse(p *Pool, tick int, code consensus.RefusalCode, requests ...*consensus.Request) {
	var refused []consensus.Refusal
	for _, q := range requests {
		refused = append(refused, consensus.Refusal{Client: q.Client, Request: q.Digest, Sequence: q.Sequence, Code: code})
	}
	p.Ordered(1, &consensus.Batch{Requests: requests})
	p.Executed(consensus.Executed{Seq: 1, Refused: &refused}, tick)
}

// Whatever execution refuses leaves no trace in what is remembered to have been
// executed: a client that used an epoch too far ahead, or a counter, is served
// with what follows. The refusal is repeated when the request is, and after a
// while the request is ordered again: what was refused for now may succeed then.
func TestRefusedIsNotExecuted(t *testing.T) {
	client := consensus.Peer{Kind: consensus.PeerClient}
	for code := consensus.RefusedMalformed; code <= consensus.RefusedUndecided; code++ {
		p := testPool()
		ahead, right := epochRequest(1000), epochRequest(10)
		refuse(p, 3, code, ahead)
		if _, fate, again := p.admit(ahead, client, 7); fate != Refused || again != code {
			t.Errorf("%v, sent again: fate %d, %v", code, fate, again)
		}
		if _, fate, _ := p.admit(right, client, 7); fate != Waits {
			t.Errorf("%v: the next request has fate %d", code, fate)
		}
		p.Remove(KeyOf(right))
		if _, fate, _ := p.admit(ahead, client, 8); fate != Waits {
			t.Errorf("%v, sent again later: fate %d", code, fate)
		}
	}
}

// Between its order and its execution a request is neither proposed again nor
// remembered to have been executed.
func TestOrderedIsNotYetExecuted(t *testing.T) {
	p, q, r := testPool(), epochRequest(10), epochRequest(11)
	p.Ordered(4, &consensus.Batch{Requests: []*consensus.Request{q}})
	p.Ordered(5, &consensus.Batch{Requests: []*consensus.Request{r, q}})
	standing := func(when string, want ...standing) {
		t.Helper()
		for i, q := range []*consensus.Request{q, r, epochRequest(9)} {
			if got := p.standingOf(q); got != want[i] {
				t.Errorf("%s: request %d stands %d, want %d", when, i, got, want[i])
			}
		}
	}
	standing("ordered", done, done, fresh)
	p.Ordered(5, &consensus.Batch{Requests: []*consensus.Request{r}}) // handed out again
	p.Executed(consensus.Executed{Seq: 4}, 1)
	standing("one executed", done, done, done)
	p.Executed(consensus.Executed{Seq: 5, Refused: &[]consensus.Refusal{{Request: r.Digest}}}, 1)
	standing("the other refused", done, fresh, done)
	p.Ordered(6, nil)
	p.Ordered(7, &consensus.Batch{Requests: []*consensus.Request{r}})
	p.Restored()
	standing("after a state was fetched", fresh, fresh, fresh)
	if len(p.ordered.of)+len(p.ordered.batches) > 0 {
		t.Errorf("%d requests of %d batches are remembered", len(p.ordered.of), len(p.ordered.batches))
	}
}

// What seems to be done and is unknown to the session table, which has dropped
// the session since, is ordered after all.
func TestUnsettledIsOrdered(t *testing.T) {
	p, old := testPool(), epochRequest(5)
	execute(p, epochRequest(10))
	var out consensus.Outbox
	if _, fate := p.Submit(&out, consensus.Submit{Via: consensus.ClientPeer(old.Client), Request: old}, 20, Leader{}); fate != Executed || len(out.Take().Jobs) != 1 {
		t.Fatalf("an earlier epoch: fate %d", fate)
	}
	p.Unsettled(old, 21)
	if e := p.find(KeyOf(old)); e == nil || e.Since != 21 {
		t.Fatalf("it does not wait: %+v", e)
	}
	p.Unsettled(old, 22)
	if p.Len() != 1 {
		t.Errorf("%d wait", p.Len())
	}
	p.Ordered(3, &consensus.Batch{Requests: []*consensus.Request{old}})
	p.Unsettled(old, 23)
	if p.Len() != 0 {
		t.Error("what is being executed waits again")
	}
}

// What execution refused on a state that is replaced may succeed on the next one.
func TestRefusalsEndWithTheirState(t *testing.T) {
	p, q := testPool(), epochRequest(1000)
	refuse(p, 3, consensus.RefusedAhead, q)
	p.Restored()
	if _, fate, _ := p.admit(q, consensus.Peer{Kind: consensus.PeerClient}, 4); fate != Waits {
		t.Errorf("after a state was fetched it has fate %d", fate)
	}
}

// A request that stands in two slots is decided until both are executed.
func TestRequestInTwoSlotsIsDecidedTwice(t *testing.T) {
	p, q := testPool(), epochRequest(10)
	for seq := range consensus.Seq(2) {
		p.Ordered(seq+1, &consensus.Batch{Requests: []*consensus.Request{q}})
	}
	for seq, want := range []standing{done, fresh} {
		p.Executed(consensus.Executed{Seq: consensus.Seq(seq) + 1, Refused: &[]consensus.Refusal{{Request: q.Digest}}}, 1)
		if got := p.standingOf(q); got != want {
			t.Errorf("refused in slot %d it stands %d, want %d", seq+1, got, want)
		}
	}
}
