package session

import (
	"errors"
	"testing"

	"quorate.dev/quorate/consensus"
)

// Final refusals are believed from f+1 replicas and come as typed errors.
func TestFinalRefusals(t *testing.T) {
	for code, want := range map[consensus.RefusalCode][]error{
		consensus.RefusedMalformed:     {ErrRefused, ErrMalformed},
		consensus.RefusedSignature:     {ErrRefused, ErrSignature},
		consensus.RefusedUnknownClient: {ErrRefused, ErrUnknownClient},
		consensus.RefusedTooLarge:      {ErrRefused, ErrTooLarge},
		consensus.RefusedRole:          {ErrRefused, ErrNotPermitted},
		consensus.RefusedStale:         {ErrRefused, ErrStale, ErrUnknown},
	} {
		t.Run(code.String(), func(t *testing.T) {
			b := newBench(t, nil)
			r := b.decode(b.invoke(1, 1)[0].Bytes)
			b.refuse(3, r, code)
			b.refuse(3, r, code)
			out := b.s.Flush()
			if len(out.Done) != 0 {
				t.Fatalf("one replica was believed: %v", out.Done)
			}
			b.expect("ask the others", out.Sends, "R0 #1 x1", "R1 #1 x1", "R2 #1 x1", "R3 #1 x1")
			b.refuse(1, r, code)
			out = b.s.Flush()
			if len(out.Done) != 1 {
				t.Fatalf("done: %v", out.Done)
			}
			err := out.Done[0].Err
			for _, target := range want {
				if !errors.Is(err, target) {
					t.Errorf("%v is not %v", err, target)
				}
			}
			if errors.Is(err, ErrUnknown) != (code == consensus.RefusedStale) {
				t.Errorf("outcome of %v", err)
			}
		})
	}
}

// A fresh epoch follows a stale one as soon as nothing is in flight.
func TestStaleEpochIsRenewed(t *testing.T) {
	b := newBench(t, nil)
	first := b.decode(b.invoke(1, 1)[0].Bytes)
	second := b.decode(b.invoke(2, 1)[0].Bytes)
	b.refuse(0, first, consensus.RefusedStale)
	b.refuse(1, first, consensus.RefusedStale)
	b.s.Flush()
	b.expect("the old epoch is still in flight", b.invoke(3, 1))
	b.refuse(0, second, consensus.RefusedStale)
	b.refuse(1, second, consensus.RefusedStale)
	sends := b.s.Flush().Sends
	sends = sends[4:] // what asked the others
	b.expect("a fresh window", sends, "R0 #1 x1")
	if got := b.decode(sends[0].Bytes).Sequence.Epoch; got <= first.Sequence.Epoch {
		t.Fatalf("epoch %d after %d", got, first.Sequence.Epoch)
	}
}

// A session that the replicas dropped is opened again, and the operation sent
// once more: it cannot have been executed. A clock that is wrong ends it.
func TestExpired(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.refuse(0, r, consensus.RefusedExpired)
	b.refuse(1, r, consensus.RefusedExpired)
	sends := b.s.Flush().Sends[4:] // what asked the others stands before
	b.expect("once more", sends, "R0 #1 x1")
	r = b.decode(sends[0].Bytes)
	b.refuse(0, r, consensus.RefusedExpired)
	b.refuse(1, r, consensus.RefusedExpired)
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrExpired) || errors.Is(out.Done[0].Err, ErrUnknown) {
		t.Fatalf("done: %v", out.Done)
	}
}

// An old request that expired may have been executed long ago.
func TestExpiredLate(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.s.Advance(1e18 + b.genesis.Limits.SessionIdle)
	b.refuse(0, r, consensus.RefusedExpired)
	b.refuse(1, r, consensus.RefusedExpired)
	out := b.s.Flush()
	if len(out.Done) != 1 || !errors.Is(out.Done[0].Err, ErrExpired) || !errors.Is(out.Done[0].Err, ErrUnknown) {
		t.Fatalf("done: %v", out.Done)
	}
}

// After a long rest the session begins afresh, before the replicas forget it.
func TestIdleSessionIsRenewed(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 1)[0].Bytes)
	b.reply(0, r, "ok", 0)
	b.reply(1, r, "ok", 0)
	later := consensus.Time(1e18) + b.genesis.Limits.SessionIdle
	b.s.Advance(later)
	sends := b.invoke(2, 1)
	b.expect("fresh", sends, "R0 #1 x1")
	if got := b.decode(sends[0].Bytes).Sequence.Epoch; got != uint64(later) {
		t.Fatalf("epoch %d, want %d", got, later)
	}
}

// One operation that is not permitted does not take down those it travels with.
func TestRefusedTogetherTriedAlone(t *testing.T) {
	b := newBench(t, nil)
	r := b.decode(b.invoke(1, 2)[0].Bytes)
	b.refuse(0, r, consensus.RefusedRole)
	b.refuse(1, r, consensus.RefusedRole)
	b.expect("alone", b.s.Flush().Sends[4:], "R0 #2 x1", "R0 #3 x1")
}
