package session

import (
	"fmt"
	"testing"

	"quorate.dev/quorate/consensus"
)

// answer lets a replica say where a request was executed.
func (b *bench) answer(from consensus.ReplicaID, r *consensus.Request, text string, at consensus.Seq) {
	reply := &consensus.Reply{Request: r.Digest, Sequence: r.Sequence, Seq: at, Replica: from}
	for range r.Operations {
		reply.Results = append(reply.Results, consensus.Result{Data: []byte(text)})
	}
	b.s.Receive(from, reply.Encode())
}

// PROTOCOL §3: equal results do not do if they are of different slots. With f+1
// of them one is correct, so that the slot is the true one, too.
func TestSlotIsPartOfTheAnswer(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.answer(3, r, "done", 7)
	b.answer(0, r, "done", 8)
	if done := b.s.Flush().Done; len(done) != 0 {
		t.Fatalf("believed with two different slots: %+v", done)
	}
	b.answer(1, r, "done", 8)
	if done := b.s.Flush().Done; len(done) != 1 || done[0].Seq != 8 {
		t.Errorf("done: %+v, want slot 8", done)
	}
}

// An answer is hashed to be compared. A replica is heard once by itself and once
// for each time that it was asked, however often it speaks.
func TestRepeatedAnswersAreNotLookedAt(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	for i := range 100 {
		b.answer(3, r, fmt.Sprint(i), 1)
	}
	if n := b.s.Stats().Ignored; n != 99 {
		t.Errorf("%d of 100 answers of a replica that was not asked are ignored, want 99", n)
	}
	var asked int
	for asked = 0; asked < 3; {
		b.s.Advance(b.s.Flush().Deadline)
		for _, s := range b.s.Flush().Sends {
			if s.To == 3 {
				asked++
			}
		}
	}
	before := b.s.Stats().Ignored
	for i := range 100 {
		b.answer(3, r, fmt.Sprint(i), 1)
	}
	if n := b.s.Stats().Ignored - before; n != uint64(100-asked) {
		t.Errorf("%d of 100 answers are ignored after it was asked %d times, want %d", n, asked, 100-asked)
	}
	b.answer(0, r, "true", 2)
	b.answer(1, r, "true", 2)
	if done := b.s.Flush().Done; len(done) != 1 || string(done[0].Result.Data) != "true" {
		t.Errorf("done: %+v", done)
	}
}
